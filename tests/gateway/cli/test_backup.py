"""A gateway moves to another card: same name, same ledger, numbers that were never given before."""

from __future__ import annotations

import io
import json
import sqlite3
import subprocess
import sys
import tarfile
import time
from contextlib import closing
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.state import EPOCH_ZERO, Store

CONFIG = """
[gateway]
id = "cellar"
state = "{state}"
[upstream]
url = "mqtt://localhost"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "old" / "gateway.toml"
    path.parent.mkdir()
    path.write_text(CONFIG.format(state=tmp_path / "old" / "state"))
    store = Store(tmp_path / "old" / "state" / "state.db")
    store.next_epoch()
    store.close()
    return path


@pytest.fixture
def backup(config: Path, tmp_path: Path) -> Path:
    file = tmp_path / "cellar.tar.gz"
    assert main(["backup", str(file), str(config)]) == 0
    return file


def epoch_of(state: Path) -> int:
    with closing(sqlite3.connect(state / "state.db")) as db:
        return int(db.execute("select value from meta where key = 'epoch'").fetchone()[0])


def test_it_is_readable_by_its_owner_alone(backup: Path) -> None:
    assert backup.stat().st_mode & 0o777 == 0o600
    with tarfile.open(backup) as archive:
        assert archive.getnames() == ["manifest.json", "config/gateway.toml", "state/state.db"]


def test_there_and_back(backup: Path, config: Path, tmp_path: Path) -> None:
    state = tmp_path / "old" / "state"
    before = epoch_of(state)
    for path in state.glob("state.db*"):
        path.unlink()
    assert main(["restore", str(backup), "--to", str(tmp_path / "new")]) == 0
    assert (tmp_path / "new" / "gateway.toml").read_text() == config.read_text()
    assert epoch_of(state) > before
    assert epoch_of(state) > time.time() // 60 - EPOCH_ZERO - 1


def test_a_state_that_is_here_is_not_replaced_without_a_word(
    backup: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = ["--to", str(tmp_path / "new")]
    assert main(["restore", str(backup), *to]) == 1
    assert "--force" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_force_replaces_it(backup: Path, tmp_path: Path) -> None:
    # In a process of its own: the lock on the state is held as long as the process lives.
    command = [sys.executable, "-m", "gateway", "restore", str(backup), "--force"]
    done = subprocess.run([*command, "--to", str(tmp_path / "new")], timeout=60, check=False)
    assert done.returncode == 0


def test_beside_a_gateway_that_runs_it_is_refused(backup: Path, tmp_path: Path) -> None:
    state = tmp_path / "old" / "state"
    program = (
        "import sys; from pathlib import Path; from gateway.lock import hold;"
        "hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as runs:
        assert runs.stdout is not None
        assert runs.stdout.readline() == b"held\n"
        command = [sys.executable, "-m", "gateway", "restore", str(backup), "--force"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        runs.kill()
    assert done.returncode == 1
    assert "another gateway" in done.stderr


@pytest.mark.parametrize("content", [b"no archive", b"\x1f\x8b\x08\x00", b""])
def test_what_is_no_archive_is_refused_in_a_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "odd.tar.gz"
    file.write_bytes(content)
    assert main(["restore", str(file)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{file} is no backup of a gateway" in line


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"x": b"y"}, "no backup"),
        ({"manifest.json": b"{"}, "no backup"),
        (
            {"manifest.json": json.dumps(
                {"format": 99, "version": "9", "gateway": "g", "made": "", "config": "c"}
            ).encode()},
            "made by version 9",
        ),
        ({"../outside": b""}, "outside"),
    ],
)  # fmt: skip
def test_other_files_are_refused(
    members: dict[str, bytes], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "odd.tar.gz"
    with tarfile.open(file, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert main(["restore", str(file), "--to", str(tmp_path / "new")]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / "outside").exists()


def test_without_a_state_there_is_nothing_to_back_up(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(state=tmp_path / "none"))
    assert main(["backup", str(tmp_path / "b.tar.gz"), str(config)]) == 1
    assert "no state here yet" in capsys.readouterr().err
    assert not (tmp_path / "b.tar.gz").exists()
