"""SGP40: commands with arguments, a raw signal (Sensirion SGP40, version 1.2)."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.base import NoAnswer
from drivers.simulated.sht3x import word
from drivers.simulated.signals import Signal, present, wander


class Sgp40:
    """The raw signal (ticks) may be set at any time; `climate` is what was last allowed for."""

    def __init__(
        self, raw: Signal | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.raw = wander(30000.0, 800.0, 56, clock) if raw is None else raw
        self.self_test = 0xD400
        self.climate = b""
        self._clock = clock
        self._ready = 0.0
        self._answer: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._clock() < self._ready:
            raise NoAnswer("busy with the command before")
        code = data[:2].hex()
        if code == "3682":
            self._begin(0.0005, word(0) + word(0x0123) + word(0x4567))
        elif code == "202f":
            self._begin(0.001, word(0x3220))  # the feature set: an SGP40
        elif code == "280e":
            self._begin(0.32, word(self.self_test))
        elif code == "260f" and len(data) == 8:
            self.climate = data[2:]
            self._begin(0.03, word(present(self.raw)))
        else:
            raise NoAnswer(f"unknown command {data.hex()}")

    def read(self, count: int) -> bytes:
        if self._answer is None or self._clock() < self._ready:
            raise NoAnswer("nothing to read")
        answer, self._answer = self._answer, None
        return answer[:count]

    def _begin(self, seconds: float, answer: bytes) -> None:
        self._ready = self._clock() + seconds
        self._answer = answer


CHIP = Sgp40
