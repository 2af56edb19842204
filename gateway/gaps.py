"""The account of what does not arrive: gap records. Pure.

The rule that `tidegate audit` holds us to: every number that is missing at the far end lies in the
span of a gap record of its epoch. A span may hold numbers that did arrive; `count` says how many
did not, and after a crash a gap may be told twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.journal import Damage, Mark, Record
from gateway.model import Gap, GapReason, Key, Stamp

MAX_RUNS = 64
"""Runs without a mark that are told one by one: more is a state that was lost, not runs."""

LOST_RUNS = 8
"""Runs that are told where the journal knows of none: it was lost, or they died too early."""

MAX_GAPS = 32
"""Devices that are named one by one in the account of an eviction; above, one gap for all."""


@dataclass(frozen=True, slots=True)
class Previous:
    """The run before. Up to durable_seq everything was on disk or acknowledged, as far as is known.

    clean: it ended in order, and durable_seq is its last number. Otherwise a gap record says so.
    """

    epoch: int
    durable_seq: int
    clean: bool


def account(reason: GapReason, stamp: Stamp, gone: Sequence[Record]) -> list[Gap]:
    """The gap records for what goes: one a device and epoch, or one an epoch of too many."""
    many = len({record.device for record in gone}) > MAX_GAPS

    def party(record: Record) -> tuple[int, str]:
        return record.key.epoch, "" if many else record.device

    ordered = sorted(gone, key=lambda record: (party(record), record.key))
    return [
        _gap(reason, stamp, device, list(group))
        for (_, device), group in groupby(ordered, key=party)
    ]


def _gap(reason: GapReason, stamp: Stamp, device: str, gone: Sequence[Record]) -> Gap:
    walls = [record.wall for record in gone if record.wall]
    return Gap(
        reason=reason,
        stamp=stamp,
        epoch=gone[0].key.epoch,
        first_seq=gone[0].key.seq,
        last_seq=gone[-1].key.seq,
        count=len(gone),
        device=device,
        first_time=min(walls, default=0.0),
        last_time=max(walls, default=0.0),
    )


def unclean(mark: Mark | None, last: Key | None, before: int | None = None) -> dict[int, int]:
    """Runs that did not end in order: epoch -> up to which number it is all on disk or delivered.

    before: the epoch of the last run, where it is known. A run writes its mark after the gap record
    of the run before, so a run that died earlier is known from its records or its epoch only, and
    the one before is told again.
    """
    found: dict[int, int] = {}
    if mark is not None and not mark.clean:
        known = [key.seq for key in (last, mark.written) if key and key.epoch == mark.epoch]
        found[mark.epoch] = max(known, default=0)
    if last is not None and (mark is None or last.epoch > mark.epoch):
        found[last.epoch] = last.seq
    if before is not None:
        known = [k.epoch for k in (mark, last) if k is not None]
        first = max(known, default=max(0, before - LOST_RUNS)) + 1
        for epoch in range(first, before + 1)[-MAX_RUNS:]:
            found[epoch] = 0
    return found


def crash(stamp: Stamp, epoch: int, durable_seq: int) -> Gap:
    """Everything above durable_seq of that epoch that did not arrive is lost."""
    return Gap(GapReason.CRASH, stamp, epoch, durable_seq, None, 0)


def damage(stamp: Stamp, found: Damage) -> list[Gap]:
    """Records that cannot be read any more. A span over two epochs is told as two."""
    first, last = found.first, found.last
    if last is None or first.epoch == last.epoch:
        seq = None if last is None else last.seq
        return [Gap(GapReason.CORRUPT, stamp, first.epoch, first.seq, seq, found.count)]
    return [
        Gap(GapReason.CORRUPT, stamp, first.epoch, first.seq, None, found.count),
        *(Gap(GapReason.CORRUPT, stamp, e, 1, None, 0) for e in range(first.epoch + 1, last.epoch)),
        Gap(GapReason.CORRUPT, stamp, last.epoch, 1, last.seq, 0),
    ]


def widened(gap: Gap, gone: Sequence[Gap]) -> Gap:
    """One gap record for what followed it, too."""
    spans = (gap, *gone)
    times = [time for span in spans for time in (span.first_time, span.last_time) if time]
    devices = {span.device for span in spans}
    return Gap(
        reason=gap.reason,
        stamp=gap.stamp,
        epoch=gap.epoch,
        first_seq=min(span.first_seq for span in spans),
        last_seq=max(span.last_seq or 0 for span in spans),
        count=sum(span.count for span in spans),
        device=devices.pop() if len(devices) == 1 else "",
        first_time=min(times, default=0.0),
        last_time=max(times, default=0.0),
    )
