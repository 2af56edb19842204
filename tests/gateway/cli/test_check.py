"""`tidegate check`: what a person sees, what a program gets, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.cli.main import main

GOOD = """\
[gateway]
id = "gw"
[upstream]
url = "mqtt://localhost"
[[device]]
name = "host"
driver = "host"
"""
BAD = GOOD.replace('url = "mqtt', '\twndow = 5\nurl = "mqtt').replace('"host"\n', '"hots"\n', 2)


def test_a_good_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD)
    assert main(["check", str(file)]) == 0
    assert capsys.readouterr().out == "gateway gw with 1 device: 0 errors, 0 warnings\n"


def test_errors_are_shown_in_their_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text(BAD)
    assert main(["check", str(file)]) == 78
    assert (
        capsys.readouterr().out
        == f"""\
{file}:4: upstream.wndow: unknown key
    4 | \twndow = 5
      | \t^
      hint: did you mean "window"?
{file}:8: device[hots].driver: there is no driver "hots"
    8 | driver = "hots"
      | ^
      hint: did you mean "host"?
2 errors, 0 warnings
"""
    )


def test_warnings_do_not_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD.replace("[[device", 'username = "u"\npassword = "hunter2"\n[[device'))
    assert main(["check", str(file)]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{file}:6: upstream.password: warning: whoever reads this file")
    assert "hunter2" not in out
    assert out.endswith("0 errors, 1 warning\n")


def test_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.toml"
    file.write_text(BAD)
    assert main(["check", "--json", str(file)]) == 78
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is False
    assert found["warnings"] == []
    assert found["errors"][0] == {
        "file": str(file),
        "line": 4,
        "column": 2,
        "path": "upstream.wndow",
        "message": "unknown key",
        "hint": 'did you mean "window"?',
        "source": "\twndow = 5",
    }


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "/nonexistent.toml"]) == 78
    assert "/nonexistent.toml: No such file or directory\n" in capsys.readouterr().out
