"""Two files of a ring with one generation. No generation is used twice, so one of them was written
over, with a copy of the other: by hand, or by whoever put back a backup. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.journal_cursor import Cursor
from gateway.journal_segment import Segment


def doubles(segments: Iterable[Segment], cursor: Cursor) -> list[tuple[Segment, Segment]]:
    """The copies, each with its original: where the cursor knows that something was settled, else
    what has more in it, for a copy may be older."""
    best: dict[int, Segment] = {}
    copies = []
    for segment in segments:
        other = best.setdefault(segment.generation, segment)
        if _weight(segment, cursor) > _weight(other, cursor):
            best[segment.generation] = segment
            copies.append(other)
        elif other is not segment:
            copies.append(segment)
    return [(copy, best[copy.generation]) for copy in copies]


def _weight(segment: Segment, cursor: Cursor) -> tuple[bool, int]:
    return cursor.knows(segment.slot, segment.generation), segment.count
