"""`tidegate support`: what somebody who helps needs to know, without what nobody else may know."""

from __future__ import annotations

import argparse
import io
import platform
import re
import subprocess
import sys
import tarfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.cli.problems import add_config
from gateway.version import VERSION

HELP = "Collect logs, status and configuration for a bug report, with secrets removed."
EXAMPLES = """\
tidegate support                            # tidegate-support.tar.gz here; as root
tidegate support --output bundle.tar.gz my.toml"""
NOTE = """\
Read the bundle before you send it. Values of keys that look like secrets are removed from every
file in it, wherever they occur: a password in a log line too. Names of devices, topics and hosts
stay."""

HIDDEN = "(removed)"
SECRET = re.compile(r"pass(word|phrase)?$|secret|token|(^|_)key$|credential|pin$", re.IGNORECASE)
NOT_SECRET = ("", "true", "false")
SHORTEST = 4
"""A secret of fewer characters is removed from its key, but not hunted for in logs."""
COMMANDS: Mapping[str, list[str]] = {
    "journal.txt": ["journalctl", "--unit=tidegate", "--no-pager", "--lines=2000",
                    "--output=short-iso"],
    "kernel.txt": ["journalctl", "--dmesg", "--no-pager", "--lines=500", "--output=short-iso"],
    "unit.txt": ["systemctl", "cat", "tidegate", "--no-pager"],
    "unit-state.txt": ["systemctl", "show", "tidegate", "--no-pager"],
    "check.txt": [sys.executable, "-m", "gateway", "check"],
    "status.json": [sys.executable, "-m", "gateway", "status", "--json"],
    "devices.txt": ["ls", "-l", "/dev/serial/by-id", "/dev/tidegate"],
    "disk.txt": ["df", "-h"],
    "network.txt": ["ip", "-brief", "address"],
}  # fmt: skip
FILES = ("/boot/firmware/config.txt", "/boot/config.txt", "/proc/cpuinfo", "/proc/meminfo",
         "/etc/os-release", "/proc/device-tree/model")  # fmt: skip
WITH_CONFIG = ("check.txt", "status.json")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{HELP}\n\n{NOTE}"
    add_config(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("tidegate-support.tar.gz"), metavar="FILE"
    )


def run(args: argparse.Namespace) -> int:
    try:
        config = Path(args.config).read_text("utf-8", "replace")
    except OSError as error:
        hint = "; try sudo" if isinstance(error, PermissionError) else ""
        print(f"tidegate support: {args.config}: {error.strerror}{hint}", file=sys.stderr)
        return 1
    found = secrets(config)
    parts = {name: without(text, found) for name, text in collect(args.config, config)}
    try:
        write(args.output, parts)
    except OSError as error:
        print(f"tidegate support: {args.output}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"{args.output}: {', '.join(parts)}")
    print(f"{len(found)} secrets are removed. Read it before you send it.")
    return 0


def secrets(config: str) -> list[str]:
    """The values in a configuration whose keys say that they are secret, the longest first."""
    try:
        document = tomllib.loads(config)
    except tomllib.TOMLDecodeError:
        # What cannot be read cannot be searched: every quoted text may be one.
        found = set(re.findall(r'"([^"\n]+)"', config))
    else:
        found = {value for key, value in _leaves(document) if SECRET.search(key)}
    return sorted((value for value in found if value not in NOT_SECRET), key=len, reverse=True)


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, key)
    elif not isinstance(value, bool):
        yield key, str(value)


def without(text: str, found: Iterable[str]) -> str:
    """The text with every secret replaced."""
    for secret in found:
        if len(secret) >= SHORTEST:
            text = text.replace(secret, HIDDEN)
        else:
            text = re.sub(rf"(=\s*[\"']?){re.escape(secret)}(?=[\"'\s]|$)", rf"\1{HIDDEN}", text)
    # Logins in URLs, of whatever the kernel or other programs have logged.
    return re.sub(r"(\w+://)[^/\s:@]+:[^/\s@]+@", rf"\1{HIDDEN}@", text)


def collect(path: str, config: str) -> Iterator[tuple[str, str]]:
    """Name and content of each part; what a machine has not says so in its place."""
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    machine = f"{platform.platform()}\nPython {platform.python_version()}\n"
    yield "about.txt", f"tidegate {VERSION}\n{made}\n{machine}"
    yield "gateway.toml", config
    for name, command in COMMANDS.items():
        yield name, _output([*command, path] if name in WITH_CONFIG else command)
    for file in FILES:
        if Path(file).exists():
            yield file.strip("/").replace("/", "-") + ".txt", _content(Path(file))


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{command[0]}: {error}\n"
    return done.stdout + done.stderr


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace").rstrip("\0")
    except OSError as error:
        return f"{error}\n"


def write(target: Path, parts: Mapping[str, str]) -> None:
    with tarfile.open(target, "w:gz") as archive:
        for name, text in parts.items():
            info = tarfile.TarInfo(f"tidegate-support/{name}")
            data = text.encode("utf-8", "replace")
            info.size, info.mtime, info.mode = len(data), int(time.time()), 0o600
            archive.addfile(info, io.BytesIO(data))
