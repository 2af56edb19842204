"""A blind, awning or window whose motor has one relay for each direction.

Wiring and the interlock of the contacts: hardware/blind.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from time import monotonic
from typing import Annotated

from gpiozero import Factory

from drivers.base import Action, BusFault, Channel, Option, OptionError, Value
from drivers.gpio.pins import GPIO_MAX, Line
from drivers.words import number

STEP = 0.1  # seconds between two looks at a moving blind
OVERRUN = 0.1  # of the travel time: how much longer a run to an end lasts, so that it gets there
_WORDS = {"open": 100.0, "up": 100.0, "closed": 0.0, "close": 0.0, "down": 0.0}
STOP = ("stop", "off", "false")


class Blind:
    """A position from 0 (closed) to 100 % (open), by the time that the motor ran.

    Until it has been at an end the position is "unknown", and a first run to a place in between
    goes by way of the nearer end. Only one relay is on at a time, and none for `rest` between
    the directions. The next command cuts a movement short.
    """

    action = Action.SET
    off: Value = "stop"
    channels: Sequence[Channel] = (Channel("state", "position", digits=0),)

    def __init__(
        self,
        pins: Factory,
        *,
        up_pin: Annotated[
            int, Option("GPIO of the relay that opens", low=0, high=GPIO_MAX, example=5)
        ],
        down_pin: Annotated[
            int, Option("GPIO of the relay that closes", low=0, high=GPIO_MAX, example=6)
        ],
        travel_up: Annotated[float, Option("from closed to open", "s", low=1, high=600)],
        travel_down: Annotated[float, Option("from open to closed", "s", low=1, high=600)],
        rest: Annotated[
            float, Option("rest before the motor turns round", "s", low=0.1, high=10)
        ] = 0.5,
        active_high: Annotated[bool, Option("high level switches a relay on")] = True,
    ) -> None:
        if up_pin == down_pin:
            raise OptionError("up_pin and down_pin must differ")
        self._pins = pins
        self._gpios = {True: up_pin, False: down_pin}
        self._travel = {True: travel_up, False: travel_down}
        self._rest = rest
        self._active_high = active_high
        self._lines: dict[bool, Line] = {}
        self._position: float | None = None
        self._stopped = float("-inf")

    def parse(self, value: Value) -> float | str:
        text = str(value).strip().lower()
        position = _WORDS.get(text, number(value))
        if text in STOP:
            return "stop"
        if position is None or not 0.0 <= position <= 100.0:
            raise ValueError("open, closed, stop, or a position from 0 to 100")
        return position

    def start(self, value: Value | None) -> Generator[float, None, None]:
        self.close()
        for up, gpio in self._gpios.items():
            self._lines[up] = Line(self._pins, gpio)
            self._lines[up].output(not self._active_high)
        self._stopped = monotonic()
        if value is not None:
            yield from self.set(value)

    def set(self, value: Value) -> Generator[float, None, None]:
        if not self._lines:
            raise BusFault(f"GPIO{self._gpios[True]} is not claimed")
        target = self.parse(value)
        if isinstance(target, str):
            return
        if self._position is None and target not in (0.0, 100.0):
            yield from self._run(target >= 50.0, 100.0)
        here = self._position
        if target in (0.0, 100.0):
            up = target == 100.0
            share = 100.0 if here is None else abs(target - here)
            yield from self._run(up, share + 100.0 * OVERRUN)
        elif here is not None and abs(target - here) >= 1.0:
            yield from self._run(target > here, abs(target - here))

    def state(self) -> Value:
        return "unknown" if self._position is None else round(self._position)

    def close(self) -> None:
        for line in self._lines.values():
            line.release()
        self._lines.clear()

    def safeguard(self, value: Value) -> Sequence[str]:
        """It stops, whatever it is to be: nobody counts the time of a run."""
        return tuple(f"gpio {gpio} {int(not self._active_high)}" for gpio in self._gpios.values())

    def _run(self, up: bool, share: float) -> Generator[float, None, None]:
        """Runs for `share` (in %) of the whole way, and counts the way."""
        left = self._stopped + self._rest - monotonic()
        if left > 0:
            yield left
        line, seconds = self._lines[up], share / 100 * self._travel[up]
        began = monotonic()
        line.level = self._active_high
        try:
            while (left := began + seconds - monotonic()) > 0:
                yield min(STEP, left)
        finally:  # also when the next command cuts it short
            line.level = not self._active_high
            self._stopped = monotonic()
            self._arrive(up, (self._stopped - began) / self._travel[up] * 100)

    def _arrive(self, up: bool, way: float) -> None:
        """After the motor ran for `way` percent of the whole way."""
        if self._position is None:
            if way >= 99.0:
                self._position = 100.0 if up else 0.0
            return
        moved = self._position + way if up else self._position - way
        self._position = min(100.0, max(0.0, moved))


DRIVER = Blind
