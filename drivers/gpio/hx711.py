"""HX711: load cells, 24 bits (Avia Semiconductor HX711).

The chip's clock is a GPIO line that must not stay high for 60 µs, or the chip resets itself in the
middle of a value. A program cannot promise that, but it can tell: every high phase is timed from
before to after, and a value with one that may have been too long is thrown away and read again.
Wiring and config: hardware/hx711.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from typing import Annotated, Literal

from gpiozero import Factory

from drivers.base import (
    BusFault,
    Channel,
    CorruptData,
    NoAnswer,
    Option,
    OptionError,
    Quality,
    Reading,
)
from drivers.gpio.pins import GPIO_MAX, Line

BITS = 24
PULSES = {128: 1, 32: 2, 64: 3}
"""Clock pulses behind the bits, by the gain of the next value: 32 is channel B."""

HIGH_MAX_S = 50e-6
"""T3, maximum; from 60 µs on the chip powers down."""

READY_S, READY_POLL_S = 0.6, 0.02
"""A value comes after 100 ms (10 a second), and 400 ms after power-up."""
TRIES = 10

SATURATED = (-0x800000, 0x7FFFFF)


class Hx711:
    """One value a reading; the one before it only sets the gain."""

    channels: Sequence[Channel] = (
        Channel("mass", "mass"),
        Channel("raw", "count", digits=0),
    )

    def __init__(
        self,
        pins: Factory,
        *,
        clock_pin: Annotated[int, Option("GPIO of PD_SCK", low=0, high=GPIO_MAX, example=6)],
        data_pin: Annotated[int, Option("GPIO of DOUT", low=0, high=GPIO_MAX, example=5)],
        zero: Annotated[float, Option("raw value of the empty scale")] = 0.0,
        per_kg: Annotated[float, Option("raw difference of one kilogram, also negative")] = 1.0,
        gain: Annotated[Literal[128, 64, 32], Option("128 and 64: channel A, 32: B")] = 128,
    ) -> None:
        if not per_kg or clock_pin == data_pin:
            raise OptionError("per_kg must not be 0, and clock_pin and data_pin are two pins")
        self._pins = pins
        self._gpio = (clock_pin, data_pin)
        self._zero = zero
        self._per_kg = per_kg
        self._pulses = BITS + PULSES[gain]
        self._clock: Line | None = None
        self._data: Line | None = None

    def start(self) -> Generator[float, None, None]:
        """Claim the lines; the first value has the gain of before and is thrown away."""
        self.close()
        self._clock, self._data = (Line(self._pins, gpio) for gpio in self._gpio)
        self._clock.output(False)
        self._data.input("up")
        yield from self._value()

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        code = yield from self._value()
        return decode(code, self._zero, self._per_kg)

    def close(self) -> None:
        for line in (self._clock, self._data):
            if line is not None:
                line.release()
        self._clock = self._data = None

    def _value(self) -> Generator[float, None, int]:
        if self._clock is None or self._data is None:
            raise BusFault(f"GPIO{self._gpio[0]} is not claimed")
        for _ in range(TRIES):
            yield from self._ready(self._data)
            code = shift(self._clock, self._data, self._pulses, time.monotonic)
            if code is not None:
                return code
            yield READY_POLL_S
        raise CorruptData(f"{TRIES} values in a row were too slow to be sure of: a busy machine")

    def _ready(self, data: Line) -> Generator[float, None, None]:
        for _ in range(round(READY_S / READY_POLL_S)):
            if not data.level:
                return
            yield READY_POLL_S
        raise NoAnswer("DOUT stays high: wiring, or no supply?")


def shift(clock: Line, data: Line, pulses: int, now: Callable[[], float]) -> int | None:
    """The code; None if a high phase may have lasted for longer than HIGH_MAX_S.

    The time from before the rise to after the fall is never less than the phase itself.
    """
    code, sure = 0, True
    for pulse in range(pulses):
        begun = now()
        clock.level = True
        clock.level = False
        sure = sure and now() - begun <= HIGH_MAX_S
        if pulse < BITS:
            code = code << 1 | bool(data.level)
    return _signed(code) if sure else None


def _signed(code: int) -> int:
    return code - (1 << BITS) if code >> BITS - 1 else code


def decode(code: int, zero: float, per_kg: float) -> list[Reading]:
    """At the ends of the range the cell is overloaded or broken: no mass."""
    if code in SATURATED:
        return [Reading("mass", None, Quality.BAD), Reading("raw", code, Quality.BAD)]
    return [Reading("mass", (code - zero) / per_kg), Reading("raw", code)]


DRIVER = Hx711
