"""An I2CBus that looks at its own lines when a transfer fails, and clocks itself free.

A chip that holds SDA stops every chip of its bus (UM10204, 3.1.16). What that looks like differs
from controller to controller: time-outs, silence, or zeros from every address, because a low SDA
reads as an acknowledge. So after any of these the lines themselves are looked at, through two GPIOs
that are wired to them beside the controller's. Wiring and config: hardware/i2c-stuck.md.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

from drivers.base import BusFault, DriverError, I2CBus, NoAnswer
from drivers.i2c.unstick import PULSES, Lines, diagnosis, unstick

HELD_S = 0.035
"""A line that is low for longer is held: T_TIMEOUT,MAX of the SMBus specification 3.1. Chips that
are not of SMBus may stretch SCL for longer, which is no matter of ours: pulses are for SDA."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 10.0, 300.0
CALM_S = 3600.0
"""After so long without a try the pauses begin anew."""


class Attempts:
    """When the bus may be clocked again: the pauses double. Pure; now is in seconds."""

    def __init__(self) -> None:
        self._last = -math.inf
        self._pause = 0.0

    def wait(self, now: float) -> float:
        """Seconds until the next try is allowed, 0.0 if it is."""
        return max(0.0, self._last + self._pause - now)

    def made(self, now: float) -> None:
        calm = now - self._last >= CALM_S
        longer = min(self._pause * 2, LONGEST_PAUSE_S)
        self._pause = FIRST_PAUSE_S if calm else max(FIRST_PAUSE_S, longer)
        self._last = now


class RecoveringI2C:
    """An I2CBus around another one. Called by the thread of the bus, like that.

    open_lines: claims the two GPIOs, at the first trouble.
    report: told in words when the bus is found held, and what came of the pulses.
    """

    def __init__(
        self,
        bus: I2CBus,
        open_lines: Callable[[], Lines],
        sda: int,
        scl: int,
        *,
        report: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._bus = bus
        self._open_lines = open_lines
        self._lines: Lines | None = None
        self._sda, self._scl = sda, scl
        self._report = report
        self._clock, self._sleep = clock, sleep
        self._attempts = Attempts()
        self._said = ""
        self._blind = False
        self.held = ""
        self._counts = {"i2c_stuck": 0, "i2c_freed": 0}

    @property
    def counts(self) -> Mapping[str, int]:
        return self._counts

    def read(self, address: int, count: int) -> bytes:
        return self._watched(lambda: self._bus.read(address, count))

    def write(self, address: int, data: bytes) -> None:
        self._watched(lambda: self._bus.write(address, data))

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        return self._watched(lambda: self._bus.write_read(address, data, count))

    def _watched(self, transfer: Callable[[], bytes | None]) -> bytes:
        try:
            data = transfer() or b""
        except (BusFault, NoAnswer) as error:
            trouble = self._trouble()
            if trouble:
                raise BusFault(trouble) from error
            raise
        # Zeros may be the truth, so the lines have to tell; anything else came from a free bus.
        if any(data):
            self.held = self._said = ""
        elif data or self.held:
            trouble = self._trouble()
            if trouble:
                raise BusFault(trouble)
        return data

    def _trouble(self) -> str:
        """What is wrong with the lines, in words; "" where nothing is."""
        try:
            trouble = self._looked()
        except DriverError as error:
            if not self._blind:
                self._report(f"cannot look at SDA and SCL: {error}")
            self._blind = True
            return ""
        self._blind = False
        return trouble

    def _looked(self) -> str:
        if self._lines is None:
            self._lines = self._open_lines()
        held = diagnosis(self._lines, self._sda, self._scl)
        if held:
            self._sleep(HELD_S)
            held = diagnosis(self._lines, self._sda, self._scl)
        if held and not self.held:
            self._counts["i2c_stuck"] += 1
        self.held = held
        if not held:
            self._said = ""
            return ""
        if "SCL" in held:
            return self._say(f"{held} is held low; only the chips' power frees it")
        wait = self._attempts.wait(self._clock())
        if wait:
            return self._say(f"SDA is held low; clock pulses again in {math.ceil(wait)} s")
        return self._clocked(self._lines)

    def _clocked(self, lines: Lines) -> str:
        self._attempts.made(self._clock())
        pulses = unstick(lines, self._sda, self._scl)
        if pulses < 0:
            return self._say(f"SDA is held low, and {PULSES} clock pulses did not free it")
        self._counts["i2c_freed"] += 1
        self.held = self._said = ""
        trouble = f"SDA was held low; free after {pulses} clock pulses"
        self._report(trouble)
        return trouble

    def _say(self, trouble: str) -> str:
        """Once each time that the bus gets into trouble."""
        if not self._said:
            self._report(trouble)
        self._said = trouble
        return trouble

    def close(self) -> None:
        close = getattr(self._bus, "close", None)
        if close is not None:
            close()
