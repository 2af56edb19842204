"""Segments are filled with zeros once, while there is time, and not in the middle of an outage."""

from __future__ import annotations

import errno
import random
from pathlib import Path

import pytest

from gateway.journal import JournalFault
from gateway.journal_files import layout
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.outbox import Outbox
from gateway.shelf import Shelf
from tests.gateway.fake_clock import FakeClock
from tests.gateway.fake_disk import Failing, SimulatedDisk
from tests.gateway.journal_contract import fill, fill_up, keys

SIZE = 128 << 10
SLOTS, SEGMENT = layout(SIZE)
CROWDED = 4
"""Free segments of a ring that is crowded."""


def opened(disk: SimulatedDisk) -> Ring:
    return open_ring(disk, SIZE, 0, lambda _: None)


def prepared(ring: Ring) -> int:
    """Segments that were filled."""
    count = 0
    while ring.prepare():
        count += 1
    return count


@pytest.fixture
def disk() -> SimulatedDisk:
    return SimulatedDisk()


def test_every_segment_is_filled_once_in_the_life_of_a_ring(disk: SimulatedDisk) -> None:
    assert prepared(opened(disk)) == SLOTS
    for seed in range(10):
        assert prepared(opened(disk.cut(random.Random(seed)))) == 0
    again = opened(disk)
    fill(again, 1, 20)
    assert prepared(again) == 0


def test_what_is_written_behind_is_no_more_than_the_records(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    prepared(ring)
    before = ring.usage().written
    fill(ring, 1, 40, size=1000)
    assert ring.usage().written - before < 40 * 1100


def test_a_segment_that_was_not_filled_yet_is_filled_when_it_is_used(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    fill_up(ring)
    assert ring.usage().written > SIZE
    assert prepared(ring) <= CROWDED


def test_the_name_is_on_the_medium_before_a_segment_counts_as_filled(disk: SimulatedDisk) -> None:
    """Else a record that was synced could be in a file that a power cut takes."""
    ring = opened(disk)
    assert ring.prepare()
    assert set(disk.files) == disk._named


def test_a_cut_in_the_middle_of_it_loses_nothing(disk: SimulatedDisk) -> None:
    ring = opened(disk)
    seq = fill(ring, 1, 20)
    disk.before = Failing("sync", errno.EIO)
    with pytest.raises(JournalFault):
        ring.prepare()
    for seed in range(20):
        after = opened(disk.cut(random.Random(seed)))
        assert keys(after.read(None, 1000)) == list(range(1, seq))
        assert after.damages() == []
        assert prepared(after) > 0


def test_a_segment_that_lost_its_end_is_filled_again(disk: SimulatedDisk) -> None:
    prepared(opened(disk))
    del disk.files["0003.seg"][SEGMENT // 2 :]
    assert prepared(opened(disk)) == 1


def test_a_mark_that_is_damaged_costs_another_filling_or_nothing(disk: SimulatedDisk) -> None:
    prepared(opened(disk))
    disk.files["0003.seg"][4] ^= 0x10
    ring = opened(disk)
    assert ring.damages() == []
    fill_up(ring)
    assert ring.damages() == []


class TestInTheOutbox:
    @pytest.fixture(autouse=True)
    def _outbox(self, tmp_path: Path, disk: SimulatedDisk) -> None:
        self.clock, self.disk = FakeClock(), disk
        self.said: list[str] = []
        self.outbox = Outbox(
            epoch=1,
            open_journal=lambda: opened(disk),
            shelf=Shelf(tmp_path / "shelf"),
            clock=self.clock.stamp,
            monotonic=self.clock.monotonic,
            report=self.said.append,
        )

    def test_the_writer_does_it_with_its_first_rounds_and_then_rests(self) -> None:
        for _ in range(SLOTS + 1):
            self.outbox.step()
        written = self.outbox.stats().written_today
        assert written > SIZE
        self.outbox.step()
        assert self.outbox.stats().written_today == written
        assert self.outbox._writer.due() is None

    def test_it_leaves_the_disk_to_others_as_long_as_it_took(self) -> None:
        self.disk.before = lambda call, name: self.clock.advance(1.0 if call == "sync" else 0.0)
        self.outbox.step()
        taken = self.clock.monotonic()
        due = self.outbox._writer.due()
        assert due is not None
        assert taken < due <= 2 * taken

    def test_a_disk_that_fails_at_it_is_no_alarm_and_is_not_asked_again(self) -> None:
        self.outbox.step()
        self.disk.before = Failing("write", errno.EIO)
        self.clock.advance(1.0)
        self.outbox.step()
        self.disk.before = lambda call, name: None
        written = self.outbox.stats().written_today
        self.outbox.step()
        assert self.outbox.stats().written_today == written
        assert self.said == []
        assert self.outbox.stats().storage == "ok"
