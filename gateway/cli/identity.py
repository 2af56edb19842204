"""Numbers that were given twice, and how they show. Pure.

A card that was put back from an old image begins with epochs that its gateway had already, and two
gateways may have one id. What comes then looks like doubles and is dropped as such. It shows in

- health, which is never old, with an earlier epoch than an entry had;
- `about`: no two runs have one epoch, so its boot and start are those of the epoch;
- an entry that is another one than what came under its number: of another kind or device, or with
  another value. Times do not tell: they are corrected once the clock is right.

Remembered are the first entries of each run, since a run begins with them again, and the latest. So
nothing is told of what is right; numbers may be given twice without it only where nobody heard them
the first time, or where all of these entries have the same values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gateway.cli.messages import Fact, Notice, Numbered

FIRST = 50
LATEST = 1000
RUNS = 50
"""Runs of which the first entries are remembered."""
CHANGEABLE = {"epoch", "seq", "device", "time", "clock"}
SORTS: tuple[Any, ...] = (str, (int, float))
ANSWER = {"state", "result"}
"""A result that brings a state is two messages with one number."""


class Word(NamedTuple):
    kind: str
    device: str
    values: Mapping[str, Any]


class Identity:
    """Of one gateway."""

    def __init__(self) -> None:
        self._runs: dict[int, object] = {}
        self._first: dict[int, dict[int, Word]] = {}
        self._latest: dict[tuple[int, int], Word] = {}

    def contradicts(self, fact: Fact, newest: int) -> bool:
        """Whether it cannot be of the gateway that was heard before. Then it counts as the first
        word of another. newest: the highest epoch of an entry."""
        if isinstance(fact, Numbered):
            contradicted = not self._fits(fact)
        elif isinstance(fact, Notice) and isinstance(epoch := fact.fields.get("epoch"), int):
            earlier = fact.topic == "health" and epoch < newest
            contradicted = earlier or (fact.topic == "about" and not self._is_run(epoch, fact))
        else:
            return False
        if contradicted:
            for remembered in (self._runs, self._first, self._latest):
                remembered.clear()
            self.contradicts(fact, 0)
        return contradicted

    def _is_run(self, epoch: int, about: Notice) -> bool:
        run = about.fields.get("boot"), about.fields.get("started")
        _bound(self._runs, RUNS)
        return self._runs.setdefault(epoch, run) == run

    def _fits(self, entry: Numbered) -> bool:
        word = Word(entry.kind, entry.device, _values(entry.fields))
        if entry.seq <= FIRST:
            _bound(self._first, RUNS)
            known = self._first.setdefault(entry.epoch, {}).setdefault(entry.seq, word)
        else:
            _bound(self._latest, LATEST)
            known = self._latest.setdefault((entry.epoch, entry.seq), word)
        return known is word or not differ(known, word)


def _bound(remembered: dict[Any, Any], most: int) -> None:
    """What is there longest goes."""
    if len(remembered) > most:
        del remembered[next(iter(remembered))]


def _values(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says for ever."""
    return {
        name: value
        for name, value in fields.items()
        if name not in CHANGEABLE and not name.endswith("_quality")
    }


def differ(one: Word, other: Word) -> bool:
    """Whether these cannot be one entry."""
    if one.device != other.device:
        return True
    if one.kind != other.kind:
        return {one.kind, other.kind} != ANSWER
    both = one.values.keys() & other.values
    return any(_unlike(one.values[name], other.values[name]) for name in both)


def _unlike(one: object, other: object) -> bool:
    """Of one sort and not the same: the dialect plain writes texts bare, so that "21" comes as a
    number, and null for a value of bad quality."""
    return any(isinstance(one, s) and isinstance(other, s) and one != other for s in SORTS)
