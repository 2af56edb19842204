"""A pin controller that is not there is no reason not to start."""

from __future__ import annotations

import pytest

from drivers.base import BusMissing
from drivers.gpio.pins import LaterPins
from drivers.gpio.relay import Relay


def test_a_missing_controller_is_told_at_the_claim_and_tried_again() -> None:
    relay = Relay(LaterPins("/dev/nothing"), pin=17)
    for _ in range(2):
        with pytest.raises(BusMissing, match="no pin controller"):
            relay.start(False)


def test_a_controller_that_is_there_serves_all_its_lines() -> None:
    pins = LaterPins("mock")
    first, second = Relay(pins, pin=17), Relay(pins, pin=27)
    first.start(True)
    second.start(False)
    assert (first.state(), second.state()) == (True, False)
