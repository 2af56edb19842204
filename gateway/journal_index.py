"""Where the records of a segment are, and the search for them. Pure."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from operator import attrgetter, ge

from gateway.journal_format import (
    DATA,
    RECORD,
    RECORD_MAGIC,
    TAIL,
    Heads,
    seed_of,
    verified,
    verified_heads,
)
from gateway.model import Key

BEGINNINGS = re.compile(re.escape(RECORD_MAGIC))

STRIDE = 256
"""Records that are looked at together: more take memory and save no time."""


@dataclass(slots=True)
class Index:
    """Where the records of a segment are, in order. `end` is behind the last."""

    offsets: array[int] = field(default_factory=lambda: array("I"))
    ordinals: array[int] = field(default_factory=lambda: array("H"))
    epochs: array[int] = field(default_factory=lambda: array("I"))
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    klasses: bytearray = field(default_factory=bytearray)
    walls: array[float] = field(default_factory=lambda: array("d"))
    end: int = DATA

    def __len__(self) -> int:
        return len(self.offsets)

    def add(
        self, at: int, stop: int, ordinal: int, klass: int, epoch: int, seq: int, wall: float
    ) -> None:
        self.offsets.append(at)
        self.ordinals.append(ordinal)
        self.epochs.append(epoch)
        self.seqs.append(seq)
        self.klasses.append(klass)
        self.walls.append(wall)
        self.end = stop

    def extend(self, ats: Sequence[int], heads: Heads) -> None:
        self.offsets.extend(ats)
        self.ordinals.extend(heads.ordinals)
        self.epochs.extend(heads.epochs)
        self.seqs.extend(heads.seqs)
        self.klasses.extend(heads.klasses)
        self.walls.extend(heads.walls)
        self.end = heads.stops[-1]

    def key(self, place: int) -> Key:
        return Key(self.epochs[place], self.seqs[place])

    def stop(self, place: int) -> int:
        """Where the record's bytes end, or a little later where the next one is damaged."""
        return self.offsets[place + 1] if place + 1 < len(self) else self.end

    def behind(self, key: Key) -> int:
        """The place of the first record with a greater key."""
        first = bisect_left(self.epochs, key.epoch)
        stop = bisect_right(self.epochs, key.epoch, first)
        return bisect_right(self.seqs, key.seq, first, stop)

    def ordinals_of(self, keys: Sequence[Key]) -> Iterator[tuple[int, int]]:
        """Where growing keys are, as far as they are here, as ranges: from, to before."""
        for epoch, group in groupby(keys, attrgetter("epoch")):
            for first, stop in spans([key.seq for key in group]):
                start, end = self.behind(Key(epoch, first - 1)), self.behind(Key(epoch, stop - 1))
                yield from spans(self.ordinals[start:end])

    def cut(self, length: int) -> None:
        """Only the first `length` records are left."""
        self.end = self.offsets[length] if length < len(self) else self.end
        for column in (self.offsets, self.ordinals, self.epochs, self.seqs, self.walls):
            del column[length:]
        del self.klasses[length:]


def scan(segment: bytes, generation: int) -> Index:
    """Every record that verifies. Behind damage it goes on at the next one that does."""
    data, seed = _records(segment), seed_of(generation)
    index = Index()
    found = [beginning.start() for beginning in BEGINNINGS.finditer(segment, DATA)]
    for first in range(0, len(found), STRIDE):
        ats = found[first : first + STRIDE]
        heads = verified_heads(data, ats, seed)
        if heads and all(map(ge, ats, (index.end, *heads.stops))):
            index.extend(ats, heads)
        else:
            _scan(data, ats, seed, index)
    return index


def _scan(data: memoryview, ats: Sequence[int], seed: int, index: Index) -> None:
    """Into the index, one by one: there is damage, or what an earlier use left."""
    for at in ats:
        if at >= index.end and (head := verified(data, at, seed)):
            _, _, length, named, klass, ordinal, _, epoch, seq, wall = head
            stop = at + RECORD.size + named + length
            index.add(at, stop, ordinal, klass, epoch, seq, wall)


def _records(segment: bytes) -> memoryview:
    return memoryview(segment)[:-TAIL]


def guess_generation(segment: bytes, candidates: Iterable[int]) -> int | None:
    """Of a segment without a header: the first candidate with which one of its records verifies."""
    data = _records(segment)
    places = [found.start() for found in islice(BEGINNINGS.finditer(segment, DATA), 64)]
    for generation in candidates:
        seed = seed_of(generation)
        if any(verified(data, at, seed) for at in places):
            return generation
    return None


def spans(numbers: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Growing numbers as ranges: from, to before. Nearly always they are one."""
    if numbers and numbers[-1] - numbers[0] == len(numbers) - 1:
        yield numbers[0], numbers[-1] + 1
    elif numbers:
        middle = len(numbers) // 2
        yield from spans(numbers[:middle])
        yield from spans(numbers[middle:])
