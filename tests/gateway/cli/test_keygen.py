"""`tidegate keygen`: a file for one's own eyes, and a block for the gateway."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from gateway.cli.main import main
from gateway.signatures import read_key


def test_writes_a_key_once_and_prints_its_other_half(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.key"
    command = ["keygen", "anna", "--out", str(file), "--role", "admin"]
    assert main(command) == 0
    (block,) = tomllib.loads(capsys.readouterr().out)["commander"]
    assert (block["name"], block["roles"]) == ("anna", ["admin"])
    assert file.stat().st_mode & 0o777 == 0o600
    name, _ = read_key(file.read_text())
    assert name == "anna"
    assert main(command) == 1
    assert "File exists" in capsys.readouterr().err


def test_refuses_a_name_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keygen", "Anna B"]) == 2
    assert "small letters" in capsys.readouterr().err
