"""One daemon to a state directory: two of them would write the same journal and ledger."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class StateInUse(Exception):
    """Another process holds the directory."""


def hold(state: Path) -> None:
    """Locks the directory for as long as this process lives. StateInUse, OSError.

    flock(2) on the directory itself: nothing is written, so a read-only disk is no obstacle, and
    a lock ends with its process, so a crash leaves none behind.
    """
    state.mkdir(parents=True, exist_ok=True)
    directory = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(directory)
        raise StateInUse(f"{state} is in use by another gateway that runs") from None
