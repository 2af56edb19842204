"""A simulated chip that is sent commands and gives answers, as Sensirion's are."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.base import NoAnswer

Answer = Callable[[], bytes]


class Commanded:
    """`commands`: what is written -> (seconds until the answer is there, the answer).

    An unknown command is not acknowledged, nor is a read before the answer is there or after it
    was taken. clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.commands: dict[bytes, tuple[float, Answer]] = {}
        self.clock = clock
        self.answer: bytes | None = None
        self.ready = 0.0

    def write(self, data: bytes) -> None:
        if self.clock() < self.ready:
            raise NoAnswer("busy with the command before")
        if data not in self.commands:
            raise NoAnswer(f"unknown command {data.hex()}")
        seconds, answer = self.commands[data]
        self.answer = answer()
        self.ready = self.clock() + seconds

    def read(self, count: int) -> bytes:
        if not self.answer or self.clock() < self.ready:
            raise NoAnswer("nothing to read")
        answer, self.answer = self.answer, None
        return answer[:count].ljust(count, b"\xff")


def nothing() -> bytes:
    """The answer of a command that has none."""
    return b""
