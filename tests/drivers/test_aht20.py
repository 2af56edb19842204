"""AHT20: decode, calibration and busy bits of the simulated chip, corrupt answers."""

import pytest

from drivers.base import CorruptData, NoAnswer
from drivers.i2c.aht20 import Aht20, decode
from drivers.i2c.crc8 import crc8
from drivers.simulated.aht20 import Aht20 as Chip
from drivers.simulated.bus import SimulatedI2CBus
from tests.fakes import FailsOnce, FakeClock, finish, values


def frame(text: str) -> bytes:
    data = bytes.fromhex(text)
    return data + bytes([crc8(data)])


def test_decodes_both_halves_of_the_shared_byte() -> None:
    # RH 0x80000 of 2^20 is 50 %; T 0x60000 of 2^20 is 25 °C
    assert values(decode(frame("18 80 00 06 00 00"))) == {"temperature": 25, "humidity": 50}
    assert values(decode(frame("18 00 00 03 33 33")))["temperature"] == pytest.approx(-10, abs=1e-3)


@pytest.mark.parametrize(
    ("data", "message"),
    [(frame("18 80 00 06 00 00")[:6] + b"\x00", "checksum"), (frame("10 0000060000"), "reset")],
)
def test_corrupt_answers(data: bytes, message: str) -> None:
    with pytest.raises(CorruptData, match=message):
        decode(data)


@pytest.mark.parametrize(("temperature", "humidity"), [(-20.0, 10.0), (24.6, 51.2), (50.0, 100.0)])
def test_reads_the_simulated_chip(temperature: float, humidity: float) -> None:
    clock = FakeClock()
    sensor = Aht20(SimulatedI2CBus({0x38: Chip(temperature, humidity, clock=clock)}))
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock)) == pytest.approx(
        {"temperature": temperature, "humidity": humidity}, abs=0.01
    )


def test_a_chip_that_lost_its_power_says_so_and_works_after_start() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x38: Chip(clock=clock)})
    sensor = Aht20(bus)
    finish(sensor.start(), clock)
    bus.chips[0x38] = Chip(20.0, 50.0, clock=clock)
    with pytest.raises(CorruptData, match="reset meanwhile"):
        finish(sensor.read(), clock)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock))["temperature"] == pytest.approx(20, abs=0.01)


def test_busy_without_end_is_no_answer() -> None:
    clock = FakeClock()
    sensor = Aht20(SimulatedI2CBus({0x38: Chip(clock=clock)}))
    finish(sensor.start(), clock)
    with pytest.raises(NoAnswer, match="busy"):
        finish(sensor.read())


def test_a_bus_that_fails_once() -> None:
    clock = FakeClock()
    bus = FailsOnce(SimulatedI2CBus({0x38: Chip(20.0, clock=clock)}), NoAnswer("once"))
    sensor = Aht20(bus)
    with pytest.raises(NoAnswer):
        finish(sensor.start(), clock)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock))["temperature"] == pytest.approx(20, abs=0.01)
