"""A relay on a mock pin: levels, polarity, read-back, pulses, and what stays after close."""

from typing import Any

import pytest

from drivers.base import Action, BusFault
from drivers.gpio.pins import open_pins
from drivers.gpio.relay import Relay
from tests.fakes import finish


def states(pin: Any) -> list[bool]:
    return [bool(state.state) for state in pin.states]


@pytest.mark.parametrize("active_high", [True, False])
def test_switches_and_reads_back(active_high: bool) -> None:
    factory = open_pins("mock")
    relay = Relay(factory, pin=17, active_high=active_high)
    relay.start(False)
    pin = factory.pin(17)
    assert (pin.function, bool(pin.state)) == ("output", not active_high)
    finish(relay.set(True))
    assert relay.state() is True
    assert bool(pin.state) == active_high
    pin._change_state(not active_high)  # something else pulls the line
    assert relay.state() is False


def test_an_active_low_relay_never_sees_the_wrong_level() -> None:
    factory = open_pins("mock")
    pin = factory.pin(4)
    pin.input_with_pull("up")
    pin.clear_states()
    Relay(factory, pin=4, active_high=False).start(False)
    assert states(pin) == [True]


def test_start_without_a_value_leaves_the_level() -> None:
    factory = open_pins("mock")
    relay = Relay(factory, pin=17)
    relay.start(True)
    relay.start(None)
    assert relay.state() is True


def test_close_leaves_the_level_and_frees_the_line() -> None:
    factory = open_pins("mock")
    relay = Relay(factory, pin=17)
    relay.start(True)
    relay.close()
    assert (factory.pin(17).function, bool(factory.pin(17).state)) == ("output", True)
    Relay(factory, pin=17).start(None)


def test_a_line_belongs_to_one_driver() -> None:
    factory = open_pins("mock")
    first, second = Relay(factory, pin=17), Relay(factory, pin=17)
    first.start(False)
    with pytest.raises(BusFault, match="GPIO17"):
        second.start(False)
    with pytest.raises(BusFault, match="not claimed"):
        second.state()


def test_a_pulse_ends_even_when_it_is_abandoned() -> None:
    relay = Relay(open_pins("mock"), pin=17, pulse=0.5)
    assert relay.action is Action.PULSE
    relay.start(False)
    steps = relay.set(True)
    assert next(steps) == 0.5
    assert relay.state() is True
    steps.close()
    assert relay.state() is False


@pytest.mark.parametrize("value", [True, "on", "TRUE", 1, "1"])
def test_parses_on(value: Any) -> None:
    assert Relay(open_pins("mock"), pin=17).parse(value) is True


@pytest.mark.parametrize(("pulse", "value"), [(0.0, "toggle"), (0.0, 2), (0.5, "off")])
def test_refuses_what_is_no_state(pulse: float, value: Any) -> None:
    with pytest.raises(ValueError, match="on"):
        Relay(open_pins("mock"), pin=17, pulse=pulse).parse(value)


def test_what_a_helper_does_after_a_crash() -> None:
    low = Relay(open_pins("mock"), pin=17, active_high=False)
    assert [tuple(low.safeguard(on)) for on in (False, True)] == [("gpio 17 1",), ("gpio 17 0",)]
    door = Relay(open_pins("mock"), pin=17, pulse=0.5)
    assert tuple(door.safeguard(True)) == ("gpio 17 0",)


def test_the_stop_of_a_pulse_relay_takes_no_time() -> None:
    door = Relay(open_pins("mock"), pin=17, pulse=30.0)
    door.start(False)
    assert list(door.set(False)) == []
