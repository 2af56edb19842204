"""TCA9548A: equal addresses behind different channels, and what is told when it fails."""

import pytest

from drivers.base import BusFault, NoAnswer
from drivers.i2c.mux import MuxedI2C
from drivers.i2c.sht4x import Sht4x
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.sht4x import Sht4x as Chip
from drivers.simulated.tca9548a import Tca9548a
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values


def test_chips_with_one_address_behind_two_channels() -> None:
    clock = FakeClock()
    mux = Tca9548a({n: {0x44: Chip(10.0 * n, 50.0, clock=clock)} for n in (0, 3)})
    bus = SimulatedI2CBus({0x70: mux})
    for number in (0, 3):
        sensor = Sht4x(MuxedI2C(bus, 0x70, number))
        finish(sensor.start(), clock)
        got = values(finish(sensor.read(), clock))
        assert got["temperature"] == pytest.approx(10 * number, abs=0.01)
        assert mux.control == 0
    with pytest.raises(NoAnswer):
        bus.read(0x44, 1)


def test_a_multiplexer_behind_a_multiplexer() -> None:
    clock = FakeClock()
    inner = Tca9548a({1: {0x44: Chip(7.0, 50.0, clock=clock)}})
    bus = SimulatedI2CBus({0x70: Tca9548a({2: {0x71: inner}})})
    deep = MuxedI2C(MuxedI2C(bus, 0x70, 2), 0x71, 1)
    sensor = Sht4x(deep)
    finish(sensor.start(), clock)
    got = values(finish(sensor.read(), clock))
    assert got["temperature"] == pytest.approx(7, abs=0.01)
    with pytest.raises(NoAnswer, match="channel 1 of 0x71"):
        deep.read(0x50, 1)


def test_every_transfer_connects_and_disconnects() -> None:
    script = [
        Transfer(0x71, b"\x20"), Transfer(0x44, b"\xfd", b"\x01\x02"), Transfer(0x71, b"\x00"),
        Transfer(0x71, b"\x20"), Transfer(0x44, b"\x01", NoAnswer("silent")),
        Transfer(0x71, b"\x00"),
    ]  # fmt: skip
    with ScriptedI2C(*script) as wire:
        bus = MuxedI2C(wire, 0x71, 5)
        assert bus.write_read(0x44, b"\xfd", 2) == b"\x01\x02"
        with pytest.raises(NoAnswer, match="channel 5 of 0x71"):
            bus.write(0x44, b"\x01")


def test_a_silent_multiplexer_is_a_bus_that_failed() -> None:
    wire = FailsOnce(SimulatedI2CBus({0x70: Tca9548a({0: {}})}), NoAnswer("no answer"))
    with pytest.raises(BusFault, match="multiplexer at 0x70"):
        MuxedI2C(wire, 0x70, 0).read(0x44, 1)
