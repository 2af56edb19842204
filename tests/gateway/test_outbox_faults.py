"""The whole outbox over storage, links and clocks that fail (traps.md section 4)."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from drivers.base import Reading
from gateway.clock import corrected, offset_of
from gateway.journal import Journal, JournalFault, Record
from gateway.journal_open import open_ring
from gateway.model import Entry, Gap, GapReason, Key, Lane, Outcome, Result, Sample
from gateway.outbox import Outbox
from gateway.records import encode
from gateway.shelf import Shelf
from tests.brokers import eventually
from tests.gateway.fake_clock import FakeClock
from tests.gateway.fake_disk import Failing, SimulatedDisk
from tests.gateway.far_end import FarEnd

SIZE = 256 << 10
WINDOW = 20


class House:
    """An outbox on a simulated disk, stepped by hand."""

    def __init__(self, folder: Path, disk: SimulatedDisk | None = None, **options: object) -> None:
        self.disk = disk or SimulatedDisk()
        self.clock = FakeClock()
        self.far = FarEnd()
        self.said: list[str] = []
        self.size = SIZE
        self._folder = folder
        self._options = options
        self._epoch = 0
        self.outbox = self.start()

    def start(self) -> Outbox:
        self._epoch += 1
        self.outbox = Outbox(
            epoch=self._epoch,
            before=self._epoch - 1 or None,
            open_journal=lambda: open_ring(self.disk, self.size, 0, self.said.append),
            shelf=Shelf(self._folder / "shelf"),
            clock=self.clock.stamp,
            monotonic=self.clock.monotonic,
            report=self.said.append,
            **self._options,  # type: ignore[arg-type]
        )
        return self.outbox

    def sample(self, device: str = "attic", value: float = 20.0) -> Entry:
        stamp = self.clock.stamp()
        return self.outbox.append(Sample(device, stamp, (Reading("temperature", value),)))

    def samples(self, count: int, every: float = 0.0) -> list[Key]:
        keys = []
        for number in range(count):
            keys.append(self.sample(value=float(number % 7)).key)
            self.clock.advance(every)
            if every or number % 50 == 49:
                self.outbox.step()
        self.settle()
        return keys

    def settle(self, rounds: int = 5) -> None:
        for _ in range(rounds):
            self.clock.advance(2.0)
            self.outbox.step()

    def send(self, limit: int = WINDOW) -> list[tuple[Entry, Lane]]:
        taken = self.outbox.take(limit)
        self.far.take(entry for entry, _ in taken)
        self.outbox.accepted([entry.key for entry, _ in taken])
        return taken

    def drain(self) -> list[Entry]:
        self.outbox.link_changed(True)
        found = []
        for _ in range(20_000):
            self.clock.advance(1.0)
            self.outbox.step()
            taken = self.send(500)
            found += [entry for entry, _ in taken]
            if not taken and not self.outbox.stats().kept:
                return found
        raise AssertionError("it never is empty")

    def judge(self) -> None:
        stats = self.outbox.stats()
        assert self.far.unexplained(stats.epoch, stats.last_seq) == []


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def gaps(entries: Iterable[Entry]) -> list[Gap]:
    return [entry.recorded for entry in entries if isinstance(entry.recorded, Gap)]


def test_case_1_what_a_kill_takes_is_told_by_the_next_run(house: House) -> None:
    safe = house.samples(100)
    lost = [house.sample().key for _ in range(5)]
    house.start()
    assert house.outbox.previous is not None
    assert house.outbox.previous.durable_seq == safe[-1].seq
    found = house.drain()
    assert house.far.lost(safe) == []
    assert house.far.lost(lost) == lost
    [crash] = [gap for gap in gaps(found) if gap.reason is GapReason.CRASH]
    assert (crash.epoch, crash.first_seq, crash.last_seq) == (1, safe[-1].seq, None)


def test_case_1_a_run_that_died_before_its_mark_is_told_too(house: House) -> None:
    house.samples(10)
    house.start()
    house.outbox.link_changed(True)
    sent = house.sample().key
    house.send()  # at the far end, and nothing of this run on disk
    house.start()
    found = [(g.epoch, g.first_seq) for g in gaps(house.drain()) if g.reason is GapReason.CRASH]
    assert found == [(1, 10), (2, 0)]
    assert sent in house.far.arrived


def test_case_1_runs_that_die_one_after_the_other_before_their_marks_are_all_told(
    house: House,
) -> None:
    for _ in range(4):
        house.outbox.link_changed(True)
        house.sample()
        house.sample()
        house.send(1)
        house.start()
    told = {gap.epoch for gap in gaps(house.drain()) if gap.reason is GapReason.CRASH}
    assert told == {1, 2, 3, 4}
    for epoch in told:
        assert house.far.unexplained(epoch, 2) == []


def test_case_10_a_ring_of_nonsense_is_told_and_the_gateway_runs_on(
    house: House, tmp_path: Path
) -> None:
    house.samples(500)
    for name in house.disk.names():
        house.disk.files[name][:] = b"\x5a" * len(house.disk.files[name])
    house.start()
    safe = house.samples(100)
    assert house.outbox.stats().dropped == {}
    house.start()
    found = house.drain()
    assert house.far.lost(safe) == []
    assert not any(gap.epoch == 2 and gap.reason is GapReason.CORRUPT for gap in gaps(found))
    assert any("cannot be read" in line for line in house.said)
    assert 1 in {g.epoch for g in gaps(found)}
    assert len([name for name in house.disk.files if name.startswith("damaged-")]) >= 8
    assert house.outbox.stats().storage == "ok"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EIO])
@pytest.mark.parametrize("call", ["write", "sync"])
def test_case_15_it_goes_on_from_memory_and_recovers_by_itself(
    house: House, call: str, number: int
) -> None:
    safe = house.samples(50)
    house.disk.before = Failing(call, number)
    held = house.samples(100, every=1.0)
    assert errno.errorcode[number] in house.outbox.stats().storage
    assert [line for line in house.said if "going on from memory" in line] == house.said
    # What is on disk is readable and sent meanwhile, and so is what memory holds.
    house.outbox.link_changed(True)
    for _ in range(20):
        house.settle(1)
        house.send(10)
    assert house.far.lost([*safe, *held]) == []
    house.outbox.link_changed(False)
    late = house.samples(20)
    house.disk.before = lambda call, name: None
    house.clock.advance(31.0)
    house.settle()
    assert house.outbox.stats().storage == "ok"
    assert house.said[-1] == "storage works again"
    house.start()  # a crash now loses nothing of it
    house.drain()
    assert house.far.lost(late) == []


def test_case_15_memory_has_a_bound_and_what_it_costs_is_told(tmp_path: Path) -> None:
    house = House(tmp_path, memory=64 << 10)
    house.samples(10)
    house.disk.before = Failing("write", errno.EROFS)
    house.samples(2000, every=0.1)
    stats = house.outbox.stats()
    assert stats.dropped["storage"] > 1500
    assert stats.recorded + stats.inherited == stats.kept + sum(stats.dropped.values())
    house.disk.before = lambda call, name: None
    house.clock.advance(31.0)
    house.drain()
    house.judge()


def test_case_15_a_journal_that_opens_only_later_is_accounted_for_then(house: House) -> None:
    house.samples(30)
    house.disk.before = Failing("read", errno.EACCES)
    house.start()
    assert "EACCES" in house.outbox.stats().storage or house.outbox.stats().kept == 0
    now = [house.sample().key for _ in range(5)]
    house.settle()
    house.disk.before = lambda call, name: None
    house.clock.advance(31.0)
    found = house.drain()
    assert house.far.lost([Key(1, seq) for seq in range(1, 31)]) == []
    assert house.far.lost(now) == []
    assert [g.epoch for g in gaps(found) if g.reason is GapReason.CRASH] == [1]


class SlowJournal:
    """A card that takes its time: `append` waits for `go`."""

    def __init__(self, ring: Journal) -> None:
        self._ring = ring
        self.go = threading.Event()
        self.waiting = threading.Event()
        self.groups: list[int] = []

    def append(self, records: list[Record]) -> None:
        self.groups.append(len(records))
        self.waiting.set()
        self.go.wait(60)
        self._ring.append(records)

    def __getattr__(self, name: str) -> object:
        return getattr(self._ring, name)


def test_case_16_a_slow_card_delays_no_sensor_and_its_groups_grow(tmp_path: Path) -> None:
    """However long a sync takes: here it takes until 500 samples were taken meanwhile."""
    clock = FakeClock()
    slow = SlowJournal(open_ring(SimulatedDisk(), SIZE, 0, lambda _: None))
    outbox = Outbox(
        epoch=1,
        open_journal=lambda: slow,  # type: ignore[arg-type, return-value]
        shelf=Shelf(tmp_path / "shelf"),
        clock=clock.stamp,
        commit_every=0.01,
    )
    outbox.start()
    reading = (Reading("temperature", 20.0),)
    outbox.append(Sample("attic", clock.stamp(), reading))
    assert slow.waiting.wait(60)
    for _ in range(500):
        outbox.append(Sample("attic", clock.stamp(), reading))
    result = Result("c1", "relay", clock.stamp(), Outcome.DONE)
    thread = threading.Thread(target=outbox.append, args=[result])
    thread.start()
    assert outbox.stats().last_seq >= 501
    assert not slow.go.is_set()
    slow.go.set()
    thread.join(60)
    assert not thread.is_alive()
    assert outbox.settled(Key(1, 502), 60)
    assert outbox.close(60)
    assert max(slow.groups) >= 100


def test_case_13_and_17_three_days_without_a_broker_are_bounded_and_accounted_for(
    house: House,
) -> None:
    """72 h, a sample of each of two devices a minute, a result an hour: in a ring for a third."""
    dear = []
    for minute in range(72 * 60):
        house.sample("attic", value=20 + minute % 100 / 10)
        house.sample("cellar", value=12.0)
        if minute % 60 == 0:
            stamp = house.clock.stamp()
            dear.append(house.outbox.append(Result(f"c{minute}", "r", stamp, Outcome.DONE)).key)
        house.clock.advance(60.0)
        house.outbox.step()
    stats = house.outbox.stats()
    assert stats.bytes_used <= SIZE
    assert stats.dropped["thinned"] > 100
    assert stats.recorded == stats.kept + sum(stats.dropped.values())
    found = house.drain()
    house.judge()
    assert house.far.lost(dear) == []
    assert all(key in house.far.arrived for key in dear)
    # The last hours are there in full, those before in part.
    arrived = sorted(e.recorded.stamp.boot for e in found if isinstance(e.recorded, Sample))
    end = 1000.0 + 72 * 3600
    assert arrived[0] < end - 12 * 3600
    assert len([boot for boot in arrived if boot >= end - 4 * 3600]) == 2 * 4 * 60


def test_case_18_a_link_that_flaps_for_an_hour_loses_nothing(house: House) -> None:
    """Every 3 s, with a full window in flight each time; at most that comes twice."""
    flaps = 1200
    keys = []
    for number in range(flaps):
        house.outbox.link_changed(True)
        keys += [house.sample().key for _ in range(3)]
        house.clock.advance(1.5)
        house.outbox.step()
        flying = [entry for entry, _ in house.outbox.take(WINDOW)]
        done = flying[: number % (WINDOW + 1)]
        house.far.take(flying)  # all of it arrived, not all was acknowledged
        house.outbox.accepted([entry.key for entry in done])
        house.outbox.returned([entry.key for entry in flying[len(done) :]])
        house.outbox.link_changed(False)
        house.clock.advance(1.5)
        house.outbox.step()
    house.drain()
    house.judge()
    assert house.far.lost(keys) == []
    assert house.far.doubles <= flaps * WINDOW
    assert house.outbox.stats().dropped == {}


def test_case_36_what_was_taken_before_the_clock_was_set_is_corrected_when_sent(
    tmp_path: Path,
) -> None:
    """The clock is three years behind and then set; nothing expires by that, nothing is lost."""
    house = House(tmp_path, expire=3600.0)
    years = 3 * 365 * 86400.0
    house.clock.synchronised = False
    house.clock.offset -= years
    early = house.samples(20, every=1.0)
    house.clock.offset += years
    house.clock.synchronised = True
    anchors = {house.clock.boot_id: offset_of(house.clock.stamp())}
    late = house.samples(5, every=1.0)
    found = house.drain()
    assert house.far.lost([*early, *late]) == []
    assert gaps(found) == []
    stamps = [corrected(e.recorded.stamp, anchors) for e in found if isinstance(e.recorded, Sample)]
    assert all(stamp.synchronised for stamp in stamps)
    assert stamps == sorted(stamps, key=lambda stamp: stamp.wall)
    assert stamps[-1].wall - stamps[0].wall < 120


def test_case_36_a_clock_that_never_was_set_leaves_its_mark(tmp_path: Path) -> None:
    house = House(tmp_path, expire=60.0)
    house.clock.synchronised = False
    house.samples(20, every=1.0)
    house.start()
    house.clock.boot_id, house.clock.synchronised = "another0", True
    house.clock.advance(7200.0)
    anchors = {"another0": offset_of(house.clock.stamp())}
    stamps = [e.recorded.stamp for e in house.drain() if isinstance(e.recorded, Sample)]
    assert len(stamps) == 20
    assert not any(corrected(stamp, anchors).synchronised for stamp in stamps)


def test_case_37_a_clock_that_jumps_back_an_hour_changes_neither_order_nor_pace(
    house: House,
) -> None:
    before = house.samples(20, every=1.0)
    house.clock.offset -= 3600.0
    after = house.samples(20, every=1.0)
    found = [e.key for e in house.drain() if isinstance(e.recorded, Sample)]
    assert found == [*before, *after]
    sample = house.sample()
    house.clock.advance(1.0)
    house.outbox.step()
    assert house.outbox.settled(sample.key, 0)


def test_case_50_live_values_go_first_while_a_large_backlog_drains(tmp_path: Path) -> None:
    """100,000 entries wait; each live one is in the very next thing that is taken."""
    house = House(tmp_path)
    house.size = 64 << 20
    house.disk = SimulatedDisk()
    house.start()
    count = 100_000
    for number in range(count):
        house.sample()
        if number % 500 == 499:
            house.clock.advance(1.0)
            house.outbox.step()
    house.settle()
    house.outbox.link_changed(True)
    waiting = house.outbox.stats().kept
    assert waiting >= count
    for _ in range(40):
        live = [house.sample().key for _ in range(2)]
        house.clock.advance(1.0)
        house.outbox.step()
        taken = house.send(WINDOW)
        assert [e.key for e, lane in taken if lane is Lane.LIVE] == live
        assert len([1 for _, lane in taken if lane is Lane.HISTORY]) == WINDOW - len(live)
    assert house.outbox.stats().kept == waiting + 80 - 40 * WINDOW


def test_the_smallest_journal_takes_an_entry_of_64_kib_and_no_larger_one(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.size, house.disk = 2 << 20, SimulatedDisk()
    house.start()

    def entry(length: int) -> Sample:
        return Sample("d" * 60, house.clock.stamp(), (Reading("temperature", "x" * length),))

    most = (64 << 10) - len(encode(entry(0)))
    house.outbox.append(entry(most))
    house.settle()
    assert house.said == []
    house.outbox.append(entry(most + 1))
    house.settle()
    assert [text.split(": ")[1] for text in house.said] == ["it has 65537 bytes, 65536 are most"]
    house.start()
    assert [entry.key.seq for entry in house.drain()][:1] == [1]


def test_a_journal_of_a_later_run_is_not_written_to(tmp_path: Path) -> None:
    """It could not be read at the start, and its numbers are above those of this run."""
    house = House(tmp_path)
    house.samples(5)
    ring = open_ring(house.disk, SIZE, 0, lambda _: None)
    ring.append([Record(Key(50, 1), ring.read(None, 1)[0].klass, 0.0, "", b"")])
    there: list[Callable[[], Journal]] = []

    def open_journal() -> Journal:
        if not there:
            raise JournalFault("not there yet")
        return there[0]()

    outbox = Outbox(
        epoch=2,
        open_journal=open_journal,
        shelf=Shelf(tmp_path / "other"),
        clock=house.clock.stamp,
        monotonic=house.clock.monotonic,
    )
    there.append(lambda: open_ring(house.disk, SIZE, 0, lambda _: None))
    house.clock.advance(60.0)
    outbox.step()
    assert "run 50" in outbox.stats().storage


def test_a_journal_that_cannot_be_opened_at_the_start_is_told_once(tmp_path: Path) -> None:
    """A read-only disk without a directory for it."""
    clock, said, writable = FakeClock(), list[str](), list[SimulatedDisk]()

    def open_journal() -> Journal:
        if not writable:
            raise JournalFault("journal: cannot be opened: EROFS")
        return open_ring(writable[0], SIZE, 0, said.append)

    outbox = Outbox(
        epoch=2,
        open_journal=open_journal,
        shelf=Shelf(tmp_path / "shelf"),
        clock=clock.stamp,
        monotonic=clock.monotonic,
        report=said.append,
    )
    for _ in range(50):
        clock.advance(5.0)
        outbox.step()
    assert said == ["storage fails, going on from memory: journal: cannot be opened: EROFS"]
    assert "EROFS" in outbox.stats().storage
    writable.append(SimulatedDisk())
    clock.advance(60.0)
    outbox.step()
    assert said[1:] == ["storage works again"]
    assert outbox.stats().storage == "ok"


def test_the_thread_of_the_writer_ends_with_everything_on_disk(tmp_path: Path) -> None:
    disk, clock = SimulatedDisk(), FakeClock()
    outbox = Outbox(
        epoch=1,
        open_journal=lambda: open_ring(disk, SIZE, 0, lambda _: None),
        shelf=Shelf(tmp_path / "shelf"),
        clock=clock.stamp,
        commit_every=60.0,
    )
    outbox.start()
    key = outbox.append(Sample("attic", clock.stamp(), (Reading("temperature", 1.0),))).key
    eventually(lambda: outbox.busy_since is None, "the writer waits")
    assert outbox.close(60)
    again = open_ring(disk, SIZE, 0, lambda _: None)
    assert [record.key for record in again.read(None, 10)] == [key]
    mark = again.mark()
    assert mark is not None
    assert (mark.clean, mark.last_seq) == (True, 1)
