"""SHT3x: decode, the simulated chip, a corrupt word, and a bus that fails once."""

import pytest

from drivers.base import CorruptData, NoAnswer, Quality
from drivers.i2c.sht3x import Sht3x, decode
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.sht3x import Sht3x as Chip
from drivers.simulated.sht3x import word
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values


def test_decodes_the_ends_of_the_scale() -> None:
    assert values(decode(word(0) + word(0))) == {"temperature": -45, "humidity": 0}
    assert values(decode(word(65535) + word(65535))) == {"temperature": 130, "humidity": 100}
    assert [r.quality for r in decode(word(65535) + word(0))] == [Quality.UNCERTAIN] * 2


def test_a_wrong_checksum_is_corrupt() -> None:
    with pytest.raises(CorruptData, match="word 0"):
        decode(bytes.fromhex("beef93") + word(0))


@pytest.mark.parametrize(("temperature", "humidity"), [(-12.3, 5.0), (21.5, 48.0), (80.0, 99.0)])
def test_reads_the_simulated_chip(temperature: float, humidity: float) -> None:
    clock = FakeClock()
    sensor = Sht3x(SimulatedI2CBus({0x44: Chip(temperature, humidity, clock=clock)}))
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock)) == pytest.approx(
        {"temperature": temperature, "humidity": humidity}, abs=0.01
    )


def test_waits_as_long_as_the_chip_needs() -> None:
    clock = FakeClock()
    sensor = Sht3x(SimulatedI2CBus({0x44: Chip(clock=clock)}))
    finish(sensor.start(), clock)
    with pytest.raises(NoAnswer):
        finish(sensor.read())  # the clock stands still: the chip is not ready


def test_a_bus_that_fails_once() -> None:
    clock = FakeClock()
    bus = FailsOnce(SimulatedI2CBus({0x44: Chip(20.0, 50.0, clock=clock)}), NoAnswer("once"), 3)
    sensor = Sht3x(bus)
    finish(sensor.start(), clock)
    with pytest.raises(NoAnswer):
        finish(sensor.read(), clock)
    assert values(finish(sensor.read(), clock))["humidity"] == pytest.approx(50, abs=0.01)


def test_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x45, b"\x30\xa2"),
        Transfer(0x45, b"\xf3\x2d", word(0x8010)),
        Transfer(0x45, b"\x24\x00"),
        Transfer(0x45, b"", bytes.fromhex("beef92beef92")),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Sht3x(bus, address=0x45)
        finish(sensor.start())
        assert values(finish(sensor.read()))["humidity"] == pytest.approx(74.58, abs=0.01)
