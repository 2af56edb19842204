"""`tidegate restore`: a gateway that was backed up goes on here, under its own name."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sqlite3
import sys
import tarfile
import tempfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway.__main__ import DEFAULT_CONFIG
from gateway.cli.archive import CONFIG, FORMAT, MANIFEST, STATE
from gateway.cli.problems import plainly
from gateway.config import ConfigErrors, load
from gateway.lock import StateInUse, hold
from gateway.state_copy import advance_epoch

HELP = "Put a backup in place on a machine where the gateway does not run."
EXAMPLES = """\
tidegate restore /root/cellar.tar.gz           # as root, before the gateway's first start
tidegate restore /root/cellar.tar.gz --force   # over a gateway that is here already"""


class Unusable(Exception):
    """The file is no backup, or cannot be put here; the message says what to do."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument(
        "--to", type=Path, default=Path(DEFAULT_CONFIG).parent, metavar="DIRECTORY",
        help="of the configuration (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--force", action="store_true", help="over a state that is here already")


def run(args: argparse.Namespace) -> int:
    try:
        with tempfile.TemporaryDirectory() as scratch:
            manifest = unpack(args.file, Path(scratch))
            epoch, config = place(Path(scratch), manifest, args.to, args.force)
    except (Unusable, StateInUse, OSError, sqlite3.Error) as error:
        print(f"tidegate restore: {plainly(error)}", file=sys.stderr)
        return 1
    os.sync()  # the backup may be thrown away now
    print(f"gateway {manifest['gateway']} of {manifest['made']} is here, its next run is {epoch}.")
    print(f"Next: tidegate check {config} && systemctl restart tidegate")
    return 0


def unpack(file: Path, scratch: Path) -> Mapping[str, Any]:
    """Into scratch; the manifest. Nothing of the file is trusted to stay inside of it."""
    try:
        with tarfile.open(file, "r:gz") as archive:
            archive.extractall(scratch, filter="data")
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise Unusable(f"{file} is no backup of a gateway, or not all of it: {error}") from error
    try:
        manifest = json.loads((scratch / MANIFEST).read_text("utf-8"))
        form = int(manifest["format"])
        _ = (manifest["gateway"], manifest["made"], manifest["config"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise Unusable(f"{file} is no backup of a gateway: {error!r}") from error
    if form > FORMAT:
        raise Unusable(
            f"{file} has format {form}, made by version {manifest.get('version')}; this version"
            f" reads up to {FORMAT}: install that one"
        )
    return dict(manifest)


def place(
    scratch: Path, manifest: Mapping[str, Any], target: Path, force: bool
) -> tuple[int, Path]:
    """The next run's number, and the configuration's path. The state is put first: a gateway with
    a configuration and without its ledger might do again what it did before."""
    config = scratch / CONFIG / Path(str(manifest["config"])).name
    try:
        state = Path(load(config).settings.gateway.state)
    except ConfigErrors as errors:
        raise Unusable(f"the configuration in it cannot be used here:\n{errors}") from errors
    hold(state)
    if (state / "state.db").exists() and not force:
        raise Unusable(f"{state} holds the state of a gateway already: --force replaces it")
    epoch = advance_epoch(scratch / STATE)
    for name in ("state.db", "state.db-wal", "state.db-shm"):
        (state / name).unlink(missing_ok=True)
    shutil.copyfile(scratch / STATE, state / "state.db")
    owner = state.stat()
    shutil.chown(state / "state.db", owner.st_uid, owner.st_gid)
    for path in sorted((scratch / CONFIG).rglob("*")):
        _put(path, target / path.relative_to(scratch / CONFIG))
    return epoch, target / config.name


def _put(path: Path, target: Path) -> None:
    if path.is_dir():
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(path, target)
    target.chmod(path.stat().st_mode & 0o640 or 0o600)
