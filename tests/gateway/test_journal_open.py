"""Which journal is opened: set aside, moved from one kind to the other, or new."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.build_ground import journal_of
from gateway.config import parse
from gateway.journal import Journal, JournalFault, Mark
from gateway.journal_format import HEADER, Header, pack_header
from gateway.journal_look import look_at
from gateway.journal_move import FILES, OTHER
from gateway.journal_open import open_journal
from gateway.model import Key
from tests.gateway.journal_contract import fill, keys, record

SIZE = 2 << 20
Open = Callable[[str], Journal]


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def open_as(tmp_path: Path, said: list[str]) -> Open:
    return lambda store: open_journal(tmp_path, size=SIZE, store=store, report=said.append)


@pytest.mark.parametrize("store", ["ring", "sqlite"])
def test_what_the_other_kind_held_is_moved(
    open_as: Open, tmp_path: Path, said: list[str], store: str
) -> None:
    old = open_as(OTHER[store])
    fill(old, 1, 1200, size=100)
    old.forget([Key(1, 1), Key(1, 700)])
    mark = Mark(1, 1200, True, Key(1, 1200))
    old.set_mark(mark)
    expected = old.read(None, 2000)
    old.close()
    new = open_as(store)
    assert new.read(None, 2000) == expected
    assert new.mark() == mark
    assert not (tmp_path / FILES[OTHER[store]]).exists()
    assert said == [f"journal: 1198 entries moved from {OTHER[store]} to {store}"]
    new.append([record(1, epoch=2)])
    new.close()
    assert open_as(store).usage().kept == 1199


def test_a_move_that_a_crash_ended_is_gone_on_with(open_as: Open) -> None:
    old = open_as("sqlite")
    fill(old, 1, 50)
    old.close()
    half = open_as("ring")  # moves all of it
    half.close()
    again = open_as("sqlite")
    again.close()
    assert keys(open_as("ring").read(None, 100)) == list(range(1, 51))


def test_a_move_begun_is_not_begun_anew(
    open_as: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = open_as("sqlite")
    fill(old, 1, 1500, size=50)
    old.close()
    from gateway import journal_move

    with monkeypatch.context() as patch:
        patch.setattr(journal_move, "_remove", lambda path: None)
        open_as("ring").close()
    assert (tmp_path / "journal.db").exists()
    ring = open_as("ring")
    assert keys(ring.read(None, 2000)) == list(range(1, 1501))
    assert not (tmp_path / "journal.db").exists()


def test_what_does_not_fit_stays_where_it_is(
    open_as: Open, tmp_path: Path, said: list[str]
) -> None:
    large = open_journal(tmp_path, size=2 * SIZE, store="sqlite", report=said.append)
    fill(large, 1, 2500)
    large.close()
    journal = open_as("ring")
    assert journal.usage().kept == 2500
    assert "sqlite is used on" in said[0]
    assert not (tmp_path / "journal").exists()


def test_one_that_is_older_than_the_one_in_use_is_left_alone(
    open_as: Open, tmp_path: Path, said: list[str]
) -> None:
    ring = open_as("ring")
    ring.append([record(1)])
    ring.set_mark(Mark(1, 1, True, Key(1, 1)))
    ring.close()
    stray = open_journal(tmp_path / "elsewhere", size=SIZE, store="sqlite", report=said.append)
    stray.append([record(7)])
    stray.close()
    (tmp_path / "elsewhere" / "journal.db").rename(tmp_path / "journal.db")
    assert keys(open_as("ring").read(None, 10)) == [1]
    assert "left alone" in said[0]
    assert (tmp_path / "journal.db").exists()


def test_case_48_a_newer_format_is_set_aside_with_its_version_named(
    open_as: Open, tmp_path: Path, said: list[str]
) -> None:
    ring = open_as("ring")
    ring.append([record(1)])
    ring.close()
    header = bytearray(pack_header(Header(7)))
    header[8] = 9
    header[HEADER.size : HEADER.size + 4] = zlib.crc32(header[: HEADER.size]).to_bytes(4, "little")
    with (tmp_path / "journal" / "0000.seg").open("r+b") as file:
        file.write(header)
    before = (tmp_path / "journal" / "0000.seg").read_bytes()
    fresh = open_as("ring")
    assert fresh.read(None, 10) == []
    assert "journal format 9" in said[0]
    [aside] = tmp_path.glob("journal.format-9-*")
    assert aside.name in said[0]
    assert aside.name == "journal.format-9-1"
    assert (aside / "0000.seg").read_bytes() == before


@pytest.mark.parametrize("store", ["ring", "sqlite"])
def test_case_10_what_is_no_journal_at_all_is_set_aside(
    open_as: Open, tmp_path: Path, said: list[str], store: str
) -> None:
    (tmp_path / FILES[store]).write_bytes(b"This is no journal. " * 1000)
    journal = open_as(store)
    journal.append([record(1)])
    assert keys(journal.read(None, 10)) == [1]
    [aside] = tmp_path.glob(f"{FILES[store]}.unreadable-*")
    assert aside.name in said[0]


def test_a_database_is_set_aside_with_its_companions(
    open_as: Open, tmp_path: Path, said: list[str]
) -> None:
    """Either is worthless without the other, and a wal of another database spoils the next."""
    names = ["journal.db", "journal.db-wal", "journal.db-shm"]
    for name in names:
        (tmp_path / name).write_bytes(name.encode() * 1000)
    open_as("sqlite").close()
    aside = [tmp_path / name.replace(".db", ".db.unreadable-1") for name in names]
    assert [path.read_bytes() for path in aside[:2]] == [n.encode() * 1000 for n in names[:2]]
    assert aside[2].exists()
    assert "journal.db.unreadable-1" in said[0]


def test_a_locked_database_is_a_fault_and_not_set_aside(open_as: Open, tmp_path: Path) -> None:
    open_as("sqlite").close()
    with sqlite3.connect(tmp_path / "journal.db") as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(JournalFault):
            open_as("sqlite")
    assert [path.name for path in tmp_path.glob("*unreadable*")] == []


@pytest.mark.parametrize("store", ["ring", "sqlite"])
def test_what_is_to_stay_free_makes_the_journal_smaller(
    tmp_path: Path, said: list[str], store: str
) -> None:
    journal = open_journal(
        tmp_path, size=64 << 20, store=store, keep_free=1 << 50, report=said.append
    )
    assert journal.usage().bytes_limit <= 8 << 20
    journal.append([record(1)])
    assert sum(path.stat().st_size for path in tmp_path.rglob("*")) < 10 << 20


def test_who_only_looks_does_not_say_how_much_room_is_left(open_as: Open, tmp_path: Path) -> None:
    journal = open_as("sqlite")
    fill(journal, 1, 20)
    journal.close()
    usage = look_at(tmp_path / FILES["sqlite"]).usage()
    assert (usage.kept, usage.room, usage.mean) == (20, 0, 0.0)


def test_what_is_wrong_at_every_try_is_said_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is full at the start is tried every half minute."""

    def fail(*_: object, report: Callable[[str], None], **__: object) -> Journal:
        report("journal: 16 segments could not be made")
        raise JournalFault("only 0 of 16")

    monkeypatch.setattr("gateway.build_ground.open_journal", fail)
    settings, _ = parse('[gateway]\nid = "g"\n[upstream]\nurl = "mqtt://localhost"\n', "f", {})
    open_again = journal_of(settings)
    for _ in range(3):
        with pytest.raises(JournalFault):
            open_again()
    assert [record.message for record in caplog.records] == [
        "journal: 16 segments could not be made"
    ]
