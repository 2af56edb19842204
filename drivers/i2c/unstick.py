"""An I2C bus whose SDA a chip holds low is clocked until the chip lets go (UM10204, 3.1.16).

That happens when the master was reset in the middle of a read: the chip waits for clocks to give
the rest of its byte. Nine are enough. A chip that holds SCL can be freed by its power alone.
"""

from __future__ import annotations

from typing import Protocol

PULSES = 9


class Lines(Protocol):
    """Two lines that are driven low or let go, never driven high: others may hold them."""

    def low(self, gpio: int) -> None: ...

    def release(self, gpio: int) -> None: ...

    def level(self, gpio: int) -> bool: ...


def diagnosis(lines: Lines, sda: int, scl: int) -> str:
    """What is held low, "" for an idle bus. Looks only."""
    held = [name for name, gpio in (("SDA", sda), ("SCL", scl)) if not lines.level(gpio)]
    return " and ".join(held)


def unstick(lines: Lines, sda: int, scl: int) -> int:
    """Clocks until SDA is free, then a stop. Gives the pulses that it took, -1 if SDA stays low.

    The lines must be inputs or outputs by now, and get their function back afterwards.
    """
    lines.release(sda)
    lines.release(scl)
    for pulse in range(PULSES + 1):
        if lines.level(sda):
            _stop(lines, sda, scl)
            return pulse
        if pulse < PULSES:
            lines.low(scl)
            lines.release(scl)
    return -1


def _stop(lines: Lines, sda: int, scl: int) -> None:
    """SDA rises while SCL is high: every chip forgets what was going on."""
    lines.low(scl)
    lines.low(sda)
    lines.release(scl)
    lines.release(sda)
