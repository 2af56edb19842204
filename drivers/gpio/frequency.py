"""The frequency of pulses at a GPIO line: fans, anemometers, turbine flow sensors.

Edges are stamped by the kernel, so a busy program does not spoil them; each one wakes it, which a
Pi does a thousand times a second. Wiring: hardware/frequency.md.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Annotated

from gpiozero import Factory

from drivers.base import BusFault, Channel, Option, Reading
from drivers.gpio.pins import GPIO_MAX, Line, Pull


class Edges:
    """Edges between two looks. No I/O; `at` is the edge's own stamp, `now` of any clock, in s."""

    def __init__(self) -> None:
        self._first: float | None = None
        self._last = 0.0
        self._count = 0
        self._looked: float | None = None

    def edge(self, at: float) -> None:
        if self._first is None:
            self._first = at
        else:
            self._count += 1
        self._last = at

    def frequency(self, now: float, silence: float) -> float:
        """Of the edges since the last look: whole periods between the first and the last of them.

        Without a period since then, 0 once it is `silence` s (or two looks) without one.
        """
        if self._first is not None and self._count and self._last > self._first:
            hertz = self._count / (self._last - self._first)
            self._first, self._count, self._looked = self._last, 0, now
            return hertz
        if self._looked is None or now - self._looked >= silence:
            self._first, self._count = None, 0
            return 0.0
        return 1 / max(silence, now - self._looked) if self._first is not None else 0.0


class Frequency:
    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        pulses_per_turn: Annotated[
            float, Option("also gives turns a minute; a PC's fan has 2; 0: not", low=0)
        ] = 0.0,
        metres_per_second: Annotated[
            float, Option("also gives a speed: m/s of one pulse a second; 0: not", low=0)
        ] = 0.0,
        silence: Annotated[float, Option("without a pulse for so long is 0 Hz", "s", low=0.1)] = (
            5.0
        ),
        pull: Annotated[Pull, Option("resistor in the Pi; up: the sensor pulls to ground")] = "up",
    ) -> None:
        self.channels: Sequence[Channel] = [Channel("frequency", "frequency")]
        if pulses_per_turn:
            self.channels.append(Channel("rotation_speed", "rotation_speed", digits=1))
        if metres_per_second:
            self.channels.append(Channel("speed", "speed"))
        self._pins = pins
        self._gpio = pin
        self._per_turn = pulses_per_turn
        self._metres = metres_per_second
        self._silence = silence
        self._pull: Pull = pull
        self._line: Line | None = None
        self._lock = threading.Lock()
        self._edges = Edges()

    def start(self) -> None:
        self.close()
        line = Line(self._pins, self._gpio)
        line.input(self._pull)
        line.watch("rising" if self._pull == "down" else "falling", 0.0, self._edge)
        self._line = line

    def read(self) -> Sequence[Reading]:
        if self._line is None:
            raise BusFault(f"GPIO{self._gpio} is not claimed")
        with self._lock:
            hertz = self._edges.frequency(time.monotonic(), self._silence)
        readings = [Reading("frequency", hertz)]
        if self._per_turn:
            readings.append(Reading("rotation_speed", hertz * 60 / self._per_turn))
        if self._metres:
            readings.append(Reading("speed", hertz * self._metres))
        return readings

    def close(self) -> None:
        if self._line is not None:
            self._line.release()
            self._line = None

    def _edge(self, ticks: float, level: bool) -> None:
        with self._lock:
            self._edges.edge(ticks)


DRIVER = Frequency
