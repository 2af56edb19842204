"""The ring's bytes: what version 1 wrote is read, and written so today; places far into a segment.

The files in `captures/ring-1/` were written by the first release; a journal on a card in a cupboard
has to be readable with whatever version comes later.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

from gateway.journal import Mark, Record
from gateway.journal_cursor import BYTES, SECTORS, size_for
from gateway.journal_files import LEAST, layout
from gateway.journal_format import (
    DATA,
    FIELDS,
    RECORD,
    RECORD_MAGIC,
    TAIL,
    pack_record,
    seed_of,
    size_of,
    unpack_record,
)
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.journal_segment import name_of
from gateway.model import Key, Klass
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.journal_contract import keys, record

CAPTURE = Path(__file__).parents[1] / "captures" / "ring-1"
SEGMENT = 4096
NAMES = ["0000.seg", "0002.seg", "0003.seg", "cursor"]


def silent(_: str) -> None:
    """Nothing is reported in these tests."""


def empty_disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    for slot in range(LEAST):
        disk.create(name_of(slot), SEGMENT)
    return disk


def opened(disk: SimulatedDisk) -> Ring:
    return open_ring(disk, LEAST * SEGMENT, 0, silent)


KLASSES = [Klass.TELEMETRY, Klass.COUNTER, Klass.RESULT, Klass.ALARM, Klass.GAP]


def records(first: int, last: int) -> list[Record]:
    return [
        record(
            seq,
            epoch=3,
            klass=KLASSES[seq % 10 - 5] if seq % 10 > 5 else Klass.TELEMETRY,
            size=60 + seq % 3,
            device=["boiler", "h\u00f6he", ""][seq % 3],
            wall=0.0 if seq == 2 else 1.75e9 + seq / 8,
        )
        for seq in range(first, last + 1)
    ]


def written() -> SimulatedDisk:
    """What the capture was made by."""
    disk = empty_disk()
    ring = opened(disk)
    ring.set_mark(Mark(3, 0, False))
    for first in range(1, 61, 6):
        ring.append(records(first, first + 5))
    one, two = ring.chunks()[:2]
    ring.evict([one, two], {r.key for r in ring.records([one, two]) if r.key.seq % 2}, 1)
    ring.forget([Key(3, 4), Key(3, 58)])
    ring.append(records(61, 62))
    ring.set_mark(Mark(3, 62, True, Key(3, 62)))
    ring.close()
    return disk


def test_what_the_first_release_wrote_is_read() -> None:
    disk = empty_disk()
    disk.create("cursor", size_for(LEAST))
    for name in NAMES:
        disk.write(name, 0, (CAPTURE / name).read_bytes())
    ring = opened(disk)
    assert ring.mark() == Mark(3, 62, True, Key(3, 62))
    assert ring.last() == Key(3, 62)
    merged = ring.chunks()[0]
    assert (merged.level, merged.first) == (1, Key(3, 2))
    gone = {4, 58, *range(1, merged.last.seq + 1, 2)}
    assert ring.read(None, 100) == [r for r in records(1, 62) if r.key.seq not in gone]
    assert ring.damages() == []
    ring.append(records(63, 70))
    assert opened(disk).read(Key(3, 62), 10) == records(63, 70)


def test_it_is_written_so_today() -> None:
    disk = written()
    for name in NAMES:
        assert bytes(disk.files[name]) == (CAPTURE / name).read_bytes(), name


def test_the_cursor_has_a_bit_for_every_record_that_a_segment_can_hold() -> None:
    largest = layout(1 << 40)[1]
    assert (largest - TAIL - DATA) // RECORD.size <= SECTORS * BYTES * 8 < 1 << 16


def test_thousands_of_records_in_one_segment_are_settled_one_by_one() -> None:
    """Their bits take more than one sector of the cursor, and each sector is written by itself."""
    disk = SimulatedDisk()
    ring = open_ring(disk, 16 << 20, 0, silent)
    small = [Record(Key(1, seq), Klass.TELEMETRY, 5.0, "", b"12345678") for seq in range(1, 9_001)]
    ring.append(small[:5000])
    ring.append(small[5000:])
    assert ring.usage().bytes_used == 1 << 20
    settled = {*range(3, 9_001, 7), *range(3900, 4000), 9_000}
    ring.forget([Key(1, seq) for seq in settled if seq < 5000])
    ring.settle(sync=True)
    ring.forget([Key(1, seq) for seq in settled])
    ring.settle(sync=True)
    again = open_ring(disk, 16 << 20, 0, silent)
    left = [seq for seq in range(1, 9_001) if seq not in settled]
    assert again.usage().kept == len(left)
    assert keys(again.read(None, 10_000)) == left
    assert again.damages() == []


@pytest.mark.parametrize("length", [255, 256])
def test_a_device_has_a_name_of_255_bytes_at_most(length: int) -> None:
    given = record(1, device="\u00e4" * (length // 2) + "x" * (length % 2))
    if length > 255:
        with pytest.raises(ValueError, match="255 are most"):
            pack_record(given, seed_of(1), 0, DATA)
    else:
        assert len(pack_record(given, seed_of(1), 0, DATA)) == size_of(given)


def test_a_record_of_nothing_is_a_record() -> None:
    """No device, no payload: as short as one can be, also where nothing is behind it."""
    disk = empty_disk()
    given = Record(Key(1, 1), Klass.TELEMETRY, 0.0, "", b"")
    opened(disk).append([given])
    assert opened(disk).read(None, 1) == [given]
    assert unpack_record(pack_record(given, seed_of(1), 0, DATA), 0, seed_of(1)) == given


def test_what_does_not_begin_and_end_as_a_record_is_none_though_its_check_is_right() -> None:
    packed = pack_record(record(1), seed_of(1), 0, DATA)
    behind = packed + bytes(100)
    assert unpack_record(behind, 0, seed_of(1)) == record(1)
    assert unpack_record(b"XXXX" + behind[4:], 0, seed_of(1)) is None
    assert unpack_record(packed[:-1], 0, seed_of(1)) is None
    assert unpack_record(behind, 0, seed_of(2)) is None
    longer = FIELDS.pack(5, 0, 0, 0, DATA, 1, 1, 0.0) + b"1234"  # one byte is missing
    torn = RECORD_MAGIC + zlib.crc32(longer, seed_of(1)).to_bytes(4, "little") + longer
    assert unpack_record(torn, 0, seed_of(1)) is None


def test_segments_found_without_a_header_were_never_thinned() -> None:
    disk = empty_disk()
    ring = opened(disk)
    ring.append([record(seq, size=500) for seq in range(1, 13)])
    for at in (0, SEGMENT - TAIL):
        disk.files["0001.seg"][at : at + 512] = bytes(512)
    again = opened(disk)
    assert [chunk.level for chunk in again.chunks()] == [0, 0]
    assert keys(again.read(None, 99)) == list(range(1, 13))
