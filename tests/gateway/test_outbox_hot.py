"""What is quick about the outbox and must not go wrong for it: waking, waiting, first writes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.journal import JournalFault, Mark, Record
from gateway.model import Key, Klass, Outcome, Reading, Result, Sample, Stamp
from gateway.outbox import Outbox
from gateway.shelf import Shelf
from gateway.store_memory import MemoryJournal

STAMP = Stamp(1795442400.0, 10.0, "abcd1234", True)
PATIENCE = 30.0


def sample(value: float = 1.0) -> Sample:
    return Sample("boiler", STAMP, (Reading("temperature", value),))


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Outbox]:
    def outbox(journal: MemoryJournal, **options: object) -> Outbox:
        return Outbox(
            epoch=1,
            open_journal=lambda: journal,
            shelf=Shelf(tmp_path / "shelf"),
            clock=lambda: STAMP,
            **options,  # type: ignore[arg-type]
        )

    return outbox


def test_who_takes_is_woken_once(make: Callable[..., Outbox]) -> None:
    outbox, woken = make(MemoryJournal(1 << 20)), []
    outbox.subscribe(lambda: woken.append(1))
    outbox.link_changed(True)
    assert outbox.take(10) == []
    first, _ = outbox.append(sample()), outbox.append(sample())
    assert len(woken) == 1
    ((entry, _),) = outbox.take(1)  # as much as was asked for: he will ask again
    assert entry == first
    outbox.append(sample())
    assert len(woken) == 1
    assert len(outbox.take(10)) == 2
    outbox.append(sample())
    assert len(woken) == 2
    outbox.returned([entry.key])  # nobody has taken since
    assert len(woken) == 2
    assert [e.key.seq for e, _ in outbox.take(10)] == [1, 4]
    outbox.returned([entry.key])
    assert len(woken) == 3


class Slow(MemoryJournal):
    """A disk whose next write waits until it is let go."""

    def __init__(self) -> None:
        super().__init__(1 << 20)
        self.go = threading.Event()

    def append(self, records: object) -> None:
        assert self.go.wait(PATIENCE)
        super().append(records)  # type: ignore[arg-type]


@pytest.mark.parametrize("durability", ["window", "each"])
def test_a_result_is_sent_while_the_disk_works_on_it(
    make: Callable[..., Outbox], durability: str
) -> None:
    """It is forwarded at once; `append` returns when it is on disk, or at the broker."""
    journal = Slow()
    outbox, woken = make(journal, durability=durability), threading.Event()
    outbox.subscribe(woken.set)
    outbox.link_changed(True)
    outbox.take(10)
    outbox.start()
    result = Result("a1", "lamp", STAMP, Outcome.DONE, state=True)
    appending = threading.Thread(target=outbox.append, args=(result,))
    appending.start()
    assert woken.wait(PATIENCE)
    ((entry, _),) = outbox.take(10)
    assert entry.klass is Klass.RESULT
    assert appending.is_alive()
    outbox.accepted([entry.key])
    appending.join(PATIENCE)
    assert not appending.is_alive()
    journal.go.set()
    assert outbox.close(PATIENCE)


class Unmarked(MemoryJournal):
    """A disk that is full when the run is to be marked as begun."""

    fails = 1

    def set_mark(self, mark: Mark) -> None:
        if self.fails:
            self.fails -= 1
            raise JournalFault("journal: cannot write the mark: no space left on device")
        super().set_mark(mark)


def test_a_mark_that_fails_does_not_write_its_group_twice(make: Callable[..., Outbox]) -> None:
    journal = Unmarked(1 << 20)
    told: list[str] = []
    outbox = make(journal, durability="each", report=told.append)
    outbox.append(sample())
    outbox.step()
    assert len(journal.read(None, 10)) == 1
    assert "cannot write the mark" in outbox.stats().storage
    outbox._writer._retry_at = 0.0
    outbox.append(sample())
    outbox.step()
    assert [record.key.seq for record in journal.read(None, 10)] == [1, 2]
    assert outbox.stats().storage == "ok"
    assert journal.mark() == Mark(1, 0, clean=False)
    assert len(told) == 2  # that it fails, and that it works again


def test_what_flies_and_what_is_not_noted_is_no_more_than_the_window(
    make: Callable[..., Outbox],
) -> None:
    """So many may come twice after a crash, and no more. W3d of the bench."""
    outbox = make(MemoryJournal(1 << 20), window=100)
    for value in range(400):
        outbox.append(sample(value))
    outbox.step()
    outbox.link_changed(True)
    done = 0
    outbox.take(1)  # somebody wants the backlog: it is read
    outbox.step()
    flying = 1
    while done < 400:
        taken = outbox.take(100 - flying)
        flying += len(taken)
        assert flying + len(outbox._core.forgets) <= 100
        answered = [*outbox._core.lanes.flying][:30]
        outbox.accepted(answered)
        done, flying = done + len(answered), flying - len(answered)
        if not taken:
            outbox.step()
    assert outbox.stats().kept == 0


def test_without_waiting_what_comes_during_one_sync_is_written_with_the_next(
    make: Callable[..., Outbox],
) -> None:
    journal = Slow()
    outbox = make(journal, durability="each")
    outbox.start()
    entries = [outbox.append(sample(value), wait=False) for value in range(50)]
    assert not outbox.settled(entries[-1].key, 0.0)
    journal.go.set()
    assert outbox.settled(entries[-1].key, PATIENCE)
    assert [record.key for record in journal.read(None, 100)] == [e.key for e in entries]
    assert outbox.close(PATIENCE)


def test_acknowledgements_are_noted_in_groups_while_no_backlog_waits(
    make: Callable[..., Outbox],
) -> None:
    """A live reading that was on disk already is no reason for a write of its own."""
    outbox = make(MemoryJournal(1 << 20), durability="each", window=100)
    outbox.step()
    outbox.link_changed(True)
    for value in range(10):
        outbox.append(sample(value))
        outbox.step()
        outbox.step()  # it looks once whether there is a backlog
        ((entry, _),) = outbox.take(10)
        outbox.accepted([entry.key])
        due = outbox._writer.due()
        assert due is not None
        assert due > 0.0
    assert len(outbox._core.forgets) == 10


def test_what_comes_back_while_the_backlog_is_read_is_not_passed_by(
    make: Callable[..., Outbox],
) -> None:
    """The writer reads without the lock: meanwhile the link may give back what is on disk."""
    journal = MemoryJournal(1 << 20)
    outbox = make(journal, commit_every=0.0)
    for _ in range(1000):
        outbox.append(sample())
    outbox.step()
    outbox.link_changed(True)
    outbox.step()
    first = [entry.key for entry, _ in outbox.take(400)]
    read = journal.read

    def slow(after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        found = read(after, limit, low)
        outbox.returned(first)
        return found

    journal.read = slow  # type: ignore[method-assign]
    outbox.step()
    del journal.read
    sent: list[int] = []
    while len(sent) < 1000:
        outbox.step()
        taken = [entry.key for entry, _ in outbox.take(100)]
        assert taken, "the backlog ended too early"
        outbox.accepted(taken)
        sent += [key.seq for key in taken]
    assert sent == list(range(1, 1001))
