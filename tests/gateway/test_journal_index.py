"""What is done with many records at once is what would be done with each: also where bytes of them
are damaged, and where an earlier use of the segment left some."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.columns import rows
from gateway.journal import Record
from gateway.journal_cursor import BYTES
from gateway.journal_format import (
    DATA,
    TAIL,
    Header,
    pack_record,
    seed_of,
    unpack_record,
    unpack_records,
)
from gateway.journal_index import BEGINNINGS, Index, _records, _scan, scan, spans
from gateway.journal_segment import Segment
from gateway.model import Key, Klass

GENERATION = 7
COUNT = 300
"""More than are looked at together."""

payloads = st.binary(max_size=6) | st.just(b"\xd7TGr") | st.just(b"x" * 300)
devices = st.sampled_from(["", "boiler", "é", "\udcff"])
damages = st.lists(st.tuples(st.integers(0, 2**16), st.integers(1, 255)), max_size=3)
steps = st.lists(st.sampled_from([1, 1, 1, 1, 2, 5]), min_size=1, max_size=COUNT)
steps |= st.just([1] * COUNT)


def packed(
    payload: list[bytes], device: list[str], increments: list[int], generation: int
) -> bytes:
    seed, key, parts = seed_of(generation), Key(1, 1), []
    for ordinal, increment in enumerate(increments):
        key = Key(2, 1) if ordinal == 200 else Key(key.epoch, key.seq + increment)
        klass = Klass.ALARM if increment == 5 else Klass.TELEMETRY
        body = payload[ordinal % len(payload)]
        record = Record(key, klass, float(ordinal), device[ordinal % len(device)], body)
        parts.append(pack_record(record, seed, ordinal, DATA))
    return b"".join(parts)


@st.composite
def segments(draw: st.DrawFn) -> bytes:
    """Records of this use, over those of an earlier one; some bytes are not as written."""
    several = st.lists(payloads, min_size=1, max_size=4), st.lists(devices, min_size=1, max_size=3)
    made = draw(several[0]), draw(several[1]), draw(steps)
    content = packed(*made, GENERATION)
    earlier = packed(*made, GENERATION - 1) if draw(st.booleans()) else b""
    data = bytearray(content + earlier[len(content) // 2 :] + b"\0" * 40)
    for place, flip in draw(damages):
        data[place % len(data)] ^= flip
    return bytes(DATA) + bytes(data) + bytes(TAIL)


def places(segment: bytes) -> list[int]:
    return [found.start() for found in BEGINNINGS.finditer(segment, DATA)]


def slowly(segment: bytes) -> Index:
    index = Index()
    _scan(_records(segment), places(segment), seed_of(GENERATION), index)
    return index


@given(segments())
def test_a_scan_in_strides_finds_what_one_record_at_a_time_finds(segment: bytes) -> None:
    assert scan(segment, GENERATION) == slowly(segment)


@given(segments(), st.integers(0, 50))
def test_records_are_unpacked_together_as_one_by_one(segment: bytes, cut: int) -> None:
    data, seed = segment[: len(segment) - TAIL - cut], seed_of(GENERATION)
    ats = [at for at in slowly(segment).offsets if at < len(data)] or places(segment)
    one_by_one = [unpack_record(data, at, seed) for at in ats]
    assert list(unpack_records(data, ats, seed)) == one_by_one


def test_all_of_a_sound_segment_are_unpacked_with_their_types() -> None:
    data = packed([b"one", b""], ["boiler", "é"], [1] * COUNT, GENERATION)
    segment = bytes(DATA) + data + bytes(TAIL)
    index = scan(segment, GENERATION)
    found = unpack_records(segment, index.offsets, seed_of(GENERATION))
    assert len(index) == len(found) == COUNT
    assert {type(record) for record in found} == {Record}
    assert {type(record.key) for record in found if record} == {Key}
    assert found[1] == Record(Key(1, 3), Klass.TELEMETRY, 1.0, "é", b"")


numbers = st.sets(st.integers(0, 60)).map(sorted)


@given(numbers)
def test_spans_are_the_numbers_and_no_others(growing: list[int]) -> None:
    found = [number for span in spans(growing) for number in range(*span)]
    assert found == growing
    assert all(first < stop for first, stop in spans(growing))


@given(steps, st.sets(st.tuples(st.integers(1, 2), st.integers(0, 400))))
def test_where_keys_are_is_where_each_of_them_is(increments: list[int], asked: set[Key]) -> None:
    data = packed([b""], [""], increments, GENERATION)
    index = scan(bytes(DATA) + data + bytes(TAIL), GENERATION)
    keys = sorted(Key(*key) for key in asked)
    found = [ordinal for span in index.ordinals_of(keys) for ordinal in range(*span)]
    there = [index.key(place) for place in range(len(index))]
    assert found == [place for place, key in enumerate(there) if key in asked]


ranges = st.lists(st.tuples(st.integers(0, 8 * BYTES + 40), st.integers(0, 40)), max_size=6)


@given(ranges)
def test_a_range_of_ordinals_is_settled_as_each_of_them(
    given_ranges: list[tuple[int, int]],
) -> None:
    segment = Segment(0, Header(GENERATION), 1 << 20)
    settled: set[int] = set()
    for first, length in given_ranges:
        ordinals = set(range(first, first + length))
        segment.dirty.clear()
        assert segment.settle(first, first + length) == len(ordinals - settled)
        assert segment.dirty >= {ordinal // 8 // BYTES for ordinal in ordinals - settled}
        assert not segment.dirty or ordinals - settled
        settled |= ordinals
    assert {n for n in range(8 * BYTES + 100) if segment.is_settled(n)} == settled


@given(
    steps,
    ranges,
    st.none() | st.integers(0, 400),
    st.sampled_from([Klass.TELEMETRY, Klass.ALARM]),
    st.integers(1, 350),
)
def test_what_is_wanted_is_what_is_kept(
    increments: list[int],
    settled: list[tuple[int, int]],
    after: int | None,
    low: Klass,
    limit: int,
) -> None:
    data = packed([b""], [""], increments, GENERATION)
    index = scan(bytes(DATA) + data + bytes(TAIL), GENERATION)
    segment = Segment(0, Header(GENERATION), 1 << 20)
    for first, length in settled:
        segment.settle(first, first + length)
    key = None if after is None else Key(1, after)
    kept = [
        place
        for place in range(len(index))
        if (key is None or index.key(place) > key)
        and index.klasses[place] >= low
        and not segment.is_settled(index.ordinals[place])
    ]
    assert list(segment.wanted(index, key, low, limit)) == kept[:limit]


def test_rows_are_what_calling_the_class_makes() -> None:
    made = rows(Key, [1, 2], (3, 4))
    assert made == [Key(1, 3), Key(2, 4)]
    assert {type(key) for key in made} == {Key}
