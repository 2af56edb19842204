"""How many commands are taken: a bucket of tokens for each output. Pure."""

from __future__ import annotations

from dataclasses import dataclass

RATE = 5.0  # commands a second for one output, in the long run
BURST = 20.0  # commands for one output at once
QUIET = 1.0  # seconds between two answers to those that are too many; the rest is only counted


@dataclass(slots=True)
class _Bucket:
    filled: float
    tokens: float = BURST
    refused: int = 0
    answered: float = float("-inf")


class Gate:
    """A flood for one output neither disturbs the others nor fills the disk with refusals."""

    def __init__(self) -> None:
        self._buckets: dict[str, _Bucket] = {}

    def passes(self, output: str, now: float) -> bool:
        """Whether one more command for this output is taken. Counts it."""
        bucket = self._buckets.setdefault(output, _Bucket(now))
        bucket.tokens = min(BURST, bucket.tokens + (now - bucket.filled) * RATE)
        bucket.filled = now
        if bucket.tokens >= 1.0:
            bucket.tokens -= 1.0
            return True
        bucket.refused += 1
        return False

    def answer(self, output: str, now: float) -> str:
        """What to say of those that did not pass; "" if that was done a moment ago."""
        bucket = self._buckets[output]
        if now - bucket.answered < QUIET:
            return ""
        count, bucket.refused, bucket.answered = bucket.refused, 0, now
        return f"too many commands: {count} refused, {RATE:.0f} a second are taken"
