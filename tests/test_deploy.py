"""What is installed beside the code: every script and file can at least be read by its reader."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.image.layout import FIRST, fstab, layout, script

DEPLOY = Path(__file__).parent.parent / "deploy"
SCRIPTS = [DEPLOY / "install.sh", *(DEPLOY / "debian" / n for n in ("postinst", "prerm", "postrm"))]
SCRIPTS += [DEPLOY / "image" / name for name in ("before", "first-boot")]
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


@pytest.mark.parametrize("used", [1, 400 << 20, 3 << 30])
@pytest.mark.parametrize("journal", [2 << 20, 64 << 20, 1 << 30])
def test_a_card_has_room_for_the_journal_and_for_upgrades(used: int, journal: int) -> None:
    boot, root, data = parts = layout(used, journal)
    assert boot.start == FIRST
    assert (root.start, data.start) == (boot.end, root.end)
    assert all(part.start % FIRST == part.size % FIRST == 0 for part in parts)
    assert root.size > used + (200 << 20)
    assert data.size > 2 * journal
    starts = [int(row.split(",")[0][6:]) * 512 for row in script(parts).splitlines() if "=" in row]
    assert starts == [part.start for part in parts]


def test_the_journal_s_partition_cannot_keep_the_gateway_from_starting() -> None:
    """What fstab mounts at StateDirectory= is required by systemd, nofail or not."""
    table = fstab({"boot": "B", "root": "R", "data": "D"})
    assert "/var/lib/tidegate" not in table
    assert "nofail" in table
    unit = (DEPLOY / "image/tidegate-data.service").read_text()
    assert "noatime" in unit
    assert "Before=tidegate.service" in unit
