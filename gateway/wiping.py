"""What `wipe` takes away: journal, ledger, and the keys that give access to the broker.

It is asked for with a mark in the state directory, so that a power cut does not undo it: the daemon
carries it out when everything has stopped, or else before anything starts. Deleting does not
overwrite: on a memory card only encryption or the shredder makes old blocks unreadable.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from gateway.settings import Settings

ASKED = "wipe-asked"
WIPED = "wiped"


def secrets_of(settings: Settings, config: str) -> list[Path]:
    """The files outside the state directory that a wipe deletes."""
    upstream = settings.upstream
    files = [upstream.password_file, upstream.key_file, upstream.cert_file]
    return [Path(file) for file in (*files, config if upstream.password else "") if file]


def ask(state: Path) -> None:
    """On disk when it returns. OSError."""
    with (state / ASKED).open("w") as mark:
        os.fsync(mark.fileno())
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def is_asked(state: Path) -> bool:
    return (state / ASKED).exists()


def is_wiped(state: Path) -> bool:
    """Whether it was, and nobody has taken the gateway into use again."""
    return (state / WIPED).exists()


def cannot_go(files: Iterable[Path]) -> list[Path]:
    """Those that this process may not delete."""
    return [file for file in files if file.exists() and not os.access(file.parent, os.W_OK)]


def carry_out(state: Path, secrets: Iterable[Path]) -> list[str]:
    """What could not be deleted, in words; the rest is gone. The mark goes last."""
    wrong = []
    for path in [*secrets, *(p for p in state.iterdir() if p.name not in (ASKED, WIPED))]:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            wrong.append(f"{path}: {error.strerror or error}")
    (state / WIPED).touch()
    (state / ASKED).unlink(missing_ok=True)
    os.sync()
    return wrong
