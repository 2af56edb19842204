"""Atlas EZO: text answers, response codes, circuits told apart."""

import pytest

from drivers.base import BusFault, CorruptData, NoAnswer, OptionError, Quality, WrongDevice
from drivers.i2c.ezo import Ezo, decode, text_of
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.ezo import Ezo as Chip
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values


def padded(code: int, text: str = "") -> bytes:
    return (bytes([code]) + text.encode() + b"\0").ljust(41, b"\0")


def test_the_data_sheets_answers() -> None:
    """EZO-pH: 9.560; EZO-EC: 1413,706,...; EZO-ORP in mV, negative too."""
    assert decode("9.560", "ph").value == 9.56
    assert decode("1413,706,0.71,1.000", "ec").value == 1413
    assert decode("-209.6", "orp").value == pytest.approx(-0.2096)
    assert decode("-1023.000", "rtd").quality is Quality.BAD
    assert decode("0.00", "ec").quality is Quality.UNCERTAIN
    with pytest.raises(CorruptData, match="no reading"):
        decode("*ER", "ph")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (padded(2), CorruptData), (padded(255), NoAnswer), (padded(77), CorruptData),
        (b"\x01\xff\xfe\x00", CorruptData),
    ],
)  # fmt: skip
def test_response_codes(answer: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        text_of(answer, "R")


def test_reads_the_simulated_circuit() -> None:
    clock = FakeClock()
    chip = Chip(6.541, clock=clock)
    sensor = Ezo(SimulatedI2CBus({0x63: chip}), measures="ph", temperature=18.5)
    finish(sensor.start(), clock)
    assert chip.temperature == 18.5
    assert values(finish(sensor.read(), clock)) == {"acidity": 6.541}


def test_another_circuit_is_told() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x63: Chip(name="EC", clock=clock), 0x64: Chip(name="EC", clock=clock)})
    with pytest.raises(WrongDevice, match="no EZO-pH"):
        finish(Ezo(bus, measures="ph").start(), clock)
    finish(Ezo(bus, measures="ec").start(), clock)
    script = [
        Transfer(0x64, b"I"), Transfer(0x64, b"", padded(1, "?I,EC,2.15")),
        Transfer(0x64, b"O,?"), Transfer(0x64, b"", padded(1, "?O,TDS,S")),
    ]  # fmt: skip
    with ScriptedI2C(*script) as wire, pytest.raises(WrongDevice, match="O,EC,1"):
        finish(Ezo(wire, measures="ec").start())


def test_pending_for_too_long_and_a_bus_that_fails_once() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x63: Chip(7.0, clock=clock)})
    with pytest.raises(NoAnswer, match="pending"):
        finish(Ezo(bus, measures="ph").read())
    clock.now += 5
    sensor = Ezo(FailsOnce(bus, BusFault("once"), 2), measures="ph")
    with pytest.raises(BusFault):
        finish(sensor.read(), clock)
    assert values(finish(sensor.read(), clock)) == {"acidity": 7.0}


def test_temperature_is_for_ph_and_ec() -> None:
    with pytest.raises(OptionError, match="only pH and EC"):
        Ezo(SimulatedI2CBus({}), measures="orp", temperature=20.0)
