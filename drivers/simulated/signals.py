"""Physical values for simulated chips: constant, or slowly changing and the same at every run."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from pathlib import Path

Signal = Callable[[], float] | float
"""A value, or a function that gives the present one."""


def present(signal: Signal) -> float:
    return signal() if callable(signal) else signal


def warmed(signal: Signal, file: Path) -> Callable[[], float]:
    """The signal and the number in the file, which may change; 0 while there is none."""

    def value() -> float:
        try:
            return present(signal) + float(file.read_text("ascii"))
        except (OSError, ValueError):
            return present(signal)

    return value


def wander(
    centre: float, swing: float, seed: int, clock: Callable[[], float] = time.monotonic
) -> Callable[[], float]:
    """A value that drifts around centre by at most swing: three sines of 1, 7 and 40 minutes.

    seed chooses their phases; the value depends on nothing but seed and clock.
    """
    phases = random.Random(seed)
    waves = [(share, period, phases.uniform(0, math.tau)) for share, period in _WAVES]

    def value() -> float:
        now = clock()
        return centre + swing * sum(
            share * math.sin(math.tau * now / period + phase) for share, period, phase in waves
        )

    return value


_WAVES = ((0.2, 60.0), (0.3, 420.0), (0.5, 2400.0))
"""Share of the swing, and period in seconds."""
