"""What goes when the journal is full. Pure: chunks and records in, a choice out.

The order: chunks that shrank are merged (nothing is lost by that); what expired goes; old telemetry
is thinned, of each device every second sample or a few more, later again, and once more; then the
oldest telemetry goes; and only when nothing but results, alarms, counters and gaps is left, the
oldest of those. Thinning stays in the older half of the journal, and a chunk is thinned again
before a younger one is thinned at all, so that what is recent keeps its resolution longest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.journal import Chunk, Record
from gateway.model import GapReason, Key, Klass, Recorded, Sample

MAX_LEVEL = 3
"""Thinned three times, one sample in eight is left: beyond that a curve says little."""

FILL = 0.9
"""How full a merged chunk may be planned: sizes are estimates until the records are read."""

SHARES = (1 / 2, 2 / 5, 1 / 3, 1 / 4, 1 / 8, 0.0)
"""Of the samples, so many stay: the first that makes the rest fit."""


@dataclass(frozen=True, slots=True)
class Step:
    """One eviction: of these neighbouring chunks some records go, the rest becomes one chunk.

    reason None is a merge. until: telemetry up to this key goes, where the oldest goes.
    """

    reason: GapReason | None
    chunks: tuple[Chunk, ...]
    level: int
    until: Key | None = None
    dear: bool = False
    """Not even what is dear is spared."""


def plan(chunks: Sequence[Chunk], expired_before: float) -> Step | None:
    """The next step for a crowded journal, None when there is nothing that could go.

    expired_before: wall seconds; telemetry from before has expired. 0.0: nothing expires.
    """
    return (
        _merge(chunks)
        or _expire(chunks, expired_before)
        or _thin(chunks[: (len(chunks) + 1) // 2])
        or _oldest(chunks)
        or _dearest(chunks)
    )


def _pairs(
    chunks: Sequence[Chunk],
    left: Callable[[Chunk], float],
    right: Callable[[Chunk], float],
) -> Iterable[tuple[Chunk, Chunk]]:
    """Neighbours of which what is left fits into one chunk."""
    for one, two in pairwise(chunks):
        if left(one) + right(two) <= FILL * one.capacity:
            yield one, two


def _all(chunk: Chunk) -> float:
    return chunk.bytes


def _dear(chunk: Chunk) -> float:
    return chunk.dear


def _thinned(chunk: Chunk) -> float:
    """Two full chunks are to become one, with room for ends and extremes: so a third is planned,
    and more stays where it fits."""
    return chunk.dear + (chunk.bytes - chunk.dear) / 3


def _merge(chunks: Sequence[Chunk]) -> Step | None:
    for one, two in _pairs(chunks, _all, _all):
        return Step(None, (one, two), max(one.level, two.level))
    return None


def _expire(chunks: Sequence[Chunk], before: float) -> Step | None:
    """Two chunks with nothing but what is dear are one by now, if they fit: so where a pair is
    chosen, there is telemetry that goes."""
    old = [chunk for chunk in chunks if 0.0 < chunk.newest < before]
    for chunk in old:
        if not chunk.dear:
            return Step(GapReason.EXPIRED, (chunk,), chunk.level)
    for one, two in _pairs(chunks, _dear, _all):
        if one in old:
            return Step(GapReason.EXPIRED, (one, two), max(one.level, two.level))
    for one, two in _pairs(chunks, _dear, _dear):
        if one in old and two in old:
            return Step(GapReason.EXPIRED, (one, two), max(one.level, two.level))
    return None


def _thin(chunks: Sequence[Chunk]) -> Step | None:
    for one, two in _pairs(chunks, _thinned, _thinned):
        if one.level == two.level < MAX_LEVEL:
            return Step(GapReason.THINNED, (one, two), one.level + 1)
    return None


def _oldest(chunks: Sequence[Chunk]) -> Step | None:
    """Of a pair that fits, one has telemetry that goes, as with what expired."""
    with_telemetry = [chunk for chunk in chunks if chunk.bytes > chunk.dear]
    for chunk in with_telemetry[:1]:
        if not chunk.dear:
            return Step(GapReason.OLDEST, (chunk,), 0, until=chunk.last)
    for one, two in _pairs(chunks, _dear, _all):
        return Step(GapReason.OLDEST, (one, two), two.level, until=one.last)
    for one, two in _pairs(chunks, _dear, _dear):
        return Step(GapReason.OLDEST, (one, two), 0, until=two.last)
    for chunk in with_telemetry:
        if not chunk.dear:
            return Step(GapReason.OLDEST, (chunk,), 0, until=chunk.last)
    return None


def _dearest(chunks: Sequence[Chunk]) -> Step | None:
    if not chunks:
        return None
    return Step(GapReason.OLDEST, (chunks[0],), 0, until=chunks[0].last, dear=True)


def choose(
    step: Step,
    records: Sequence[Record],
    expired_before: float,
    decode: Callable[[bytes], Recorded],
) -> list[Record]:
    """Which of the records of the step's chunks go, in order."""
    match step.reason:
        case GapReason.EXPIRED:
            return [r for r in records if is_expired(r, expired_before)]
        case GapReason.THINNED:
            return _thin_records(step, records, decode)
        case GapReason.OLDEST if step.until is not None:
            until = step.until
            return [r for r in records if r.key <= until and (step.dear or _is_cheap(r))]
        case _:
            return []


def is_expired(record: Record, before: float) -> bool:
    """Telemetry with a trustworthy time before that."""
    return _is_cheap(record) and 0.0 < record.wall < before


def _is_cheap(record: Record) -> bool:
    return record.klass == Klass.TELEMETRY


def _thin_records(
    step: Step, records: Sequence[Record], decode: Callable[[bytes], Recorded]
) -> list[Record]:
    """Every second one, or more until the rest fits, as where many devices have few samples each
    or the chunks were full."""
    by_device: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        if _is_cheap(record):
            by_device[record.device].append(record)
    marks = {device: _extremes(series, decode) for device, series in by_device.items()}
    for share in SHARES:
        going = {
            record.key
            for device, series in by_device.items()
            for place, record in enumerate(series[1:-1], 1)
            if not _stays(place, share) and record.key not in marks[device]
        }
        if _fits(step, records, going):
            return [record for record in records if record.key in going]
    return [record for record in records if _is_cheap(record)]


def _stays(place: int, share: float) -> bool:
    """Evenly spread: of a long series, this share."""
    return int(place * share + 1e-9) > int((place - 1) * share + 1e-9)


def _fits(step: Step, records: Sequence[Record], going: set[Key]) -> bool:
    """Measured as the chunks were: their bytes, by the share of payload that stays."""
    total = sum(len(r.payload) for r in records)
    stays = sum(len(r.payload) for r in records if r.key not in going)
    size = sum(chunk.bytes for chunk in step.chunks)
    return size * stays <= FILL * step.chunks[0].capacity * total


def _extremes(series: Sequence[Record], decode: Callable[[bytes], Recorded]) -> set[Key]:
    """The samples that hold the lowest or the highest value of one of their channels."""
    low: dict[str, tuple[float, Key]] = {}
    high: dict[str, tuple[float, Key]] = {}
    for record in series:
        sample = decode(record.payload)
        for reading in sample.readings if isinstance(sample, Sample) else ():
            if isinstance(reading.value, int | float):
                point = float(reading.value), record.key
                name = reading.channel
                low[name] = min(low.get(name, point), point)
                high[name] = max(high.get(name, point), point, key=lambda p: p[0])
    return {key for _, key in (*low.values(), *high.values())}
