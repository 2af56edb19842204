"""What is installed beside the code: every script and file can at least be read by its reader."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parent.parent / "deploy"
SCRIPTS = [DEPLOY / "install.sh", *(DEPLOY / "debian" / n for n in ("postinst", "prerm", "postrm"))]
USER_DATA = DEPLOY / "cloud-init" / "user-data"


def shell_reads(text: str) -> str:
    """What sh finds wrong with it; empty if nothing."""
    return subprocess.run(
        ["sh", "-n"], input=text, capture_output=True, text=True, check=False, timeout=30
    ).stderr


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_shell(path: Path) -> None:
    assert shell_reads(path.read_text()) == ""
    assert "set -e" in path.read_text()


def test_shell_that_is_none_is_found() -> None:
    assert shell_reads("if true; then") != ""


def test_user_data_is_what_cloud_init_reads() -> None:
    text = USER_DATA.read_text()
    assert text.startswith("#cloud-config\n")
    data = yaml.safe_load(text)
    assert data["rpi"]["interfaces"]["i2c"] is True
    (script,) = data["write_files"]
    assert shell_reads(script["content"]) == ""
    assert data["runcmd"] == [[script["path"]]]


def test_the_unit_names_programs_and_options_that_there_are() -> None:
    from gateway.cli.main import VERBS

    unit = (DEPLOY / "systemd" / "tidegate.service").read_text()
    verbs = {word for word in unit.split() if word in VERBS}
    assert {"run", "safe"} <= verbs
    assert "StartLimitIntervalSec=0" in unit
    assert "RestartPreventExitStatus=78" in unit
