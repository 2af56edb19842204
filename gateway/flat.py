"""The readings of a sample as the journal has them: names and values, side by side. Pure.

A backlog is sent by columns, so most of what is read back never needs its readings one by one.
They are made for those who ask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import overload

from gateway.model import Reading, Value


class Flat(Sequence[Reading]):
    """Readings of good quality of which there is no more to say than channel and value."""

    __slots__ = ("channels", "values")

    def __init__(self, channels: tuple[str, ...], values: Sequence[Value | None]) -> None:
        """As many values as channels."""
        self.channels = channels
        self.values = values

    def __len__(self) -> int:
        return len(self.channels)

    def __iter__(self) -> Iterator[Reading]:
        return map(Reading, self.channels, self.values)

    @overload
    def __getitem__(self, index: int) -> Reading: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Reading]: ...

    def __getitem__(self, index: int | slice) -> Reading | Sequence[Reading]:
        return tuple(self)[index]

    def __eq__(self, other: object) -> bool:
        return tuple(self) == (tuple(other) if isinstance(other, Flat) else other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


@lru_cache(maxsize=256)
def known(channels: tuple[str, ...]) -> tuple[str, ...]:
    """The same tuple for the same channels, so that a backlog has each name once. ValueError."""
    if not all(type(channel) is str for channel in channels):
        raise ValueError(f"not names of channels: {channels}")
    return channels
