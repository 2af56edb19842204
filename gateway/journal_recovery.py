"""Opening a ring: which segments are alive, in which order, and what of them is damaged.

Nothing is written here but new files, so a crash in the middle of it changes nothing: damage is
told by `Ring.damages`, and set aside or marked as dealt with only after its account is on disk.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.journal import Damage
from gateway.journal_cursor import Cursor
from gateway.journal_disk import Disk
from gateway.journal_doubles import doubles
from gateway.journal_files import slots_of
from gateway.journal_format import (
    DATA,
    RECORD,
    RECORD_MAGIC,
    SECTOR,
    TAIL,
    Header,
    unpack_header,
    unpack_seal,
)
from gateway.journal_fresh import is_filled
from gateway.journal_index import guess_generation
from gateway.journal_segment import Segment, name_of, read_all
from gateway.model import Key

NAMED = 4
"""So many files that cannot be read are named in one sentence."""


@dataclass(slots=True)
class Found:
    """What is on the disk. fresh: slots never used, not zeroed yet. wrecked: files with data that
    nothing could be made of. emptied: slots that only look fresh, for they were used: the file was
    lost, or reads as zeros. copies: wrecked ones that hold what another slot holds, to that slot.
    dead: free slots with remains of an eviction that was not completed. settled: free slots to the
    generation that is left there. replaced: segments of an eviction that was completed.
    """

    segments: list[Segment] = field(default_factory=list)
    free: list[int] = field(default_factory=list)
    fresh: set[int] = field(default_factory=set)
    dead: set[int] = field(default_factory=set)
    settled: dict[int, int] = field(default_factory=dict)
    replaced: list[Segment] = field(default_factory=list)
    wrecked: list[int] = field(default_factory=list)
    emptied: list[int] = field(default_factory=list)
    copies: dict[int, int] = field(default_factory=dict)
    generation: int = 0
    damages: list[Damage] = field(default_factory=list)


def recover(disk: Disk, cursor: Cursor, size: int) -> Found:
    """OSError, NewerFormat."""
    found = Found()
    headless: list[int] = []
    unused = bytes(size - TAIL - DATA)
    for slot in slots_of(disk):
        header = _header(disk, slot, size)
        if header is not None:
            found.segments.append(_open(disk, slot, header, size))
        elif is_filled(disk, slot, size):
            found.free.append(slot)
        elif read_all(disk, name_of(slot), size)[DATA:-TAIL] != unused:
            headless.append(slot)
        else:
            found.free.append(slot)
            found.fresh.add(slot)
    found.generation = max((s.generation for s in found.segments), default=0)
    for slot in headless:
        _adopt(disk, slot, size, found)
    _without_doubles(found, cursor)
    found.emptied = _emptied(found, cursor)
    for segment in found.segments:
        segment.bits = cursor.bits(segment.slot, segment.generation)
        segment.kept = segment.unsettled()
    _without_replaced(found)
    _settle(found)
    _without_copies(disk, found)
    _tails(disk, cursor, found)
    return found


def _emptied(found: Found, cursor: Cursor) -> list[int]:
    """Slots are used in turn: one that looks new below one that was used, was used. A copy may have
    been put where nothing was."""
    used = [segment.slot for segment in found.segments]
    used += [slot for slot in found.wrecked if slot not in found.copies]
    if used:
        return sorted(found.fresh.intersection(range(max(used))))
    mark = cursor.mark()
    return sorted(found.fresh) if mark is not None and mark.written is not None else []


def _header(disk: Disk, slot: int, size: int) -> Header | None:
    """The later of the two copies."""
    copies = []
    for at in (0, size - TAIL):
        try:
            copies.append(unpack_header(disk.read(name_of(slot), at, SECTOR)))
        except OSError:
            continue  # one bad block: the other copy is elsewhere
    return max((c for c in copies if c), key=lambda c: c.generation, default=None)


def _open(disk: Disk, slot: int, header: Header, size: int) -> Segment:
    segment = Segment(slot, header, size)
    try:
        seal = unpack_seal(disk.read(segment.name, size - SECTOR, SECTOR), header.generation)
    except OSError:
        seal = None  # a bad block: the scan tells the same
    if seal is not None:
        segment.trust(seal)
    else:
        segment.sealed = not _is_written_back(disk, segment)
        segment.know(segment.index(disk))
    return segment


def _is_written_back(disk: Disk, segment: Segment) -> bool:
    """What is read next is what the medium has. The page cache may have more: what a killed process
    had not synced, and what a sync of it failed to write, which the system calls clean."""
    try:
        disk.sync(segment.name)
        disk.drop_cache(segment.name)
    except OSError:
        return False  # never written again
    return True


def _adopt(disk: Disk, slot: int, size: int, found: Found) -> None:
    """Both headers are gone. The generation is found by trying those it may have been."""
    used = {segment.generation for segment in found.segments}
    highest = found.generation + 1
    candidates = [g for g in range(highest, max(0, highest - 4096), -1) if g not in used]
    generation = guess_generation(read_all(disk, name_of(slot), size), candidates)
    if generation is None:
        found.wrecked.append(slot)
        return
    found.segments.append(_open(disk, slot, Header(generation), size))
    found.generation = max(found.generation, generation)


def _without_doubles(found: Found, cursor: Cursor) -> None:
    for double, original in doubles(found.segments, cursor):
        found.segments.remove(double)
        found.wrecked.append(double.slot)
        found.copies[double.slot] = original.slot


def _without_replaced(found: Found) -> None:
    """Segments whose remains were written anew are free; if that was not completed, it is.

    The seal says that it was, for all that it tells of was on the medium before: what is not there
    was damaged since. Where the seal is damaged, nothing of the old ones is kept any more. Once one
    of these is used again there is no need to ask: what was not completed is used before them.
    """
    by_generation = {segment.generation: segment for segment in found.segments}
    merged = [segment for segment in found.segments if segment.header.replaces]
    for segment in sorted(merged, key=lambda s: s.generation):
        replaces = segment.header.replaces
        old = [by_generation[g] for g in replaces if g in by_generation]
        if len(old) < len(replaces) or segment.told or not any(one.kept for one in old):
            for replaced in old:
                _free(found, replaced)
            found.replaced += old
        else:
            _free(found, segment)
            found.dead.add(segment.slot)


def _free(found: Found, segment: Segment) -> None:
    if segment in found.segments:
        found.segments.remove(segment)
        found.free.append(segment.slot)
        found.settled[segment.slot] = segment.generation


def _settle(found: Found) -> None:
    """In order of key. A segment without anything that is kept is free, but for the newest."""
    for segment in [s for s in found.segments if s.last is None]:
        _free(found, segment)
    found.segments.sort(key=_place)
    for segment in found.segments:
        if segment.is_settled_beyond():
            segment.sealed = True  # a write to it had failed: it is not written to again
    for segment in found.segments[:-1]:
        if not segment.kept:
            _free(found, segment)
    if found.segments and found.segments[-1].sealed and not found.segments[-1].kept:
        _free(found, found.segments[-1])


def _place(segment: Segment) -> tuple[Key, int]:
    assert segment.first
    return segment.first, segment.generation


def _without_copies(disk: Disk, found: Found) -> None:
    """A write that failed was repeated elsewhere, and what eviction left was written anew: of two
    segments with the same keys the later one counts."""
    later: list[Segment] = []
    for segment in sorted(found.segments, key=lambda s: s.generation, reverse=True):
        cut = min((s.first for s in later if s.first and _overlap(segment, s)), default=None)
        if cut is not None:
            _cut(disk, segment, cut)
        if cut is not None and not segment.kept:
            _free(found, segment)
            found.replaced.append(segment)
        else:
            later.append(segment)


def _cut(disk: Disk, segment: Segment, cut: Key) -> None:
    """Records from this key on count as settled, also once those that replace them are gone."""
    segment.cut, segment.sealed = cut, True
    count = segment.count
    segment.know(segment.index(disk))
    segment.settle(segment.count, max(segment.count, count))
    segment.kept = segment.unsettled()


def _overlap(one: Segment, two: Segment) -> bool:
    assert one.first and one.last and two.first and two.last
    return one.first <= two.last and two.first <= one.last


def _tails(disk: Disk, cursor: Cursor, found: Found) -> None:
    """What the next segment, or the mark, says was there and is not; what a wreck may have held."""
    mark = cursor.mark()
    written = mark.written if mark else None
    normal = [segment for segment in found.segments if not segment.header.replaces]
    before: Segment | None = None
    for segment in (*normal, None):
        end = segment.header.previous if segment else written
        known = before.last if before else None
        if end is not None and (known is None or known < end):
            _tail(found, before, segment, end)
        before = segment
    if found.damages:
        return
    if normal and not normal[-1].sealed and _is_torn(disk, normal[-1]):
        text = f"journal: a write to {normal[-1].name} was not completed"
        found.damages.append(Damage(Key(0, 0), None, 0, text, torn=True))


def _tail(found: Found, before: Segment | None, after: Segment | None, end: Key) -> None:
    """Records up to `end` are not there. They may be settled and their segments free."""
    last = before.last if before else None
    first = Key(last.epoch, last.seq + 1) if last else Key(max(1, end.epoch - 1), 1)
    follows = before is not None and (after is None or after.generation == before.generation + 1)
    if before is not None and follows and not before.told:
        text = f"journal: the records of {before.name} behind {last} are gone"
        found.damages.append(Damage(first, end, 0, text))
        return
    unread = [slot for slot in found.wrecked if slot not in found.copies]
    if _misses_one(found, before, after):
        unread += [*found.emptied, *found.copies]
    if unread:
        names = ", ".join(_named(slot, found) for slot in unread[:NAMED])
        names += f" and {len(unread) - NAMED} more" if len(unread) > NAMED else ""
        text = f"journal: {names} cannot be read; records up to {end} may be gone"
        found.damages.append(Damage(first, end, 0, text))


def _named(slot: int, found: Found) -> str:
    original = found.copies.get(slot)
    return name_of(slot) + (f" (the same as {name_of(original)})" if original is not None else "")


def _misses_one(found: Found, before: Segment | None, after: Segment | None) -> bool:
    """Whether a segment was between these of which no file has anything any more. It may have been
    settled, and its file used again."""
    if after is None:
        return True
    known = {*(s.generation for s in found.segments), *found.settled.values()}
    known.update(g for segment in found.segments for g in segment.header.replaces)
    first = before.generation + 1 if before else after.generation - 1
    return not known.issuperset(range(max(1, first), after.generation))


def _is_torn(disk: Disk, segment: Segment) -> bool:
    """Whether a later record begins behind the end that does not verify. What is left from an
    earlier use has lower keys."""
    assert segment.last
    data = disk.read(segment.name, segment.end, RECORD.size)
    if len(data) < RECORD.size or data[:4] != RECORD_MAGIC:
        return False
    epoch, seq = RECORD.unpack(data)[7:9]
    return Key(epoch, seq) > segment.last
