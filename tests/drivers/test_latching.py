"""A latching relay on mock pins: pulses, never both coils, the contact that is read."""

from typing import Any

import pytest

from drivers.base import BusFault, OptionError
from drivers.gpio.latching import Latching
from drivers.gpio.pins import open_pins
from tests.fakes import finish


def levels(factory: Any) -> tuple[bool, bool]:
    return bool(factory.pin(23).state), bool(factory.pin(24).state)


def test_each_change_is_a_pulse_on_its_own_coil() -> None:
    factory = open_pins("mock")
    relay = Latching(factory, on_pin=23, off_pin=24)
    finish(relay.start(False))
    for wanted, coils in [(True, (True, False)), (False, (False, True))]:
        steps = relay.set(wanted)
        assert next(steps) == 0.1
        assert levels(factory) == coils
        finish(steps)
        assert levels(factory) == (False, False)
        assert relay.state() is wanted


def test_active_low_coils_are_never_powered_by_the_claim() -> None:
    factory = open_pins("mock")
    for gpio in (23, 24):
        factory.pin(gpio).input_with_pull("up")
        factory.pin(gpio).clear_states()
    finish(Latching(factory, on_pin=23, off_pin=24, active_high=False).start(None))
    assert [[s.state for s in factory.pin(gpio).states] for gpio in (23, 24)] == [[True], [True]]


def test_a_pulse_ends_even_when_it_is_abandoned() -> None:
    factory = open_pins("mock")
    relay = Latching(factory, on_pin=23, off_pin=24)
    finish(relay.start(None))
    steps = relay.set(True)
    next(steps)
    steps.close()
    assert levels(factory) == (False, False)
    assert relay.state() is False


def test_the_contact_says_what_is() -> None:
    factory = open_pins("mock")
    relay = Latching(factory, on_pin=23, off_pin=24, sense_pin=25)
    finish(relay.start(False))
    assert relay.state() is False
    factory.pin(25).drive_low()
    assert relay.state() is True
    relay.close()
    with pytest.raises(BusFault, match="not claimed"):
        finish(relay.set(True))


def test_parses_and_refuses() -> None:
    relay = Latching(open_pins("mock"), on_pin=23, off_pin=24)
    assert (relay.parse("ON"), relay.parse(0)) == (True, False)
    with pytest.raises(ValueError, match="on or off"):
        relay.parse("toggle")
    with pytest.raises(OptionError, match="differ"):
        Latching(open_pins("mock"), on_pin=23, off_pin=23)


def test_what_a_helper_does_after_a_crash() -> None:
    relay = Latching(open_pins("mock"), on_pin=23, off_pin=24, pulse=0.05)
    assert tuple(relay.safeguard(False)) == ("gpio 23 0", "gpio 24 1", "wait 0.05", "gpio 24 0")
