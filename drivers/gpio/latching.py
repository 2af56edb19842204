"""A latching (bistable) relay or valve with one coil that sets and one that resets it.

It keeps its state without power; wiring: hardware/latching.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from gpiozero import Factory

from drivers.base import Action, BusFault, Channel, Option, OptionError, Value
from drivers.gpio.pins import GPIO_MAX, Line
from drivers.words import switch


class Latching:
    """Each change is a pulse on one of two lines, never on both.

    The state is that of the contact where `sense_pin` reads it, else the one that it was last
    pulsed to; it is pulsed at the start, so that it is known.
    """

    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "state"),)

    def __init__(
        self,
        pins: Factory,
        *,
        on_pin: Annotated[
            int, Option("GPIO of the coil that sets", low=0, high=GPIO_MAX, example=23)
        ],
        off_pin: Annotated[
            int, Option("GPIO of the coil that resets", low=0, high=GPIO_MAX, example=24)
        ],
        active_high: Annotated[bool, Option("high level powers a coil")] = True,
        pulse: Annotated[float, Option("length of a pulse", "s", low=0.005, high=1)] = 0.1,
        sense_pin: Annotated[
            int | None,
            Option("GPIO that a spare contact pulls to GND when on", low=0, high=27, example=25),
        ] = None,
    ) -> None:
        if len({on_pin, off_pin, sense_pin}) < 3:
            raise OptionError("on_pin, off_pin and sense_pin must differ")
        self._pins = pins
        self._gpios = {True: on_pin, False: off_pin}
        self._sense_gpio = sense_pin
        self._active_high = active_high
        self._pulse = pulse
        self._lines: dict[bool, Line] = {}
        self._sense: Line | None = None
        self._on = False

    def parse(self, value: Value) -> bool:
        return switch(value)

    def start(self, value: Value | None) -> Generator[float, None, None]:
        self.close()
        if self._sense_gpio is not None:
            self._sense = Line(self._pins, self._sense_gpio)
            self._sense.input("up")
        for on, gpio in self._gpios.items():
            self._lines[on] = Line(self._pins, gpio)
            self._lines[on].output(not self._active_high)
        if value is not None:
            yield from self.set(value)

    def set(self, value: Value) -> Generator[float, None, None]:
        on = bool(value)
        if not self._lines:
            raise BusFault(f"GPIO{self._gpios[on]} is not claimed")
        line = self._lines[on]
        line.level = self._active_high
        try:
            yield self._pulse
        finally:  # also when the worker gives up half-way: a coil burns under steady power
            line.level = not self._active_high
        self._on = on

    def state(self) -> bool:
        return self._on if self._sense is None else not self._sense.level

    def close(self) -> None:
        for line in (*self._lines.values(), *([self._sense] if self._sense else [])):
            line.release()
        self._lines.clear()
        self._sense = None

    def safeguard(self, value: Value) -> Sequence[str]:
        gpio, other = self._gpios[bool(value)], self._gpios[not value]
        on, off = int(self._active_high), int(not self._active_high)
        return (
            f"gpio {other} {off}",
            f"gpio {gpio} {on}",
            f"wait {self._pulse:g}",
            f"gpio {gpio} {off}",
        )


DRIVER = Latching
