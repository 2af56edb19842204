"""The link's counters, and what a day has cost."""

from __future__ import annotations

from dataclasses import dataclass

SEGMENT = 1448
HEADERS = 52
"""IPv4 and TCP with time stamps; a segment is answered by one that carries nothing else."""
DAY = 86400


@dataclass(slots=True)
class Counts:
    connects: int = 0
    drops: int = 0
    refused: int = 0
    returned: int = 0
    callback_errors: int = 0


class DayBytes:
    """Bytes of the UTC day on the network, with an estimate of the headers that TCP/IP adds."""

    def __init__(self) -> None:
        self._day = -1
        self.sent = 0
        self.received = 0

    def add(self, wall: float, sent: int, received: int, writes: int, reads: int) -> None:
        """Bytes, and in how many goes they were written and read."""
        day = int(wall // DAY)
        if day != self._day:
            self._day, self.sent, self.received = day, 0, 0
        there, back = segments(sent, writes), segments(received, reads)
        self.sent += sent + HEADERS * (there + back)
        self.received += received + HEADERS * (back + there)

    @property
    def total(self) -> int:
        return self.sent + self.received


def segments(size: int, goes: int) -> int:
    """How many carry so much, if each go begins one; each is answered by one that is empty."""
    return max(goes, -(-size // SEGMENT))
