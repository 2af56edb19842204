"""`tidegate backup`: what makes this gateway this one, in a file."""

from __future__ import annotations

import argparse
import io
import json
import os
import sqlite3
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from gateway.__main__ import DEFAULT_CONFIG
from gateway.cli.archive import CONFIG, FORMAT, MANIFEST, STATE
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain, plainly
from gateway.state_copy import copy_state
from gateway.version import VERSION

HELP = "Copy configuration, passwords, keys and state into one file, also while the gateway runs."
EXAMPLES = """\
tidegate backup /root/cellar.tar.gz           # as root: it reads passwords and keys
tidegate backup cellar.tar.gz my.toml"""
NOTE = """\
The file holds passwords and keys: it is readable by its owner alone. In it are the configuration's
directory with its credentials, and the state: the command ledger, outputs, counters, the run's
number. Readings that the broker does not have yet stay where they are: they belong to the old card,
and a copy of them would arrive twice."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{HELP}\n\n{NOTE}"
    parser.add_argument("file", type=Path, metavar="FILE", help="as cellar.tar.gz; made anew")
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    loaded = load_or_explain(args.config)
    if loaded is None:
        return EX_CONFIG
    gateway = loaded.settings.gateway
    config = Path(args.config).resolve()
    try:
        names = write(args.file, config, Path(gateway.state), gateway.id)
    except (OSError, sqlite3.Error) as error:
        print(f"tidegate backup: {plainly(error)}", file=sys.stderr)
        return 1
    print(f"{args.file}: {len(names)} files of gateway {gateway.id}")
    return 0


def write(target: Path, config: Path, state: Path, gateway: str) -> list[str]:
    """Names of what is in it. The file appears whole or not at all."""
    fresh = target.with_name(target.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with (
        os.fdopen(descriptor, "wb") as file,
        tarfile.open(fileobj=file, mode="w:gz") as archive,
        tempfile.TemporaryDirectory() as scratch,
    ):
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "gateway": gateway,
            "config": config.name,
            "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        _add_text(archive, MANIFEST, json.dumps(manifest, indent=2) + "\n")
        for path in belonging(config):
            archive.add(path, f"{CONFIG}/{path.relative_to(config.parent)}", recursive=False)
        copy = Path(scratch) / "state.db"
        copy_state(state / "state.db", copy)
        archive.add(copy, STATE)
        names = archive.getnames()
        archive.close()
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(target)
    return names


def belonging(config: Path) -> list[Path]:
    """The configuration, and what lies beside it below /etc/tidegate: credentials, keys, maps."""
    if config.parent != Path(DEFAULT_CONFIG).parent:
        return [config]  # a file among others, in somebody's home: its neighbours are not ours
    return sorted(path for path in config.parent.rglob("*") if path.is_file())


def _add_text(archive: tarfile.TarFile, name: str, text: str) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = len(text.encode()), int(time.time()), 0o600
    archive.addfile(info, io.BytesIO(text.encode()))
