"""A clock that tests move by hand."""

from __future__ import annotations

from gateway.model import Stamp


class FakeClock:
    """monotonic and boot time are one here; wall begins at 2026-01-01."""

    def __init__(self, now: float = 1000.0, *, synchronised: bool = True) -> None:
        self.now = now
        self.offset = 1_767_225_600.0
        self.boot_id = "b0071d00"
        self.synchronised = synchronised

    def monotonic(self) -> float:
        return self.now

    def stamp(self) -> Stamp:
        return Stamp(self.now + self.offset, self.now, self.boot_id, self.synchronised)

    def advance(self, seconds: float) -> None:
        self.now += seconds
