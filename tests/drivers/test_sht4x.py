"""SHT4x: decode and crop, the simulated chip, a corrupt word, and a bus that fails once."""

import pytest

from drivers.base import CorruptData, NoAnswer
from drivers.i2c.sht4x import Sht4x, decode
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.sht3x import word
from drivers.simulated.sht4x import Sht4x as Chip
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values


def test_humidity_is_cropped_to_what_can_be() -> None:
    assert values(decode(word(0) + word(0))) == {"temperature": -45, "humidity": 0}
    assert values(decode(word(65535) + word(65535))) == {"temperature": 130, "humidity": 100}
    assert values(decode(word(0) + word(32768)))["humidity"] == pytest.approx(56.5, abs=0.01)


def test_a_wrong_checksum_is_corrupt() -> None:
    with pytest.raises(CorruptData, match="word 1"):
        decode(word(0) + b"\xbe\xef\x00")


@pytest.mark.parametrize(("temperature", "humidity"), [(-30.0, 2.0), (22.2, 45.6)])
def test_reads_the_simulated_chip(temperature: float, humidity: float) -> None:
    clock = FakeClock()
    sensor = Sht4x(SimulatedI2CBus({0x44: Chip(temperature, humidity, clock=clock)}))
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock)) == pytest.approx(
        {"temperature": temperature, "humidity": humidity}, abs=0.01
    )


def test_a_bus_that_fails_once() -> None:
    clock = FakeClock()
    bus = FailsOnce(SimulatedI2CBus({0x44: Chip(20.0, 50.0, clock=clock)}), NoAnswer("once"), 5)
    sensor = Sht4x(bus)
    finish(sensor.start(), clock)
    with pytest.raises(NoAnswer):
        finish(sensor.read(), clock)
    assert values(finish(sensor.read(), clock))["humidity"] == pytest.approx(50, abs=0.01)


def test_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x46, b"\x94"),
        Transfer(0x46, b"\x89"),
        Transfer(0x46, b"", word(1) + word(2)),
        Transfer(0x46, b"\xfd"),
        Transfer(0x46, b"", bytes.fromhex("beef92beef92")),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Sht4x(bus, address=0x46)
        finish(sensor.start())
        assert values(finish(sensor.read()))["humidity"] == pytest.approx(87.23, abs=0.01)
