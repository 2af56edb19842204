"""BME680: compensation of negative parameters, the simulated chip, heater, chips told apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault, CorruptData, NoAnswer, Quality, WrongDevice
from drivers.i2c import bme68x
from drivers.i2c.bme280 import Bme280
from drivers.i2c.bme680 import Bme680
from drivers.simulated import bme280 as chip280
from drivers.simulated import bme680 as chips
from drivers.simulated.bus import SimulatedI2CBus
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values

COEFF1, COEFF2, COEFF3 = chips.calibration().values()
COEFFS = (COEFF1, COEFF2, COEFF3)


@pytest.mark.parametrize("climate", [(-18.0, 987.65, 33.0), (24.0, 1013.25, 81.5)])
def test_reads_the_simulated_chip(climate: tuple[float, float, float]) -> None:
    clock = FakeClock()
    sensor = Bme680(SimulatedI2CBus({0x76: chips.Bme680(*climate, clock=clock)}), oversampling=4)
    finish(sensor.start(), clock)
    got = values(finish(sensor.read(), clock))
    assert got["temperature"] == pytest.approx(climate[0], abs=0.02)
    assert got["pressure"] == pytest.approx(climate[1], abs=0.1)
    assert got["humidity"] == pytest.approx(climate[2], abs=0.1)


def test_calibration_keeps_its_signs() -> None:
    parsed = bme68x.parse_calibration(*COEFFS)
    assert (parsed.t, parsed.p, parsed.h, parsed.g) == (chips.T, chips.P, chips.H, chips.G)
    third = bytearray(COEFFS[2])
    third[4] = 0xE0
    assert bme68x.parse_calibration(COEFF1, COEFF2, bytes(third)).range_switching_error == -2
    with pytest.raises(CorruptData, match="0xff"):
        bme68x.parse_calibration(b"\xff" * 25, b"\xff" * 16, b"\xff" * 5)


def test_gas_by_the_data_sheets_table() -> None:
    """Bosch's table of ranges: at code 512 range n is 8 MΩ / 2^n, less its error in per cent."""
    assert bme68x.gas_ohm(512, 0, 0) == pytest.approx(8e6)
    assert bme68x.gas_ohm(512, 5, 0) == pytest.approx(8e6 / 32 / 1.007)
    assert bme68x.gas_ohm_high(512, 3) == pytest.approx(1e6 * 32768 / 4096)


def test_wait_codes_are_at_most_the_wish() -> None:
    assert [bme68x.wait_code(ms) for ms in (10, 63, 64, 150, 4032, 5000)] == [
        10, 63, 0x50, 0x65, 0xFF, 0xFF,
    ]  # fmt: skip


@given(st.integers(200, 400), st.floats(-40, 85))
def test_a_hotter_target_is_a_higher_code(celsius: int, ambient: float) -> None:
    parsed = bme68x.parse_calibration(*COEFFS)
    low, high = (bme68x.heater_code(t, ambient, parsed) for t in (celsius, celsius + 10))
    assert 0 < low < high < 255


def test_gas_is_doubtful_until_the_plate_is_hot_and_left_out_without_heater() -> None:
    clock = FakeClock()
    chip = chips.Bme680(20.0, 1000.0, 50.0, clock=clock)
    chip.stable = False
    bus = SimulatedI2CBus({0x76: chip})
    sensor = Bme680(bus)
    finish(sensor.start(), clock)
    assert finish(sensor.read(), clock)[3].quality is Quality.UNCERTAIN
    cold = Bme680(bus, heater=0)
    finish(cold.start(), clock)
    assert "gas_resistance" not in values(finish(cold.read(), clock))


def test_each_names_the_other() -> None:
    clock = FakeClock()
    with pytest.raises(WrongDevice, match='driver = "bme280"'):
        finish(Bme680(SimulatedI2CBus({0x76: chip280.Bme280(clock=clock)})).start(), clock)
    with pytest.raises(WrongDevice, match='driver = "bme680"'):
        finish(Bme280(SimulatedI2CBus({0x76: chips.Bme680(clock=clock)})).start(), clock)


def test_speaks_these_bytes_and_no_others() -> None:
    field = bytes([0x80, 0]) + bytes.fromhex("800000800000800000000000000000")
    script = [
        Transfer(0x76, b"\xd0", b"\x61"),
        Transfer(0x76, b"\xe0\xb6"),
        Transfer(0x76, b"\xf0", b"\x00"),
        Transfer(0x76, b"\x89", COEFFS[0]),
        Transfer(0x76, b"\xe1", COEFFS[1]),
        Transfer(0x76, b"\x00", COEFFS[2]),
        Transfer(0x76, b"\x72\x02"),
        Transfer(0x76, b"\x70\x08"),
        Transfer(0x76, b"\x71\x00"),
        Transfer(0x76, b"\x74\x49"),
        Transfer(0x76, b"\x1d", bytes(17)),
        Transfer(0x76, b"\x1d", field),
        Transfer(0x76, b"\x72", b"\x02"),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Bme680(bus, heater=0)
        finish(sensor.start())
        assert set(values(finish(sensor.read())).values()) == {None}


def test_stuck_reset_and_failing() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x76: chips.Bme680(clock=clock)})
    sensor = Bme680(FailsOnce(bus, BusFault("once"), nth=8))
    finish(sensor.start(), clock)
    with pytest.raises(BusFault):
        finish(sensor.read(), clock)
    with pytest.raises(NoAnswer, match="no measurement"):
        finish(sensor.read())
    steps = sensor.read()
    clock.now += next(steps)
    bus.chips[0x76].write(b"\xe0\xb6")
    with pytest.raises((CorruptData, NoAnswer)):
        finish(steps, clock)
