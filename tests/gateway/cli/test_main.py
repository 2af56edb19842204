"""The verbs: each has a help with examples, and only the asked one is loaded."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys

import pytest

from gateway.cli import main


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
