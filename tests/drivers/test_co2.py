"""SCD4x and SCD30: worked examples, the simulated chips, settings, what a lost supply does."""

import pytest

from drivers.base import BusFault, CorruptData, NoAnswer, Quality
from drivers.i2c import scd4x, scd30
from drivers.i2c.crc8 import command, words
from drivers.i2c.scd4x import Scd4x
from drivers.i2c.scd30 import Scd30
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.scd4x import Scd4x as Chip4x
from drivers.simulated.scd30 import Scd30 as Chip30
from tests.fakes import (
    FailsOnce,
    FakeClock,
    ScriptedI2C,
    Transfer,
    finish,
    started_and_read,
    values,
)


def test_scd4x_worked_example() -> None:
    """Section 3.6.2: 500 ppm, 25 °C, 37 %."""
    got = scd4x.decode(words(bytes.fromhex("01f433 6667a2 5eb93c")))
    assert values(got) == {
        "co2": 500,
        "temperature": pytest.approx(25, abs=0.01),
        "humidity": pytest.approx(37, abs=0.01),
    }


def test_scd30_worked_example() -> None:
    """Section 1.4.5: 439.09 ppm, 27.24 °C, 48.81 %."""
    data = bytes.fromhex("43dbcb 8c2e8f 41d970 e7fff5 42436f 3a1b84".replace("6f", "bf", 1))
    raw = bytes.fromhex("43db8c2e41d9e7ff42433a1b")
    got = scd30.decode([int.from_bytes(raw[i : i + 2], "big") for i in range(0, 12, 2)])
    assert values(got) == {
        "co2": pytest.approx(439.09, abs=0.01),
        "temperature": pytest.approx(27.2383, abs=1e-3),
        "humidity": pytest.approx(48.8068, abs=1e-3),
    }
    with pytest.raises(CorruptData, match="checksum"):
        words(data)


def test_commands_with_arguments() -> None:
    """SCD4x 3.7.1: an offset of 5.4 °C is 0x07E6, with the checksum 0x48."""
    assert command(0x241D, 0x07E6) == bytes.fromhex("241d07e648")


def test_values_that_mean_nothing() -> None:
    assert scd4x.decode([0, 0x6667, 0x5EB9])[0].quality is Quality.BAD
    assert scd4x.decode([9000, 0x6667, 0x5EB9])[0].quality is Quality.UNCERTAIN
    assert scd30.decode([0, 0, 0x41D9, 0xE7FF, 0x4243, 0x3A1B])[0].value is None
    with pytest.raises(CorruptData, match="cannot be"):
        scd30.decode([0x43DB, 0x8C2E, 0x7FC0, 0, 0x4243, 0x3A1B])  # NaN


@pytest.mark.parametrize("temperature", [-8.0, 24.0])
def test_scd4x_reads_the_simulated_chip(temperature: float) -> None:
    clock = FakeClock()
    chip = Chip4x(612.0, temperature, 40.0, clock=clock)
    sensor = Scd4x(SimulatedI2CBus({0x62: chip}), altitude=520, pressure=954, temperature_offset=2)
    finish(sensor.start(), clock)
    assert chip.settings == {0x241D: 749, 0x2427: 520, 0x2416: 1, 0xE000: 954}
    for _ in range(2):
        got = values(finish(sensor.read(), clock))
        assert got == pytest.approx(
            {"co2": 612, "temperature": temperature, "humidity": 40}, abs=0.01
        )
    finish(sensor.start(), clock)  # while it measures
    assert values(finish(sensor.read(), clock))["co2"] == 612


def test_scd4x_that_lost_its_power_measures_after_start() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x62: Chip4x(clock=clock)})
    sensor = Scd4x(bus)
    finish(sensor.start(), clock)
    bus.chips[0x62] = Chip4x(700.0, clock=clock)
    with pytest.raises(NoAnswer, match="no measurement in 6 s"):
        finish(sensor.read(), clock)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock))["co2"] == 700


def test_scd30_reads_and_writes_its_flash_once() -> None:
    clock = FakeClock()
    chip = Chip30(1234.0, -3.5, 81.0, clock=clock)
    sensor = Scd30(SimulatedI2CBus({0x61: chip}), every=10, altitude=520)
    finish(sensor.start(), clock)
    finish(sensor.start(), clock)
    assert chip.writes == 2
    assert values(finish(sensor.read(), clock)) == pytest.approx(
        {"co2": 1234, "temperature": -3.5, "humidity": 81}, abs=0.01
    )


def test_scd4x_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x62, b"\xe4\xb8"),
        Transfer(0x62, b"", bytes.fromhex("8000a2")),
        Transfer(0x62, b"\xe4\xb8"),
        Transfer(0x62, b"", bytes.fromhex("800604")),
        Transfer(0x62, b"\xec\x05"),
        Transfer(0x62, b"", bytes.fromhex("01f4336667a25eb93c")),
    ]
    with ScriptedI2C(*script) as bus:
        assert values(finish(Scd4x(bus).read()))["co2"] == 500


@pytest.mark.parametrize("nth", [1, 2, 9])
def test_a_bus_that_fails_once(nth: int) -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x62: Chip4x(700.0, clock=clock)})
    sensor = Scd4x(FailsOnce(bus, BusFault("once"), nth))
    with pytest.raises(BusFault):
        finish(started_and_read(sensor), clock)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock))["co2"] == 700
