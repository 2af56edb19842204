"""A servo that turns a valve or a flap to a position.

Wiring and the supply that it needs: hardware/servo.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from gpiozero import Factory

from drivers.base import Action, Channel, Option, OptionError, Value
from drivers.gpio.pins import GPIO_MAX
from drivers.gpio.pwm import PwmLine
from drivers.words import percent

FREQUENCY = 50.0
"""Pulses a second that every hobby servo takes, analogue ones too."""


class Servo:
    """A position from 0 (closed) to 100 % (open).

    A servo answers nothing: the state is the position that it was sent to. Before the first one it
    gets no pulse, and stands where it stood.
    """

    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "position", digits=1),)

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        closed_us: Annotated[
            int, Option("length of the pulse for closed, in µs", low=400, high=2600)
        ] = 1000,
        open_us: Annotated[
            int, Option("length of the pulse for open, in µs", low=400, high=2600)
        ] = 2000,
        travel: Annotated[
            float, Option("time from one end to the other", "s", low=0.1, high=3)
        ] = 1.0,
        hold: Annotated[
            bool, Option("pulses go on at rest: holds against a force, but hums and jitters")
        ] = False,
    ) -> None:
        if closed_us == open_us:
            raise OptionError("closed_us and open_us must differ")
        self._line = PwmLine(pins, pin, FREQUENCY)
        self._gpio = pin
        self._closed_us, self._open_us = closed_us, open_us
        self._travel = travel
        self._hold = hold
        self._position = 0.0

    def parse(self, value: Value) -> float:
        return percent(value, "closed", "open")

    def start(self, value: Value | None) -> Generator[float, None, None]:
        self._line.claim(0.0)
        if value is not None:
            yield from self.set(value)

    def set(self, value: Value) -> Generator[float, None, None]:
        self._position = self.parse(value)
        pulse_us = self._closed_us + self._position / 100 * (self._open_us - self._closed_us)
        self._line.share = pulse_us * 1e-6 * FREQUENCY
        yield self._travel
        if not self._hold:
            self._line.share = 0.0

    def state(self) -> float:
        return self._position

    def close(self) -> None:
        self._line.close()

    def safeguard(self, value: Value) -> Sequence[str]:
        """Without pulses it stands where it is."""
        return (f"gpio {self._gpio} 0",)


DRIVER = Servo
