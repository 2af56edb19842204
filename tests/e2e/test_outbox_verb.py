"""`tidegate outbox` beside a gateway that runs, on a copy, and on what is damaged."""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import records
from gateway.cli import local_page, main
from gateway.journal import Record
from gateway.journal_open import open_journal
from gateway.journal_segment import name_of
from gateway.model import Key, Klass, Reading, Sample, Stamp
from gateway.shelf import KEPT, RETRY, Shelf
from tests.brokers import Mosquitto, eventually
from tests.e2e.house import PATIENCE, SIZE, Gateway, configure, kept_on_disk

NOBODY = "mqtt://127.0.0.1:9"
STAMP = Stamp(1795442400.0, 10.0, "abcd1234", True)


def record(seq: int) -> Record:
    sample = Sample("cellar", STAMP, (Reading("temperature", float(seq)),))
    return Record(Key(1, seq), Klass.TELEMETRY, STAMP.wall, "cellar", records.encode(sample))


def outbox(*arguments: str) -> int:
    return main.main(["outbox", *arguments])


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    house = Gateway(tmp_path / "gateway.toml")
    yield house
    if house.status is None:
        house.end(signal.SIGKILL)


@pytest.mark.parametrize("store", ["sqlite", "ring"])
def test_beside_a_gateway_that_writes(
    tmp_path: Path, gateway: Gateway, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, NOBODY, store=store, rate=40, commit_every=0.05)
    place = ("--config", str(config))
    shelf = Shelf(tmp_path / "state" / "shelf")
    shelf.put(record(9), "quota exceeded")
    shelf.put(record(10), "quota exceeded")
    (tmp_path / "state" / "shelf" / "1-10.json").write_text("{}")
    gateway.start()
    eventually(lambda: kept_on_disk(tmp_path / "state", store) >= 30, "30 on disk", PATIENCE)

    assert outbox("stats", "--json", *place) == 0
    stats = json.loads(capsys.readouterr().out)
    assert stats["running"] and stats["kept"] >= 30 and stats["shelved"] == 2
    assert 0 < stats["bytes_used"] <= stats["bytes_limit"]

    assert outbox("peek", "-n", "3", *place) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["ENTRY", "TIME", "CLASS", "DEVICE", "CONTENT"]
    assert len(rows) == 3 and rows[0].split()[0].endswith("-1")

    assert outbox("export", *place) == 0
    entries = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(entries) >= 30
    assert [entry["seq"] for entry in entries] == list(range(1, len(entries) + 1))
    assert {entry["device"] for entry in entries} >= {"cellar", "attic"}

    assert outbox("verify", *place) == 0
    assert "all of it can be read" in capsys.readouterr().out

    assert outbox("shelf", "discard", "--all", *place) == 0
    eventually(lambda: shelf.keys() == {Key(1, 10): KEPT}, "the readable one is gone", PATIENCE)
    page = tmp_path / "state" / "status.sock"
    dropped = {"discarded": 1}
    eventually(lambda: local_page.status(page)["outbox"]["dropped"] == dropped, "it is counted")
    assert gateway.end(signal.SIGTERM) == 0


def test_what_the_shelf_is_asked_to_retry_is_sent(
    tmp_path: Path, gateway: Gateway, broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configure(tmp_path, broker.url, store="ring", rate=2, commit_every=0.05)
    shelf = Shelf(tmp_path / "state" / "shelf")
    shelf.put(record(9), "quota\x1b exceeded")
    shelf.put(record(10), "quota exceeded")
    assert outbox("shelf", "--config", str(config)) == 0
    listed = capsys.readouterr().out
    assert "1-9" in listed and "quota· exceeded" in listed
    assert outbox("shelf", "retry", "1-9", "1-77", "--config", str(config)) == 1
    assert "1-77 is not on the shelf" in capsys.readouterr().err
    assert shelf.keys()[Key(1, 9)] == RETRY
    gateway.start()
    eventually(lambda: list(shelf.keys()) == [Key(1, 10)], "1-9 off the shelf", PATIENCE)
    assert outbox("shelf", "retry", "--all", "--config", str(config)) == 0
    eventually(lambda: not shelf.keys(), "1-10 off the shelf", PATIENCE)
    assert gateway.end(signal.SIGTERM) == 0


def filled(state: Path, store: str, count: int) -> Path:
    """A journal with so many entries, closed; where it is."""
    journal = open_journal(state, size=SIZE, store=store, report=lambda text: None)
    journal.append([record(seq) for seq in range(1, count + 1)])
    journal.close()
    return state / ("journal" if store == "ring" else "journal.db")


def digest(path: Path) -> dict[str, str]:
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    return {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in files}


@pytest.mark.parametrize("store", ["sqlite", "ring"])
def test_a_copy_is_checked_and_not_touched(
    tmp_path: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    journal, copy = filled(tmp_path / "state", store, 1200), tmp_path / "copy" / "j"
    copy.parent.mkdir()
    if journal.is_dir():
        shutil.copytree(journal, copy)
    else:
        shutil.copy(journal, copy)
    before = digest(copy)
    assert outbox("verify", str(copy)) == 0
    assert "1 200 telemetry" in capsys.readouterr().out
    assert digest(copy) == before
    assert outbox("export", "--state", str(tmp_path / "state")) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1200
    assert outbox("stats", "--state", str(tmp_path / "state")) == 0
    shown = capsys.readouterr().out
    assert "1 200 kept" in shown and "no gateway answers here" in shown


def test_damage_of_a_ring_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = filled(tmp_path / "state", "ring", 300)
    segment = journal / name_of(0)
    data = bytearray(segment.read_bytes())
    at = data.index(b"125.0")
    data[at] ^= 1
    segment.write_bytes(data)
    assert outbox("verify", str(journal)) == 1
    shown = capsys.readouterr().out
    assert "DAMAGED" in shown and "1 records in 0000.seg are damaged" in shown
    assert "299 telemetry" in shown


def test_damage_of_a_database_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = filled(tmp_path / "state", "sqlite", 300)
    with sqlite3.connect(journal) as db:
        db.execute(
            "UPDATE record SET payload = 'no record' WHERE id = (SELECT max(id) FROM record)"
        )
    db.close()
    assert outbox("verify", str(journal)) == 1
    assert "1-300: not a record" in capsys.readouterr().out
    journal.write_bytes(b"no database at all, whatever its name says" * 50)
    assert outbox("verify", str(journal)) == 1
    assert "cannot be read" in capsys.readouterr().err


def test_what_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    for arguments, said in (
        (["verify", str(tmp_path / "nothing")], "there is no journal"),
        (["verify", str(tmp_path / "empty")], "there is no ring"),
        (["peek", "--state", str(tmp_path)], "there is no journal"),
        (["shelf", "retry", "--state", str(tmp_path)], "which entries?"),
        (["shelf", "discard", "seven", "--state", str(tmp_path)], "'seven' is no entry"),
        (["shelf", "discard", "1-9", "--all", "--state", str(tmp_path)], "not both"),
        (["shelf", "--state", str(tmp_path / "nowhere")], "there is no such directory"),
    ):
        assert outbox(*arguments) == 1
        assert said in capsys.readouterr().err
    assert outbox("shelf", "--state", str(tmp_path)) == 0
    assert "the shelf is empty" in capsys.readouterr().out
    assert outbox("stats", "--config", str(tmp_path / "none.toml")) == 78


def test_what_cannot_be_decoded_is_exported_byte_by_byte(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    payload = bytes(range(256))
    journal = open_journal(tmp_path, size=SIZE, report=lambda text: None)
    journal.append([Record(Key(1, 1), Klass.TELEMETRY, 0.0, "cellar", payload)])
    journal.close()
    assert outbox("export", "--state", str(tmp_path)) == 0
    [line] = capsys.readouterr().out.splitlines()
    assert json.loads(line)["record"].encode("utf-8", "surrogateescape") == payload


def test_an_export_onto_a_full_disk_says_that_it_is_not_complete(tmp_path: Path) -> None:
    filled(tmp_path, "ring", 10)
    command = [sys.executable, "-m", "gateway", "outbox", "export", "--state", str(tmp_path)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == ("tidegate outbox: the export is not complete: No space left on device\n")


def test_who_may_not_read_it_is_told_who_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refused)
    for action in ("stats", "peek", "export", "shelf", "verify"):
        assert outbox(action, "--state", str(tmp_path)) == 1
        said = capsys.readouterr().err
        assert "Permission denied" in said and "run it as root" in said


def test_a_copy_made_in_the_middle_of_an_eviction_is_readable(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = open_journal(tmp_path, size=SIZE, report=lambda text: None)
    journal.append([record(seq) for seq in range(1, 8001)])
    journal.settle(sync=True)
    before = digest(tmp_path / "journal")
    shutil.copytree(tmp_path / "journal", tmp_path / "copy")
    pair = journal.chunks()[:2]
    journal.evict(pair, {r.key for r in journal.records(pair) if r.key.seq % 4}, 1)
    changed = [n for n, d in digest(tmp_path / "journal").items() if before.get(n) != d]
    for name in (name for name in changed if name.endswith(".seg")):
        data = (tmp_path / "journal" / name).read_bytes()
        (tmp_path / "copy" / name).write_bytes(data[:-512] + bytes(512))
    assert outbox("verify", str(tmp_path / "copy")) == 0
    assert "8 000 telemetry" in capsys.readouterr().out
