"""A relay, contactor or any other load that one GPIO line switches.

Wiring, levels at power-up and what fails safe: hardware/relay.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from gpiozero import Factory

from drivers.base import Action, BusFault, Channel, Option, Value
from drivers.gpio.pins import GPIO_MAX, Line
from drivers.words import switch


class Relay:
    """Switches a GPIO line; the state is read back from the pin.

    A pulse relay (`pulse` > 0, for a door opener or a bistable relay) takes `on` alone, holds it
    for `pulse` seconds and lets go; its command is never repeated.
    """

    channels: Sequence[Channel] = (Channel("state", "state"),)

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        active_high: Annotated[
            bool, Option("high level switches on; false for boards that switch on with a low level")
        ] = True,
        pulse: Annotated[
            float, Option("press for so long instead of switching, 0: switch", "s", low=0, high=60)
        ] = 0.0,
    ) -> None:
        self.action = Action.PULSE if pulse else Action.SET
        self._pins = pins
        self._gpio = pin
        self._active_high = active_high
        self._pulse = pulse
        self._line: Line | None = None

    def parse(self, value: Value) -> bool:
        wanted = switch(value)
        if self.action is Action.PULSE and not wanted:
            raise ValueError("a pulse relay takes only on")
        return wanted

    def start(self, value: Value | None) -> None:
        """value None: the level found. A line that was no output floats to its pull meanwhile."""
        self.close()
        line = Line(self._pins, self._gpio)
        line.output(line.level if value is None else self._level(bool(value)))
        self._line = line

    def set(self, value: Value) -> Generator[float, None, None]:
        line = self._claimed()
        line.level = self._level(bool(value))
        if not self._pulse or not value:
            return
        try:
            yield self._pulse
        finally:  # also when the worker gives up half-way: a pulse must end
            line.level = self._level(False)

    def state(self) -> bool:
        return self._claimed().level == self._active_high

    def close(self) -> None:
        if self._line is not None:
            self._line.release()
            self._line = None

    def safeguard(self, value: Value) -> Sequence[str]:
        """A pulse is not given by one who does not know whether it was given."""
        return (f"gpio {self._gpio} {int(self._level(bool(value) and not self._pulse))}",)

    def _level(self, on: bool) -> bool:
        return on == self._active_high

    def _claimed(self) -> Line:
        if self._line is None:
            raise BusFault(f"GPIO{self._gpio} is not claimed")
        return self._line


DRIVER = Relay
