"""BME280 and BMP280: the driver on the chip at register level, and on a bus that fails."""

import pytest

from drivers.base import BusFault, CorruptData, NoAnswer, WrongDevice
from drivers.i2c.bme280 import Bme280
from drivers.i2c.bmp280 import Bmp280
from drivers.simulated import bme280 as chips
from drivers.simulated.bmp280 import Bmp280 as Bmp280Chip
from drivers.simulated.bus import SimulatedI2CBus
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values

CALIB00 = bytes.fromhex("706b436718fc7d8e43d6d00b270b8c00f9ff8c3cf8c6701700" + "4b")
CALIB26 = bytes.fromhex("6a010013ee031e")  # shared byte 0xee: H4 ends in e, H5 in e
DATA = bytes.fromhex("655ac07eed008000")


def test_reads_the_simulated_chip_and_survives_a_power_cycle() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x76: chips.Bme280(-12.5, 987.65, 33.0, clock=clock)})
    sensor = Bme280(bus, oversampling=4)
    finish(sensor.start(), clock)
    first = values(finish(sensor.read(), clock))
    assert first == pytest.approx(
        {"temperature": -12.5, "pressure": 987.65, "humidity": 33.0}, abs=0.02
    )
    bus.chips[0x76] = chips.Bme280(5.0, 1000.0, 80.0, clock=clock)
    assert values(finish(sensor.read(), clock))["humidity"] == pytest.approx(80.0, abs=0.02)


def test_bmp280_reads_and_is_told_from_a_bme280() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x77: Bmp280Chip(20.0, 1013.25, clock=clock)})
    sensor = Bmp280(bus, address=0x77)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock)) == pytest.approx(
        {"temperature": 20.0, "pressure": 1013.25}, abs=0.02
    )
    with pytest.raises(WrongDevice, match='driver = "bmp280"'):
        finish(Bme280(bus, address=0x77).start(), clock)


def test_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x76, b"\xd0", b"\x60"),
        Transfer(0x76, b"\xe0\xb6"),
        Transfer(0x76, b"\xf3", b"\x00"),
        Transfer(0x76, b"\x88", CALIB00),
        Transfer(0x76, b"\xe1", CALIB26),
        Transfer(0x76, b"\xf2\x01\xf4\x25"),
        Transfer(0x76, b"\xf3", b"\x08\x25\x00\x00" + DATA),
        Transfer(0x76, b"\xf3", b"\x00\x24\x00\x00" + DATA),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Bme280(bus)
        finish(sensor.start())
        assert values(finish(sensor.read()))["humidity"] is None


def test_a_bus_that_fails_once_works_again_after_start() -> None:
    clock = FakeClock()
    chip = SimulatedI2CBus({0x76: chips.Bme280(20.0, clock=clock)})
    sensor = Bme280(FailsOnce(chip, BusFault("arbitration"), nth=7))
    finish(sensor.start(), clock)
    with pytest.raises(BusFault):
        finish(sensor.read(), clock)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock))["temperature"] == pytest.approx(20.0, abs=0.02)


def test_stuck_and_reset_chips_are_errors() -> None:
    clock = FakeClock()
    chip = chips.Bme280(clock=clock)
    sensor = Bme280(SimulatedI2CBus({0x76: chip}))
    finish(sensor.start(), clock)
    with pytest.raises(NoAnswer, match="busy"):
        finish(sensor.read())  # the chip's clock stands still
    clock.now += 1
    steps = sensor.read()
    clock.now += next(steps)
    chip.write(b"\xe0\xb6")
    clock.now += 1
    with pytest.raises(CorruptData, match="reset meanwhile"):
        finish(steps, clock)
