from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

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
    monkeypatch.setattr("gateway.state.PAGES", 12)
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
    monkeypatch.setattr("gateway.state.PAGES", 16)
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
