"""A group of records that cannot be written: wherever that happens, it is written elsewhere as a
whole, and what was there before is as it was (traps.md, case 14)."""

from __future__ import annotations

import errno
import random
from collections.abc import Iterator

import pytest

from gateway.journal_files import LEAST
from gateway.journal_format import DATA, TAIL, size_of
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.journal_segment import name_of
from gateway.model import Key, Klass
from tests.gateway.fake_disk import Failing, SimulatedDisk, copy_of
from tests.gateway.journal_contract import record
from tests.gateway.small_ring import kept, silent

SEGMENT = 4096
CAPACITY = SEGMENT - DATA - TAIL

BEFORE = [record(seq, klass=Klass.RESULT if seq == 3 else Klass.TELEMETRY) for seq in range(1, 6)]
GROUP = [
    record(6, wall=0.0),
    record(7, klass=Klass.ALARM, wall=5000.0),
    record(8, wall=10.0),
    *(record(seq) for seq in range(9, 41)),
]
"""It begins behind what was before, fills a segment, and ends in a third one."""


def opened(disk: SimulatedDisk) -> Ring:
    return open_ring(disk, LEAST * SEGMENT, 0, silent)


def small_disk() -> SimulatedDisk:
    disk = SimulatedDisk()
    for slot in range(LEAST):
        disk.create(name_of(slot), SEGMENT)
    return disk


def with_some_before(disk: SimulatedDisk) -> Ring:
    ring = opened(disk)
    ring.append(BEFORE)
    ring.forget([Key(1, 2)])
    ring.settle(sync=True)
    return ring


def failed_everywhere(call: str) -> Iterator[tuple[SimulatedDisk, Ring]]:
    """Rings that have taken the group although one call of its writing failed: each in turn."""
    for first in range(1, 99):
        disk = small_disk()
        ring = with_some_before(disk)
        failing = disk.before = Failing(call, errno.EIO, first=first, times=1)
        ring.append(GROUP)
        disk.before = lambda *_: None
        if failing.seen < first:
            assert first > 6
            return
        yield disk, ring


EXPECTED = [1, 3, *range(4, 41)]


@pytest.mark.parametrize("call", ["write", "sync"])
def test_case_14_it_is_there_once_and_stays(call: str) -> None:
    for disk, ring in failed_everywhere(call):
        assert kept(ring) == EXPECTED
        assert ring.usage().kept == len(EXPECTED)
        assert ring.damages() == []
        for again in (opened(copy_of(disk)), opened(disk.cut(random.Random(1)))):
            assert kept(again) == EXPECTED
            assert again.usage().kept == len(EXPECTED)
            assert again.damages() == []


@pytest.mark.parametrize("call", ["write", "sync"])
def test_case_14_what_is_acknowledged_gives_its_room_back_and_never_returns(call: str) -> None:
    for disk, ring in failed_everywhere(call):
        ring.forget([Key(1, seq) for seq in EXPECTED])
        assert ring.usage().kept == 0
        assert ring.usage().bytes_used == SEGMENT
        ring.append([record(41, size=CAPACITY - 100)])
        ring.settle(sync=True)
        assert kept(opened(disk.cut(random.Random(2)))) == [41]


@pytest.mark.parametrize("call", ["write", "sync"])
def test_case_14_what_was_there_before_is_evicted_by_what_it_is(call: str) -> None:
    """Not by what was to follow it and is elsewhere now: an alarm, one without a time."""
    abandoned = 0
    for _, ring in failed_everywhere(call):
        first = ring.chunks()[0]
        if first.last == Key(1, 5):
            abandoned += 1
            assert first.dear == size_of(BEFORE[2])
            assert first.newest == 1005.0
            assert ring.usage().oldest == 1001.0
    assert abandoned > 2


@pytest.mark.parametrize(("call", "first"), [("write", 1), ("sync", 3)])
def test_case_14_what_is_left_is_one_chunk_to_the_byte(call: str, first: int) -> None:
    """At once and when it is opened again, though more is found behind it."""
    disk = small_disk()
    ring = opened(disk)
    ring.append(BEFORE)
    disk.before = Failing(call, errno.EIO, first=first, times=1)
    ring.append(GROUP)
    disk.before = lambda *_: None
    for twin in (ring, opened(disk)):
        chunk = twin.chunks()[0]
        assert (chunk.first, chunk.last, chunk.kept) == (Key(1, 1), Key(1, 5), 5)
        assert chunk.bytes == sum(map(size_of, BEFORE))
        assert (chunk.dear, chunk.newest) == (size_of(BEFORE[2]), 1005.0)


@pytest.mark.parametrize("readable", [True, False])
def test_case_14_a_segment_of_which_all_was_settled_is_free_behind_a_write_that_failed(
    readable: bool,
) -> None:
    """Though the medium may not even give it back."""
    disk = small_disk()
    ring = opened(disk)
    ring.append(BEFORE)
    ring.forget([r.key for r in BEFORE])
    failing = Failing("sync", errno.EIO, times=1)

    def before(call: str, name: str) -> None:
        failing(call, name)
        if call == "drop" and name == name_of(0) and not readable:
            raise OSError(errno.EIO, "EIO", name)

    disk.before = before
    ring.append(GROUP[:3])
    assert ring.usage().bytes_used == SEGMENT
    assert kept(ring) == [6, 7, 8]


def test_case_14_what_cannot_be_read_behind_a_write_that_failed_can_be_forgotten() -> None:
    disk = small_disk()
    ring = opened(disk)
    ring.append(BEFORE)
    failing = Failing("sync", errno.EIO, first=3, times=1)

    def before(call: str, name: str) -> None:
        failing(call, name)
        if failing.seen >= 3 and call in ("drop", "read") and name == name_of(0):
            raise OSError(errno.EIO, "EIO", name)

    disk.before = before
    ring.append(GROUP)
    disk.before = lambda *_: None
    ring.forget([r.key for r in GROUP])
    assert kept(ring) == [1, 2, 3, 4, 5]
    assert ring.usage().kept == 5


def test_case_14_what_a_failed_sync_took_of_what_was_there_is_told_before_anybody_reads_it() -> (
    None
):
    disk = small_disk()
    ring = opened(disk)
    ring.append(BEFORE)
    disk.before = Failing("sync", errno.EIO, times=1)

    def lose(name: str) -> None:
        if name == name_of(0):
            disk.files[name][disk.files[name].index(b"1/4:")] ^= 1

    disk.drop_cache = lose  # type: ignore[method-assign]
    ring.append(GROUP[:1])
    [damage] = ring.damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, 4), Key(1, 4), 1)
    assert kept(ring) == [1, 2, 3, 5, 6]
