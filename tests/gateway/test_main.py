"""`tidegate run` starts without the command line; everything else is left to it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.__main__ import DEFAULT_CONFIG, daemon_config


@pytest.mark.parametrize(
    ("arguments", "config"),
    [
        (["run"], DEFAULT_CONFIG),
        (["run", "x.toml"], "x.toml"),
        (["run", "--help"], None),
        (["run", "-h"], None),
        (["run", "a", "b"], None),
        (["check"], None),
        (["--version"], None),
        ([], None),
    ],
)
def test_what_the_daemon_takes_over(arguments: list[str], config: str | None) -> None:
    assert daemon_config(arguments) == config


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_daemon_loads_nothing_of_the_command_line() -> None:
    code = (
        "import sys; sys.argv = ['tidegate', 'run', '/nonexistent.toml']\n"
        "from gateway.__main__ import main\n"
        "status = main()\n"
        "print(status, [m for m in sys.modules if m == 'argparse' or m.startswith('gateway.cli')])"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "78 []\n"
    assert done.stderr.startswith("/nonexistent.toml: No such file or directory; ")


def test_wrong_usage_is_2() -> None:
    assert run().returncode == 2
    done = run("chekc")
    assert done.returncode == 2
    assert done.stderr == 'tidegate: there is no verb "chekc"; did you mean "check"?\n'


def test_the_version() -> None:
    done = run("--version")
    assert done.returncode == 0
    assert done.stdout.startswith("tidegate")
