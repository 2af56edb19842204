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

    def add(self, wall: float, sent: int, received: int) -> None:
        day = int(wall // DAY)
        if day != self._day:
            self._day, self.sent, self.received = day, 0, 0
        self.sent += with_headers(sent) + acknowledgements(received)
        self.received += with_headers(received) + acknowledgements(sent)

    @property
    def total(self) -> int:
        return self.sent + self.received


def with_headers(size: int) -> int:
    """Bytes on the wire of so much written at once."""
    return size + HEADERS * segments(size)


def acknowledgements(size: int) -> int:
    return HEADERS * segments(size)


def segments(size: int) -> int:
    return -(-size // SEGMENT)
