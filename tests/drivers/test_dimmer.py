"""A dimmer on a mock PWM pin: share, polarity, minimum, and what stays after close."""

from typing import Any

import pytest

from drivers.base import BusFault
from drivers.gpio.dimmer import Dimmer
from drivers.gpio.pins import open_pins


@pytest.mark.parametrize(("active_high", "duty"), [(True, 0.4), (False, 0.6)])
def test_dims_and_reads_back(active_high: bool, duty: float) -> None:
    factory = open_pins("mock")
    dimmer = Dimmer(factory, pin=18, frequency=500, active_high=active_high)
    dimmer.start(0.0)
    pin = factory.pin(18)
    assert (pin.frequency, pin.state) == (None, float(not active_high))
    dimmer.set(40.0)
    assert (pin.frequency, pin.state) == (500, duty)
    assert dimmer.state() == 40.0
    dimmer.set(100.0)
    assert (pin.frequency, pin.state, dimmer.state()) == (None, float(active_high), 100.0)


def test_a_lamp_that_is_on_at_low_never_flashes() -> None:
    factory = open_pins("mock")
    pin = factory.pin(4)
    pin.input_with_pull("up")
    pin.clear_states()
    dimmer = Dimmer(factory, pin=4, active_high=False)
    dimmer.start(0.0)
    dimmer.set(1.0)
    assert [state.state for state in pin.states] == [True, pytest.approx(0.99)]


def test_below_the_minimum_is_the_minimum_and_off_is_off() -> None:
    dimmer = Dimmer(open_pins("mock"), pin=18, minimum=12)
    dimmer.start(3.0)
    assert dimmer.state() == 12.0
    dimmer.set(0.0)
    assert dimmer.state() == 0.0


@pytest.mark.parametrize(("level", "after"), [(100.0, 1.0), (40.0, 0.0), (0.0, 0.0)])
def test_close_leaves_a_steady_level(level: float, after: float) -> None:
    """Nothing switches the line when the process has ended."""
    factory = open_pins("mock")
    dimmer = Dimmer(factory, pin=18)
    dimmer.start(level)
    dimmer.close()
    assert (factory.pin(18).frequency, factory.pin(18).state) == (None, after)
    with pytest.raises(BusFault, match="not claimed"):
        dimmer.state()


def test_a_start_without_a_value_goes_on() -> None:
    dimmer = Dimmer(open_pins("mock"), pin=18)
    dimmer.start(30.0)
    dimmer.start(None)
    assert dimmer.state() == 30.0


@pytest.mark.parametrize(
    ("value", "level"), [("on", 100), (True, 100), (False, 0), ("35 %", 35), (12.5, 12.5), (0, 0)]
)
def test_parses(value: Any, level: float) -> None:
    assert Dimmer(open_pins("mock"), pin=18).parse(value) == level


@pytest.mark.parametrize("value", [-1, 100.1, "bright", "nan", ""])
def test_refuses(value: Any) -> None:
    with pytest.raises(ValueError, match="from 0 to 100"):
        Dimmer(open_pins("mock"), pin=18).parse(value)


def test_what_a_helper_does_after_a_crash() -> None:
    dimmer = Dimmer(open_pins("mock"), pin=18, active_high=False)
    assert [tuple(dimmer.safeguard(v)) for v in (0.0, 50.0, 100.0)] == [
        ("gpio 18 1",),
        ("gpio 18 1",),
        ("gpio 18 0",),
    ]
