"""A servo on a mock PWM pin: pulse lengths, and rest."""

from typing import Any

import pytest

from drivers.base import OptionError
from drivers.gpio.pins import open_pins
from drivers.gpio.servo import Servo
from tests.fakes import FakeClock, finish


@pytest.mark.parametrize(
    ("position", "pulse_us"), [(0.0, 1000), (50.0, 1500), (100.0, 2000), (25.0, 1250)]
)
def test_turns_for_its_travel_time_and_rests(position: float, pulse_us: float) -> None:
    factory = open_pins("mock")
    servo, clock = Servo(factory, pin=18, travel=0.8), FakeClock()
    finish(servo.start(None), clock)
    pin = factory.pin(18)
    assert (pin.function, pin.frequency, pin.state) == ("output", None, 0.0)
    steps = servo.set(position)
    assert next(steps) == 0.8
    assert pin.frequency == 50
    assert pin.state / 50 * 1e6 == pytest.approx(pulse_us)
    finish(steps, clock)
    assert (pin.frequency, pin.state) == (None, 0.0)
    assert servo.state() == position


def test_it_may_hold_and_turn_the_other_way() -> None:
    factory = open_pins("mock")
    servo = Servo(factory, pin=18, closed_us=2000, open_us=1000, hold=True)
    finish(servo.start(100.0))
    assert factory.pin(18).state / 50 * 1e6 == pytest.approx(1000)
    servo.close()
    assert (factory.pin(18).frequency, factory.pin(18).state) == (None, 0.0)


def test_no_pulse_before_the_first_position() -> None:
    """So it does not twitch at start."""
    factory = open_pins("mock")
    finish(Servo(factory, pin=18).start(None))
    assert factory.pin(18).frequency is None


@pytest.mark.parametrize(
    ("value", "position"), [("open", 100), ("closed", 0), (False, 0), ("40%", 40), (7, 7)]
)
def test_parses(value: Any, position: float) -> None:
    assert Servo(open_pins("mock"), pin=18).parse(value) == position


@pytest.mark.parametrize("value", ["half", 101, "-1"])
def test_refuses(value: Any) -> None:
    with pytest.raises(ValueError, match="closed or open"):
        Servo(open_pins("mock"), pin=18).parse(value)


def test_the_ends_must_differ_and_the_helper_ends_the_pulses() -> None:
    with pytest.raises(OptionError, match="differ"):
        Servo(open_pins("mock"), pin=18, closed_us=1500, open_us=1500)
    assert tuple(Servo(open_pins("mock"), pin=18).safeguard(100.0)) == ("gpio 18 0",)
