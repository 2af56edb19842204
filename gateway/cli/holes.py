"""Numbers that are missing from a run, and what explains them. Pure.

A run of a gateway numbers its entries 1, 2, 3 ... A consumer stores only what is missing, so that
an account of months takes no more memory than its holes.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

ENDLESS = 1 << 62
"""Last number and count of a claim that ends only with its run."""


class Fate(StrEnum):
    """What a number that came in turned out to be."""

    NEW = "new"
    DUPLICATE = "duplicate"
    EARLIER = "earlier"
    """Numbered before the account began: not judged."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Numbers first to last (inclusive) that have not come; since: when that was noticed."""

    first: int
    last: int
    since: float

    @property
    def size(self) -> int:
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Claim:
    """The gateway says that `count` of the numbers first to last will not come, and why.

    The span of a gap record may be wider than its count: thinning drops every second entry of one
    device, and the entries between arrive.
    """

    first: int
    last: int
    count: int
    reason: str


class Numbers:
    """The numbers of one run, as seen from `base` on."""

    def __init__(self, base: int) -> None:
        self.base = base
        self.end = base - 1
        """The highest number that is known to exist."""
        self.received = 0
        self._holes: list[Hole] = []
        self._excused: list[Hole] = []

    @property
    def holes(self) -> Sequence[Hole]:
        return self._holes

    @property
    def size(self) -> int:
        """How many numbers are known to exist and to be ours to judge."""
        return self.end - self.base + 1 - sum(hole.size for hole in self._excused)

    def add(self, number: int, now: float) -> Fate:
        """A number has come. now: seconds by a clock that never jumps."""
        if number < self.base:
            return Fate.EARLIER
        if number > self.end:
            self.expect(number - 1, now)
            self.end = number
        elif not _fill(self._holes, number) and not _fill(self._excused, number):
            return Fate.DUPLICATE
        self.received += 1
        return Fate.NEW

    def expect(self, last: int, now: float) -> None:
        """All numbers up to last exist: those that have not come are holes from now on."""
        if last > self.end:
            self._holes.append(Hole(self.end + 1, last, now))
            self.end = last

    def excuse(self, last: int, now: float) -> None:
        """What is missing up to last may have been sent before the account began: not judged."""
        self.expect(last, now)
        for hole in list(self._holes):
            if hole.first > last:
                break
            self._holes.remove(hole)
            self._excused.append(replace(hole, last=min(hole.last, last)))
            if hole.last > last:
                self._holes.insert(0, replace(hole, first=last + 1))


def _fill(holes: list[Hole], number: int) -> bool:
    """Takes a number that has come out of the holes, which are in order; whether it was in one."""
    index = bisect_right(holes, number, key=lambda hole: hole.first) - 1
    if index < 0 or holes[index].last < number:
        return False
    hole = holes[index]
    parts = (replace(hole, last=number - 1), replace(hole, first=number + 1))
    holes[index : index + 1] = [part for part in parts if part.size > 0]
    return True


@dataclass(slots=True)
class _Open:
    """A claim that the sweep is inside of."""

    claim: Claim
    left: int


def match(
    holes: Iterable[Hole], claims: Iterable[Claim]
) -> tuple[list[Hole], dict[str, int], list[Claim]]:
    """Gives the holes to the claims: what stays unexplained, how many by reason, what claims keep.

    The claim that ends first is used first, which explains as many holes as can be explained
    (Jackson's rule for unit jobs with release times and deadlines).
    """
    waiting = sorted(claims, key=lambda claim: claim.first)
    unexplained: list[Hole] = []
    reasons: dict[str, int] = {}
    opened: list[_Open] = []
    heap: list[tuple[int, int]] = []
    for hole in holes:
        position = hole.first
        while position <= hole.last:
            while len(opened) < len(waiting) and waiting[len(opened)].first <= position:
                claim = waiting[len(opened)]
                heapq.heappush(heap, (claim.last, len(opened)))
                opened.append(_Open(claim, claim.count))
            while heap and (heap[0][0] < position or not opened[heap[0][1]].left):
                heapq.heappop(heap)
            until = hole.last
            if len(opened) < len(waiting):
                until = min(until, waiting[len(opened)].first - 1)
            taken = until - position + 1
            if heap:
                current = opened[heap[0][1]]
                taken = min(taken, current.left, current.claim.last - position + 1)
                current.left -= taken
                reason = current.claim.reason
                reasons[reason] = reasons.get(reason, 0) + taken
            else:
                unexplained.append(Hole(position, position + taken - 1, hole.since))
            position += taken
    spare = [replace(one.claim, count=one.left) for one in opened if one.left]
    return unexplained, reasons, spare + waiting[len(opened) :]
