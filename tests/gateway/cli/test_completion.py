"""The completion scripts: what bash offers, and that every verb is in each."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from gateway.cli.main import VERBS, main


def offered(script: Path, *words: str) -> set[str]:
    """What bash completes the last word to; `tidegate` itself is a stand-in."""
    line = " ".join(f"'{word}'" for word in ("tidegate", *words))
    code = (
        'tidegate() { [ "$*" = "drivers --names" ] && echo sml bme280; }\n'
        f"source '{script}'\nCOMP_WORDS=({line})\nCOMP_CWORD={len(words)}\n"
        '_tidegate\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return set(done.stdout.split())


@pytest.fixture
def bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", "bash"]) == 0
    script = tmp_path / "tidegate"
    script.write_text(capsys.readouterr().out)
    return script


def test_bash_completes_verbs_options_and_drivers(bash: Path) -> None:
    assert offered(bash, "") == {*VERBS, "--help", "--version"}
    assert offered(bash, "de") == {"decode", "demo"}
    assert offered(bash, "check", "--") == {"--help", "--json"}
    assert offered(bash, "decode", "s") == {"sml"}
    assert offered(bash, "completion", "") >= {"bash", "zsh", "fish"}
    assert offered(bash, "nonsense", "x") == set()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_verb_is_in_every_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(verb in script.split() or f"{verb}:" in script for verb in VERBS)
    assert "tidegate drivers --names" in script


def test_an_unknown_shell_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["completion", "tcsh"])
    assert raised.value.code == 2
    assert "invalid choice: 'tcsh'" in capsys.readouterr().err
