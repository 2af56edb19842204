"""What all decoders of byte streams share: the buffer, its cap, and finding the next telegram.

A protocol says what stands at the start of the buffer, and nothing else: a telegram, bytes that
are none, or that more bytes are needed. Everything a stream can do to it is handled here, once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from drivers.base import Corrupt, Reading, Telegram

NOISE = "bytes outside of any telegram"


@dataclass(frozen=True, slots=True)
class Found:
    """The first `length` bytes are a telegram whose checks passed."""

    length: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """The first `length` bytes are no telegram, or one that failed a check.

    complete: the end of the bad telegram is known, so it is reported at once; else the bytes that
        follow may belong to it too, and one report covers them all.
    """

    length: int
    reason: str = NOISE
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Quiet:
    """The first `length` bytes are right, and say nothing that is passed on by itself."""

    length: int


def noise(data: bytearray, at: int, start: bytes, final: bool) -> Skip | None:
    """What to do where telegrams begin with `start`, found at `at`, not at 0 (-1: nowhere).

    None: all that is there may be the beginning of a start.
    """
    if at > 0:
        return Skip(at)
    lengths = range(0 if final else len(start) - 1, 0, -1)
    begun = next((n for n in lengths if data.endswith(start[:n])), 0)
    return Skip(len(data) - begun) if len(data) > begun else None


class FrameDecoder(ABC):
    """A `Decoder` around one question: what stands at the start of the buffer?

    A failed start costs as few bytes as the protocol allows, since a good telegram may begin right
    behind it. Bytes that are no telegram are reported in one piece, from the first reason found to
    where the next telegram begins, or in pieces of the cap's length.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._buffer = bytearray()
        self._offset = 0
        self._bad_length = 0
        self._bad_reason = ""

    @abstractmethod
    def scan(self, data: bytearray, final: bool) -> Found | Skip | Quiet | None:
        """What the buffer, never empty, begins with. None: it takes more bytes to say.

        final: no more bytes will come.
        """

    @property
    def buffered(self) -> int:
        """Bytes held, waiting for more."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Telegram | Corrupt]:
        out: list[Telegram | Corrupt] = []
        # In pieces, so that the buffer is bounded however much comes at once.
        for start in range(0, len(data), self._cap):
            self._buffer += data[start : start + self._cap]
            self._drain(out, final=False)
        return out

    def close(self) -> list[Telegram | Corrupt]:
        out: list[Telegram | Corrupt] = []
        self._drain(out, final=True)
        self._report_bad(out)
        return out

    def _drain(self, out: list[Telegram | Corrupt], final: bool) -> None:
        while self._buffer:
            step = self.scan(self._buffer, final)
            if step is None:
                if final:
                    step = Skip(1, "truncated: the telegram has no end")
                elif len(self._buffer) > self._cap:
                    step = Skip(1, f"no end within {self._cap} bytes")
                else:
                    return
            self._take(step, out)

    def _take(self, step: Found | Skip | Quiet, out: list[Telegram | Corrupt]) -> None:
        if isinstance(step, Found):
            self._report_bad(out)
            out.append(Telegram(self._offset, step.readings))
        elif isinstance(step, Quiet):
            self._report_bad(out)
        else:
            if self._bad_reason == NOISE != step.reason:
                self._report_bad(out)
            if self._bad_length == 0:
                self._bad_reason = step.reason
            self._bad_length += step.length
        del self._buffer[: step.length]
        self._offset += step.length
        if isinstance(step, Skip) and (step.complete or self._bad_length > self._cap):
            self._report_bad(out)

    def _report_bad(self, out: list[Telegram | Corrupt]) -> None:
        if self._bad_length:
            start = self._offset - self._bad_length
            out.append(Corrupt(start, self._bad_length, self._bad_reason))
            self._bad_length = 0
