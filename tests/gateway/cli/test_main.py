"""The verbs: each has a help with examples, and only the asked one is loaded."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.cli import main

SAMPLE = Path(__file__).parents[3] / "deploy/gateway.toml"


@pytest.mark.parametrize("verb", main.VERBS)
def test_help_has_examples_and_exit_codes(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(main.VERBS[verb])
    with pytest.raises(SystemExit) as raised:
        main.main([verb, "--help"])
    assert raised.value.code == 0
    shown = capsys.readouterr().out
    assert module.HELP in shown.replace("\n", " ")
    assert f"  tidegate {verb}" in shown
    assert "exit codes:" in shown


@pytest.mark.parametrize("verb", main.VERBS)
def test_a_verb_loads_no_other(verb: str) -> None:
    code = (
        "import sys; from gateway.cli import main\n"
        f"main.make_parser([{verb!r}])\n"
        "print(*[v for v, m in main.VERBS.items() if m in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == [verb]


def test_a_reader_that_goes_away_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    command = f"{sys.executable} -m gateway schema | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["statu"], 'no verb "statu"; did you mean "status"?'),
        (["zzz"], 'no verb "zzz"; `tidegate --help` lists them'),
    ],
)
def test_an_unknown_verb(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["schema", "x"], "usage: tidegate schema "),
        (["outbox", "stats", "x"], "usage: tidegate outbox stats "),
        (["--frob"], "usage: tidegate [-h]"),
    ],
)
def test_what_is_too_much_gets_the_usage_of_its_verb(
    arguments: list[str], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        main.main(arguments)
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(usage) and "unrecognized arguments" in error


@pytest.mark.parametrize(
    "arguments",
    [
        ["replay", "nowhere"],
        ["restore", "nowhere"],
        ["support", "nowhere"],
        ["send", "g", "d", "on", "--password-file", "nowhere"],
        ["audit", "--password-file", "nowhere"],
        ["simulate", str(SAMPLE), "nowhere"],
        ["safe", "."],
    ],
)
def test_a_file_that_is_missing_is_told_in_words(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(arguments) == 1
    error = capsys.readouterr().err
    assert "No such file or directory" in error
    assert "Errno" not in error


def test_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(args: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("gateway.cli.schema.run", interrupted)
    assert main.main(["schema"]) == 130


def test_without_a_verb_the_help(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    assert main.main([]) == 2
    assert all(verb in out.getvalue() for verb in main.VERBS)
