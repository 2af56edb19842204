"""What voltages mean: ends of a range, broken loops, thermistors against their tables."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import OptionError, Quality
from drivers.scaling import Scaling, scaled


def test_a_divider_gives_back_ten_volts() -> None:
    ten = Scaling(signal="0-10V", divider=4.0, quantity="level", low=0.0, high=100.0)
    assert scaled("x", ten, 1.25).value == pytest.approx(50)
    assert scaled("x", Scaling(divider=2.0), -0.5).value == -1.0


@pytest.mark.parametrize(
    ("milliampere", "value", "quality"),
    [
        (4, -10, Quality.GOOD), (20, 40, Quality.GOOD), (12, 15, Quality.GOOD),
        (3.7, -10.9375, Quality.UNCERTAIN), (3.5, -11.5625, Quality.BAD), (0, -22.5, Quality.BAD),
        (20.8, 42.5, Quality.UNCERTAIN), (21.5, 44.6875, Quality.BAD),
    ],
)  # fmt: skip
def test_a_loop_says_when_it_is_broken(milliampere: float, value: float, quality: Quality) -> None:
    loop = Scaling(signal="4-20mA", shunt=150, quantity="temperature", low=-10.0, high=40.0)
    reading = scaled("x", loop, milliampere / 1000 * 150)
    assert reading.value == pytest.approx(value)
    assert reading.quality is quality


def test_a_loop_without_ends_is_a_current() -> None:
    assert Scaling(signal="4-20mA").channel("loop").quantity == "current"
    assert scaled("x", Scaling(signal="4-20mA", shunt=100), 1.2).value == pytest.approx(0.012)


@pytest.mark.parametrize(("celsius", "ohm"), [(-40, 336098), (0, 32650), (25, 10000), (85, 1067.6)])
@pytest.mark.parametrize("to", ["ground", "supply"])
def test_thermistor_by_steinhart_hart(celsius: float, ohm: float, to: str) -> None:
    """10 kΩ, B25/85 = 3977 K: a, b, c fitted to the table of Vishay NTCLE100E3103 (29049)."""
    abc = (0.001129148, 0.000234125, 0.0000000876741)
    share = ohm / (ohm + 10000)
    one = Scaling(
        signal="thermistor",
        thermistor_to="ground" if to == "ground" else "supply",
        steinhart_hart=abc,
    )
    volts = 3.3 * (share if to == "ground" else 1 - share)
    assert scaled("x", one, volts).value == pytest.approx(celsius, abs=0.5)


@pytest.mark.parametrize("volts", [0.0, 0.01, 3.3, 3.299, -0.2])
def test_a_broken_or_bridged_thermistor_is_bad(volts: float) -> None:
    reading = scaled("x", Scaling(signal="thermistor"), volts)
    assert (reading.value, reading.quality) == (None, Quality.BAD)


@given(st.floats(0.02, 3.28), st.floats(500, 200000), st.floats(2500, 5000))
def test_beta_is_monotonous_and_meets_r25(volts: float, r25: float, beta: float) -> None:
    one = Scaling(signal="thermistor", resistor=r25, r25=r25, beta=beta)
    assert scaled("x", one, 1.65).value == pytest.approx(25)
    low, high = scaled("x", one, volts).value, scaled("x", one, volts + 0.001).value
    assert isinstance(low, float) and isinstance(high, float) and high < low


@pytest.mark.parametrize(
    "wrong",
    [
        Scaling(quantity="colour"),
        Scaling(low=1.0),
        Scaling(low=0.0, high=1.0),
        Scaling(signal="4-20mA", quantity="pressure"),
        Scaling(signal="0-10V", low=0.0, high=1.0, from_low=2.0, from_high=2.0),
    ],
)
def test_options_that_contradict_each_other(wrong: Scaling) -> None:
    with pytest.raises(OptionError, match="input x"):
        wrong.channel("x")


@pytest.mark.parametrize("name", ["", "a b", "A", "1a", "a/b", "x" * 64])
def test_names_that_are_no_channel(name: str) -> None:
    with pytest.raises(OptionError, match="small letters"):
        Scaling().channel(name)
