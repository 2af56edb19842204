"""What storage does to a ring, and what must hold: traps.md section 4, cases 1 to 18 and 48."""

from __future__ import annotations

import errno
import random
import zlib

import pytest

from gateway.journal import JournalFault, Mark
from gateway.journal_files import layout
from gateway.journal_format import (
    DATA,
    HEADER,
    Header,
    NewerFormat,
    pack_header,
    unpack_header,
)
from gateway.journal_open import open_ring
from gateway.model import Key
from tests.gateway.fake_disk import Failing, SimulatedDisk, copy_of
from tests.gateway.journal_contract import fill, fill_up, keys, record
from tests.gateway.small_ring import SIZE, kept, opened, silent

SEGMENT = layout(SIZE)[1]


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def flip(disk: SimulatedDisk, name: str, at: int) -> None:
    """On the medium, and so in the cache."""
    disk._medium[name][at] = disk.files[name][at] = disk.files[name][at] ^ 0x10


def test_case_1_a_killed_process_leaves_what_it_wrote(disk: SimulatedDisk) -> None:
    fill(opened(disk), 1, 50)
    again = opened(disk)
    assert kept(again) == list(range(1, 51))
    assert again.last() == Key(1, 50)
    assert again.damages() == []


def test_case_3_a_torn_group_is_cut_and_what_was_synced_stays(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10)
    disk.before = Failing("sync", errno.EIO)
    with pytest.raises(JournalFault):
        ring.append([record(seq, size=500) for seq in range(11, 16)])
    for seed in range(30):
        after = SimulatedDisk.cut(copy_of(disk), random.Random(seed))
        again = opened(after)
        assert kept(again)[:10] == list(range(1, 11))
        again.append([record(1, epoch=2)])
        assert again.read(None, 100)[-1].key == Key(2, 1)


def test_case_4_a_cut_at_any_call_of_a_recycle_loses_nothing(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([r.key for r in ring.read(None, 15)])
    ring.settle(sync=True)
    there = kept(ring)
    for call in range(1, 12):
        twin = copy_of(disk)
        twin.before = Failing("write", errno.EIO, first=call)
        broken = opened(twin)
        with pytest.raises(JournalFault):
            fill(broken, seq, 20)
        twin.before = lambda *_: None
        again = opened(twin.cut(random.Random(call)))
        assert [s for s in kept(again) if s < seq] == there


def test_case_5_a_second_cut_in_the_recovery_changes_nothing(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    ring.forget([Key(1, 5)])
    first = kept(opened(disk.cut(random.Random(1))))
    once = disk.cut(random.Random(1))
    opened(once)
    twice = once.cut(random.Random(2))
    assert kept(opened(twice)) == first


def test_case_6_a_torn_cursor_brings_back_only_what_was_settled(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 50)
    ring.forget([Key(1, seq) for seq in range(1, 21)])
    ring.settle(sync=True)
    ring.forget([Key(1, seq) for seq in range(21, 31)])
    ring.settle(sync=False)
    for seed in range(10):
        again = opened(disk.cut(random.Random(seed)))
        assert set(range(31, 51)) <= set(kept(again)) <= set(range(21, 51))


def test_case_7_a_flipped_bit_costs_one_record(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    ring.close()
    before = kept(ring)
    flip(disk, "0001.seg", DATA + 2000)
    again = opened(disk)
    after = kept(again)
    [lost] = set(before) - set(after)
    [damage] = again.damages()
    assert (damage.first, damage.last, damage.count) == (Key(1, lost), Key(1, lost), 1)
    assert "0001.seg" in damage.text
    assert again.usage().kept == len(after)
    assert any(name.startswith("damaged-") for name in disk.files)


def test_damage_is_told_until_its_account_is_on_disk(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    flip(disk, "0001.seg", DATA + 2000)
    again = opened(disk)
    again.read(None, 1000)
    assert len(again.damages()) == 1
    third = opened(disk)
    third.read(None, 1000)
    assert len(third.damages()) == 1
    assert third.damages() == []
    third.settle(sync=True)
    fourth = opened(disk)
    fourth.read(None, 1000)
    assert fourth.damages() == []


def test_case_8_a_zeroed_block_costs_the_records_in_it(disk: SimulatedDisk) -> None:
    ring = open_ring(disk, 4 * SIZE, 0, silent)
    fill_up(ring)
    before = kept(ring)
    disk.files["0002.seg"][8192:12288] = bytes(4096)
    again = open_ring(disk, 4 * SIZE, 0, silent)
    after = kept(again)
    lost = sorted(set(before) - set(after))
    [damage] = again.damages()
    assert (damage.first.seq, damage.last) == (lost[0], Key(1, lost[-1]))
    assert damage.count == len(lost) <= 5


def test_case_8_a_block_that_cannot_be_read_costs_the_records_in_it(disk: SimulatedDisk) -> None:
    ring = open_ring(disk, 4 * SIZE, 0, silent)
    fill_up(ring)
    before = kept(ring)
    original = disk.read

    def read(name: str, offset: int, count: int) -> bytes:
        if name == "0002.seg" and offset < 12288 and offset + count > 8192:
            raise OSError(errno.EIO, "Input/output error")
        return original(name, offset, count)

    disk.read = read  # type: ignore[method-assign]
    again = open_ring(disk, 4 * SIZE, 0, silent)
    lost = set(before) - set(kept(again))
    assert 0 < len(lost) <= 5
    assert sum(damage.count for damage in again.damages()) == len(lost)


@pytest.mark.parametrize("at", [0, SEGMENT - 1024])
def test_case_9_one_header_is_enough(disk: SimulatedDisk, at: int) -> None:
    ring = opened(disk)
    fill_up(ring)
    before = kept(ring)
    disk.files["0001.seg"][at : at + 512] = b"\xff" * 512
    again = opened(disk)
    assert kept(again) == before
    assert again.damages() == []


def test_case_9_without_headers_the_generation_is_found_from_the_records(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    fill_up(ring)
    before = kept(ring)
    for at in (0, SEGMENT - 1024):
        disk.files["0001.seg"][at : at + 512] = bytes(512)
    assert kept(opened(disk)) == before


def test_case_9_a_segment_of_nonsense_is_set_aside_and_told(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    before = kept(ring)
    gone = keys(ring.records(ring.chunks()[1:2]))
    disk.files["0001.seg"][:] = random.Random(1).randbytes(SEGMENT)
    said: list[str] = []
    again = open_ring(disk, SIZE, 0, said.append)
    assert kept(again) == [s for s in before if s not in gone]
    assert any("cannot be read" in line for line in said)
    [damage] = again.damages()
    assert damage.first <= Key(1, gone[0])
    assert damage.last is not None and Key(1, gone[-1]) <= damage.last
    assert again.damages() == []
    assert "damaged-slot-1" in disk.files
    fill(again, seq, 10)


@pytest.mark.parametrize("left", ["zeros", "an empty file", "no file"])
@pytest.mark.parametrize("slot", [0, 3])
def test_case_9_a_segment_that_was_lost_altogether_is_told(
    disk: SimulatedDisk, slot: int, left: str
) -> None:
    """An erased block of a card reads as zeros; a check of the file system takes whole files."""
    ring = opened(disk)
    fill_up(ring)
    before = kept(ring)
    gone = keys(ring.records(ring.chunks()[slot : slot + 1]))
    ring.close()
    name = f"{slot:04d}.seg"
    if left == "no file":
        disk.remove(name)
    else:
        disk.files[name][:] = bytes(len(disk.files[name])) if left == "zeros" else b""
    again = opened(disk)
    assert kept(again) == [seq for seq in before if seq not in gone]
    [damage] = again.damages()
    assert damage.first <= Key(1, gone[0])
    assert damage.last is not None and Key(1, gone[-1]) <= damage.last
    assert name in damage.text


@pytest.mark.parametrize("settled", [0, 7])
@pytest.mark.parametrize(("slot", "source"), [(0, 3), (3, 0), (3, 4), (4, 3)])
def test_case_9_a_segment_that_another_was_copied_over_is_told(
    disk: SimulatedDisk, slot: int, source: int, settled: int
) -> None:
    """Somebody put files back and mixed them up. settled: of what the original holds."""
    ring = opened(disk)
    seq = fill_up(ring)
    gone = keys(ring.records(ring.chunks()[slot : slot + 1]))
    original = keys(ring.records(ring.chunks()[source : source + 1]))
    ring.forget([Key(1, known) for known in original[:settled]])
    before = kept(ring)
    ring.close()
    name, other = f"{slot:04d}.seg", f"{source:04d}.seg"
    disk.files[name][:] = disk.files[other]
    again = opened(disk)
    assert kept(again) == [seq for seq in before if seq not in gone]
    [damage] = again.damages()
    assert damage.first <= Key(1, gone[0])
    assert damage.last is not None and Key(1, gone[-1]) <= damage.last
    told, aside = f"{name} (the same as {other})", f"damaged-slot-{slot}"
    if not settled and slot < source:  # nothing tells which of the two is the copy
        told, aside = f"{other} (the same as {name})", f"damaged-slot-{source}"
    assert told in damage.text
    assert again.damages() == []
    assert aside in disk.files
    fill(again, seq, 10)
    while again.prepare():
        pass
    again.close()
    last = opened(disk)
    assert last.damages() == []
    assert kept(last) == [*(seq for seq in before if seq not in gone), *range(seq, seq + 10)]


def test_case_9_of_an_older_copy_and_the_segment_the_segment_counts(disk: SimulatedDisk) -> None:
    """Of neither anything is settled; the copy was made when less was in it."""
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    older = bytes(disk.files["0000.seg"])
    seq = fill_up(ring, 11)
    before = kept(ring)
    gone = keys(ring.records(ring.chunks()[2:3]))
    ring.close()
    disk.files["0002.seg"][:] = older
    again = opened(disk)
    assert kept(again) == [known for known in before if known not in gone]
    [damage] = again.damages()
    assert "0002.seg (the same as 0000.seg)" in damage.text
    assert seq > gone[-1]


def test_a_copy_in_a_place_that_was_free_is_set_aside_without_a_word(disk: SimulatedDisk) -> None:
    """Nothing was lost by it."""
    ring = opened(disk)
    fill(ring, 1, 40)
    before = kept(ring)
    ring.close()
    disk.files["0012.seg"][:] = disk.files["0000.seg"]
    again = opened(disk)
    assert kept(again) == before
    assert again.damages() == again.damages() == []
    assert "damaged-slot-12" in disk.files


def test_case_9_a_lost_segment_before_one_that_was_settled_is_told(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    _, gone, settled = (keys(ring.records([chunk])) for chunk in ring.chunks()[:3])
    ring.forget([Key(1, seq) for seq in settled])
    before = kept(ring)
    ring.close()
    disk.remove("0001.seg")
    again = opened(disk)
    assert kept(again) == [seq for seq in before if seq not in gone]
    [damage] = again.damages()
    assert damage.first == Key(1, gone[0])


def test_a_lost_segment_that_was_settled_before_another_one_was_is_not_told(
    disk: SimulatedDisk,
) -> None:
    """What is missing before the first that is kept was in the second, which is there."""
    ring = opened(disk)
    fill_up(ring)
    settled = [seq for chunk in ring.chunks()[:2] for seq in keys(ring.records([chunk]))]
    ring.forget([Key(1, seq) for seq in settled])
    before = kept(ring)
    ring.close()
    disk.remove("0000.seg")
    again = opened(disk)
    assert kept(again) == before
    assert again.damages() == []


def test_what_eviction_took_is_not_told_with_what_was_lost_before_it(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    pair = ring.chunks()[2:4]
    ring.evict(pair, {r.key for r in ring.records(pair) if r.key.seq % 2}, 1)
    gone = keys(ring.records(ring.chunks()[:1]))
    before = kept(ring)
    ring.close()
    disk.remove("0000.seg")
    again = opened(disk)
    assert kept(again) == [seq for seq in before if seq not in gone]
    [damage] = again.damages()
    assert damage.last == Key(1, gone[-1])


@pytest.mark.parametrize(("wrecks", "more"), [(4, ""), (6, " and 2 more")])
def test_case_9_four_wrecks_are_named_and_the_rest_counted(
    disk: SimulatedDisk, wrecks: int, more: str
) -> None:
    ring = opened(disk)
    fill_up(ring)
    ring.close()
    for slot in range(1, wrecks + 1):
        disk.files[f"{slot:04d}.seg"][:] = b"\xff" * len(disk.files[f"{slot:04d}.seg"])
    [damage] = opened(disk).damages()
    named = "0001.seg, 0002.seg, 0003.seg, 0004.seg"
    assert damage.text.startswith(f"journal: {named}{more} cannot be read")


def test_case_9_what_looks_new_below_a_wreck_was_used(disk: SimulatedDisk) -> None:
    """The wreck is the highest that was used: nothing else tells of the one below it."""
    ring = opened(disk)
    fill(ring, 1, 20)
    ring.set_mark(Mark(1, 20, True, Key(1, 20)))
    ring.close()
    disk.remove("0002.seg")
    disk.files["0003.seg"][:] = b"\xff" * len(disk.files["0003.seg"])
    [damage] = opened(disk).damages()
    assert damage.text.startswith("journal: 0003.seg, 0002.seg cannot be read")


def test_a_ring_that_grew_misses_nothing(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    ring.forget([Key(1, s) for s in range(1, seq * 3 // 4)])
    while not ring.usage().crowded:
        seq = fill(ring, seq, 10)
    ring.close()
    assert open_ring(disk, 2 * SIZE, 0, silent).damages() == []


def test_case_9_all_segments_of_a_clean_run_gone_are_told(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10)
    ring.set_mark(Mark(1, 10, True, Key(1, 10)))
    ring.close()
    for name in [name for name in disk.files if name.endswith(".seg")]:
        disk.remove(name)
    [damage] = opened(disk).damages()
    assert (damage.first, damage.last) == (Key(1, 1), Key(1, 10))


def test_case_9_a_lost_tail_of_a_clean_run_is_told(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10, size=100)
    ring.set_mark(Mark(1, 10, True, Key(1, 10)))
    ring.close()
    end = disk.files["0000.seg"].index(b"1/10:")
    flip(disk, "0000.seg", end)
    again = opened(disk)
    [damage] = again.damages()
    assert (damage.first, damage.last) == (Key(1, 10), Key(1, 10))
    assert kept(again) == list(range(1, 10))
    assert again.last() == Key(1, 10)


def test_case_12_a_disk_filled_by_others_does_not_matter(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    disk.room = sum(map(len, disk.files.values()))
    seq = fill_up(ring)
    ring.forget([r.key for r in ring.read(None, 30)])
    fill(ring, seq, 20)
    assert ring.usage().kept == len(kept(ring))


def test_too_little_room_for_all_segments_makes_a_smaller_ring() -> None:
    disk = SimulatedDisk(room=11 * SEGMENT)
    said: list[str] = []
    ring = open_ring(disk, SIZE, 0, said.append)
    assert ring.usage().bytes_limit < SIZE
    assert said
    fill(ring, 1, 10)
    floor = SimulatedDisk(room=SIZE)
    assert open_ring(floor, SIZE, 5 * SEGMENT, silent).usage().bytes_limit <= SIZE - 5 * SEGMENT


def test_no_room_at_all_is_a_fault() -> None:
    with pytest.raises(JournalFault, match="segments could be made"):
        opened(SimulatedDisk(room=2 * SEGMENT))


@pytest.mark.parametrize("call", ["write", "sync"])
@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EROFS])
def test_case_14_after_one_error_the_group_goes_elsewhere(
    disk: SimulatedDisk, call: str, number: int
) -> None:
    ring = opened(disk)
    fill(ring, 1, 10)
    synced: list[str] = []
    failing = Failing(call, number, times=1)

    def before(name_of_call: str, name: str) -> None:
        if name_of_call == "sync":
            synced.append(name)
        failing(name_of_call, name)

    disk.before = before
    ring.append([record(seq) for seq in range(11, 21)])
    ring.append([record(21)])
    first = "0000.seg"
    assert synced.count(first) <= 1
    assert synced[-1] != first
    assert kept(ring) == list(range(1, 22))
    assert ring.usage().kept == 21
    ring.close()
    again = opened(disk)
    assert kept(again) == list(range(1, 22))
    assert again.damages() == []


def test_case_14_a_failed_sync_that_lost_earlier_records_is_told(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill(ring, 1, 10, size=100)

    def lose(name: str) -> None:
        flip(disk, name, DATA + 100)

    disk.drop_cache = lose  # type: ignore[method-assign]
    disk.before = Failing("sync", errno.EIO, times=1)
    ring.append([record(11)])
    assert kept(ring) == list(range(2, 12))
    [damage] = ring.damages()
    assert (damage.first, damage.count) == (Key(1, 1), 1)


@pytest.mark.parametrize("call", ["write", "sync"])
def test_case_15_a_dead_disk_is_a_fault_and_what_is_there_can_be_read(
    disk: SimulatedDisk, call: str
) -> None:
    ring = opened(disk)
    seq = fill(ring, 1, 30)
    disk.before = Failing(call, errno.EROFS)
    for _ in range(40):
        with pytest.raises(JournalFault, match="EROFS"):
            ring.append([record(seq)])
    assert kept(ring) == list(range(1, 31))
    assert ring.usage().kept == 30
    ring.forget([Key(1, 1)])
    assert kept(ring) == list(range(2, 31))
    disk.before = lambda *_: None
    ring.append([record(seq)])
    assert kept(ring) == list(range(2, 32))
    assert kept(opened(disk)) in (list(range(2, 32)), list(range(1, 32)))


def test_case_15_a_ring_on_a_read_only_disk_opens(disk: SimulatedDisk) -> None:
    fill(opened(disk), 1, 30)

    def before(call: str, name: str) -> None:
        if call not in ("read", "names"):
            raise OSError(errno.EROFS, "Read-only file system")

    disk.before = before
    ring = opened(disk)
    assert kept(ring) == list(range(1, 31))
    with pytest.raises(JournalFault):
        ring.append([record(31)])


def test_an_eviction_that_fails_leaves_everything(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    before = kept(ring)
    pair = ring.chunks()[:2]
    going = {r.key for r in ring.records(pair) if r.key.seq % 2}
    for call in ("write", "sync"):
        disk.before = Failing(call, errno.EIO)
        with pytest.raises(JournalFault):
            ring.evict(pair, going, 1)
        assert kept(ring) == before
    disk.before = lambda *_: None
    assert set(ring.evict(pair, going, 1)) == going


def test_what_was_evicted_does_not_come_back_when_its_remains_are_used_up(
    disk: SimulatedDisk,
) -> None:
    ring = opened(disk)
    seq = fill_up(ring)
    pair = ring.chunks()[:2]
    ring.evict(pair, {r.key for r in ring.records(pair) if r.key.seq % 2}, 1)
    ring.forget([r.key for r in ring.records(ring.chunks()[:1])])
    expected = kept(ring)
    for more in range(8):
        ring.append([record(seq + more, size=1000)])
        expected.append(seq + more)
        for seed in range(3):
            assert set(kept(opened(copy_of(disk).cut(random.Random(seed))))) >= set(expected)
    assert kept(opened(disk)) == expected


def test_case_48_a_newer_format_is_named(disk: SimulatedDisk) -> None:
    opened(disk)
    header = bytearray(pack_header(Header(7)))
    header[8] = 9
    header[HEADER.size : HEADER.size + 4] = zlib.crc32(header[: HEADER.size]).to_bytes(4, "little")
    with pytest.raises(NewerFormat, match="format 9"):
        unpack_header(bytes(header))
    disk.files["0003.seg"][:512] = header
    with pytest.raises(NewerFormat, match="format 9"):
        opened(disk)


def test_another_size_keeps_what_is_there(disk: SimulatedDisk) -> None:
    fill_up(opened(disk))
    before = kept(opened(disk))
    larger = open_ring(disk, 3 * SIZE, 0, silent)
    assert kept(larger) == before
    assert larger.usage().bytes_limit == 3 * SIZE
    larger.forget([Key(1, 1)])
    larger.close()
    smaller = open_ring(disk, SIZE // 2, 0, silent)
    assert kept(smaller) == before[1:]
