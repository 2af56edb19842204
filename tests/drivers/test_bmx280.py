"""Compensation of BME280 and BMP280: Bosch's worked example, signs, and the other formulas."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import CorruptData, Quality
from drivers.i2c.bmx280 import Calibration, decode, parse_calibration
from drivers.simulated import bme280 as chips
from tests.fakes import values

CALIB00 = bytes.fromhex("706b436718fc7d8e43d6d00b270b8c00f9ff8c3cf8c6701700" + "4b")
CALIB26 = bytes.fromhex("6a010013ee031e")  # shared byte 0xee: H4 ends in e, H5 in e
DATA = bytes.fromhex("655ac07eed00")


def test_decodes_bosch_worked_example() -> None:
    temperature, pressure = decode(DATA, parse_calibration(CALIB00))
    assert temperature.value == pytest.approx(25.08, abs=0.005)  # BMP280 data sheet, 3.12
    assert pressure.value == pytest.approx(1006.5325, abs=0.001)


@pytest.mark.parametrize(
    ("h4_h5", "expected"),
    [("13ee03", (318, 62)), ("f0fffc", (-241, -49)), ("800080", (-2048, -2048))],
)
def test_h4_and_h5_are_signed_and_share_a_byte(h4_h5: str, expected: tuple[int, int]) -> None:
    calib26 = CALIB26[:3] + bytes.fromhex(h4_h5) + CALIB26[6:]
    assert parse_calibration(CALIB00, calib26).h[3:5] == expected


def test_blank_calibration_is_corrupt() -> None:
    with pytest.raises(CorruptData, match="all read 0xff"):
        parse_calibration(b"\xff" * 26)


def test_skipped_channels_are_bad() -> None:
    data = bytes.fromhex("800000800000800000"[:16])
    readings = decode(data, parse_calibration(CALIB00, CALIB26))
    assert [(r.value, r.quality) for r in readings] == [(None, Quality.BAD)] * 3


@given(
    h4=st.integers(-2048, 2047), h5=st.integers(-2048, 2047), t=st.floats(-20, 60),
    h=st.floats(0, 100),
)  # fmt: skip
def test_agrees_with_fixed_point(h4: int, h5: int, t: float, h: float) -> None:
    """Bosch's two sets of formulas differ by rounding; a wrong sign differs by far more."""
    dig_h = (75, 362, 0, h4, h5, 30)
    chip = chips.Bme280(t, 1000.0, h, dig_h=dig_h, clock=lambda: 0.0)
    calibration = parse_calibration(bytes(chip.memory[0x88:0xA2]), bytes(chip.memory[0xE1:0xE8]))
    assert calibration == Calibration(chips.DIG_T, chips.DIG_P, dig_h)
    chip.memory[0xF2], chip.memory[0xF4] = 1, 0x25
    chip._osrs_h = 1
    chip._latch()
    raw_h = int.from_bytes(chip.memory[0xFD:0xFF], "big")
    got = values(decode(bytes(chip.memory[0xF7:0xFF]), calibration))
    assert got["temperature"] == pytest.approx(t, abs=0.02)
    assert got["pressure"] == pytest.approx(1000.0, abs=0.02)
    if 0 < raw_h < 0xFFFF:  # else the wanted humidity is beyond what such a chip can say
        assert got["humidity"] == pytest.approx(h, abs=0.05)
