from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.appliances import answer
from gateway.ledger import Intent
from gateway.model import Command, Outcome, Result, Stamp
from gateway.state import KEEP_COMMANDS, PRUNE_EVERY, StateFault, Store

THEN = Stamp(1_800_000_000.0, 50.0, "b0071d00", True)
COMMAND = Command("a1", "pump", True, THEN, response_topic="reply/here", correlation=b"\x01\xff")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    store = Store(path)
    yield store
    store.close()


def test_epochs_only_grow(path: Path) -> None:
    epochs = []
    for _ in range(3):
        store = Store(path)
        epochs.append(store.next_epoch())
        store.close()
    assert epochs == [epochs[0], epochs[0] + 1, epochs[0] + 2]
    assert epochs[0] > 0


def test_the_journal_may_know_of_a_later_epoch(store: Store) -> None:
    first = store.next_epoch()
    store.raise_epoch(first + 10)
    store.raise_epoch(first + 5)
    assert store.next_epoch() == first + 11


def test_a_state_made_anew_does_not_number_from_the_beginning(tmp_path: Path) -> None:
    """The clock keeps a replaced card from using numbers that the far end has seen."""
    assert Store(tmp_path / "new.db").next_epoch() > 900_000


def test_an_intent_is_open_until_it_is_concluded(store: Store) -> None:
    assert store.known("pump", "a1", THEN) is None
    store.begin(COMMAND, THEN.wall + 30)
    known = store.known("pump", "a1", THEN)
    assert known == Intent(replace(COMMAND, expires=THEN.wall + 30), THEN.wall + 30)
    assert store.open_intents(THEN) == [known]
    store.conclude(answer(COMMAND, Outcome.DONE, THEN, "", True))
    result = store.known("pump", "a1", THEN)
    assert isinstance(result, Result)
    assert (result.outcome, result.state, result.id) == (Outcome.DONE, True, "a1")
    assert store.open_intents(THEN) == []


def test_the_same_id_for_another_device_is_another_command(store: Store) -> None:
    store.begin(COMMAND, None)
    assert store.known("heater", "a1", THEN) is None


def test_an_id_is_begun_once(store: Store) -> None:
    store.begin(COMMAND, None)
    with pytest.raises(StateFault, match="UNIQUE"):
        store.begin(COMMAND, None)
    store.conclude(answer(COMMAND, Outcome.DONE, THEN))


def test_everything_is_there_after_a_restart(path: Path) -> None:
    store = Store(path)
    store.begin(COMMAND, THEN.wall + 30)
    store.remember("output", "pump", {"value": 0.5})
    store.remember("output", "pump", {"value": 0.7})
    store.remember_total("meter", "energy", 1234.5)
    store.remember_anchor("b0071d00", 1e9)
    store.close()
    again = Store(path)
    assert len(again.open_intents(THEN)) == 1
    assert again.recall("output") == {"pump": {"value": 0.7}}
    assert again.recall("other") == {}
    assert again.total("meter", "energy") == 1234.5
    assert again.total("meter", "other") == 0.0
    assert again.anchors() == {"b0071d00": 1e9}
    again.close()


def test_old_commands_are_forgotten_late(store: Store) -> None:
    """Known for a day at least, and among the newest 10,000 for longer (case C4)."""
    old = Stamp(THEN.wall - 90_000, 0.0, "b0071d00", True)
    for number in range(PRUNE_EVERY):
        command = Command(f"n{number}", "pump", True, old)
        store.begin(command, None)
        store.conclude(answer(command, Outcome.DONE, THEN))
    assert store.known("pump", "n0", THEN) is not None
    assert KEEP_COMMANDS >= 10_000


@pytest.mark.parametrize("damage", [b"", b"garbage" * 1000])
def test_a_corrupt_file_is_set_aside_with_its_companions(path: Path, damage: bytes) -> None:
    """Case 11: start always, say what happened, and do not know old ids."""
    store = Store(path)
    store.begin(COMMAND, None)
    store.close()
    if not damage:
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xff" * 8192)
    else:
        path.write_bytes(damage)
    again = Store(path)
    assert str(path) in again.reset
    assert again.known("pump", "a1", THEN) is None
    again.begin(COMMAND, None)
    again.close()
    assert len(list(path.parent.glob("state.db.corrupt-*"))) == 1


def test_a_full_database_says_so_and_still_reads(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.state_file.PAGES", 12)
    store = Store(path)

    def fill() -> None:
        for number in range(1000):
            store.begin(replace(COMMAND, id=f"{number:064}"), None)

    with pytest.raises(StateFault, match="full"):
        fill()
    assert store.known("pump", f"{0:064}", THEN) is not None
    store.close()


def test_a_full_ledger_forgets_what_it_may(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise one full day would refuse commands for ever."""
    monkeypatch.setattr("gateway.state_file.PAGES", 16)
    monkeypatch.setattr("gateway.state.KEEP_COMMANDS", 5)
    store = Store(path)

    def fill(received: Stamp, prefix: str) -> int:
        for number in range(1000):
            command = replace(COMMAND, id=f"{prefix}{number:062}", received=received)
            try:
                store.begin(command, None)
                store.conclude(answer(command, Outcome.DONE, received))
            except StateFault:
                return number
        raise AssertionError("it never was full")

    assert fill(THEN, "a") > 5
    tomorrow = Stamp(THEN.wall + 90_000, 90_050.0, "b0071d00", True)
    assert fill(tomorrow, "b") > 5
    assert store.known("pump", f"a{0:062}", tomorrow) is None
    assert store.known("pump", f"b{0:062}", tomorrow) is not None
    store.close()


def test_where_no_file_can_be_the_gateway_starts_and_begins_nothing(tmp_path: Path) -> None:
    """Case 12: telemetry goes on, commands are refused."""
    (tmp_path / "file").touch()
    store = Store(tmp_path / "file" / "state.db")
    assert "file" in store.volatile
    assert store.next_epoch() > 0
    with pytest.raises(StateFault, match="cannot be kept"):
        store.begin(COMMAND, None)


class ReadOnly:
    """A state's file on a disk that takes nothing for now."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self._patch = monkeypatch

    def begins(self, shared: bool = True) -> None:
        """As SQLite has it: a file that is there can be opened to be read, and no other way.
        shared: whether the -shm file can be had that goes with a -wal file."""
        real: Any = sqlite3.connect

        def connect(database: object, **options: object) -> object:
            no_shm = not shared and str(database).endswith("?mode=ro")
            if database == self.path or no_shm:
                raise sqlite3.OperationalError("attempt to write a readonly database")
            return real(database, **options)

        self._patch.setattr("gateway.state_file.sqlite3.connect", connect)

    def ends(self) -> None:
        self._patch.undo()


@pytest.fixture
def disk(path: Path, monkeypatch: pytest.MonkeyPatch) -> ReadOnly:
    return ReadOnly(path, monkeypatch)


def used(path: Path, end: bool = True) -> Store:
    """What a run leaves; end: in good order."""
    store = Store(path)
    store.next_epoch()
    store.begin(COMMAND, None)
    store.conclude(answer(COMMAND, Outcome.DONE, THEN, "", True))
    store.begin(replace(COMMAND, id="open"), None)
    store.remember("gateway", "locked", True)
    store.remember_total("meter", "energy", 1234.5)
    store.remember_anchor("b0071d00", 1e9)
    if end:
        store.close()
    return store


@pytest.mark.parametrize("end", [True, False])
def test_a_state_that_can_only_be_read_is_known_and_kept_once_it_can_be(
    path: Path, disk: ReadOnly, end: bool
) -> None:
    """A card that went read-only: the lock holds, ids are known, totals go on. Not closed in good
    order, the newest is in the -wal file."""
    before = used(path, end)
    run = Store(path).last_epoch()
    assert run is not None
    disk.begins()
    store = Store(path)
    assert store.volatile
    assert store.last_epoch() == run
    epoch = store.next_epoch()
    assert epoch > run
    assert isinstance(store.known("pump", "a1", THEN), Result)
    assert [intent.command.id for intent in store.open_intents(THEN)] == ["open"]
    assert store.recall("gateway") == {"locked": True}
    assert store.total("meter", "energy") == 1234.5
    assert store.anchors() == {"b0071d00": 1e9}
    store.remember_total("meter", "energy", 1240.0)
    store.remember("output", "pump", {"value": True})
    with pytest.raises(StateFault, match="cannot be kept"):
        store.begin(replace(COMMAND, id="a2"), None)
    assert not store.recover()
    disk.ends()
    assert store.recover()
    assert store.volatile == ""
    store.begin(replace(COMMAND, id="a2"), None)
    store.close()
    before.close()
    after = Store(path)
    assert after.volatile == after.reset == ""
    assert after.next_epoch() == epoch + 1
    assert isinstance(after.known("pump", "a1", THEN), Result)
    assert isinstance(after.known("pump", "a2", THEN), Intent)
    assert after.total("meter", "energy") == 1240.0
    assert after.recall("output") == {"pump": {"value": True}}
    assert after.recall("gateway") == {"locked": True}
    after.close()


@pytest.mark.parametrize(("wal", "known"), [(None, True), (b"", True), (b"newer", False)])
def test_without_the_newest_the_file_is_not_known(
    path: Path, disk: ReadOnly, wal: bytes | None, known: bool
) -> None:
    """A disk that is full has no place for a -shm file, and what a try left of a -wal file is
    empty. One that is not has the newest, which nobody can read without the other."""
    used(path)
    beside = path.with_name(path.name + "-wal")
    if wal is not None:
        beside.write_bytes(wal)
    disk.begins(shared=False)
    store = Store(path)
    store.next_epoch()
    assert isinstance(store.known("pump", "a1", THEN), Result) is known
    disk.ends()
    assert store.recover() is known
    assert ("another run" in store.volatile) is not known
    store.close()


def test_where_there_was_no_file_one_is_made(path: Path, disk: ReadOnly) -> None:
    disk.begins()
    store = Store(path)
    epoch = store.next_epoch()
    disk.ends()
    assert store.recover()
    store.close()
    assert Store(path).next_epoch() == epoch + 1


def test_a_state_that_was_not_there_at_the_start_is_not_overwritten(
    path: Path, disk: ReadOnly
) -> None:
    """A partition that is mounted later: its ids, its lock and its epoch are not those of this run,
    so no command may run."""
    disk.begins()
    store = Store(path)
    store.next_epoch()
    disk.ends()
    used(path)
    assert not store.recover()
    assert "another run" in store.volatile
    with pytest.raises(StateFault, match="systemctl restart"):
        store.begin(replace(COMMAND, id="a2"), None)
    store.close()
    after = Store(path)
    assert isinstance(after.known("pump", "a1", THEN), Result)
    assert after.recall("gateway") == {"locked": True}
    after.close()


def test_a_state_that_another_run_wrote_meanwhile_is_not_overwritten(
    path: Path, disk: ReadOnly
) -> None:
    used(path)
    disk.begins()
    store = Store(path)
    store.next_epoch()
    disk.ends()
    used_again = Store(path)
    used_again.next_epoch()
    used_again.begin(replace(COMMAND, id="elsewhere"), None)
    used_again.close()
    assert not store.recover()
    assert "another run" in store.volatile
    store.close()
    assert Store(path).known("pump", "elsewhere", THEN) is not None


def test_a_disk_that_fails_again_while_the_state_is_written_changes_nothing(
    path: Path, disk: ReadOnly, monkeypatch: pytest.MonkeyPatch
) -> None:
    used(path)
    disk.begins()
    store = Store(path)
    epoch = store.next_epoch()
    disk.ends()
    monkeypatch.setattr("gateway.state_file.PAGES", 1)  # the least there can be: nothing more fits
    big = {str(number): "x" * 1000 for number in range(100)}
    store.remember("output", "pump", big)
    assert not store.recover()
    assert "readonly" in store.volatile
    monkeypatch.undo()
    assert store.recover()
    store.close()
    after = Store(path)
    assert after.recall("output") == {"pump": big}
    assert after.next_epoch() == epoch + 1


def test_a_number_that_cannot_be_kept_is_not_the_next_one(path: Path, disk: ReadOnly) -> None:
    """Two such runs would have the same."""
    store = Store(path)
    with store._transaction() as db:
        db.execute("insert into meta values ('epoch', 7)")
    store.close()
    disk.begins()
    assert Store(path).next_epoch() > 900_000


def test_a_first_write_that_fails_is_a_state_that_cannot_be_kept(path: Path) -> None:
    """After a crash the -wal file is there, and SQLite opens it on a read-only disk; a disk may be
    full, too. The gateway starts all the same."""
    used(path)
    run = Store(path).last_epoch()
    assert run is not None
    store = Store(path)
    store._db.execute("pragma query_only = on")  # the same error as with a read-only file
    assert store.next_epoch() > run
    assert "readonly" in store.volatile
    assert isinstance(store.known("pump", "a1", THEN), Result)
    with pytest.raises(StateFault, match="cannot be kept"):
        store.begin(replace(COMMAND, id="a2"), None)
    assert store.recover()
    store.begin(replace(COMMAND, id="a2"), None)
    store.close()
