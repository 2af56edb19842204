"""A file put in its place for good: whole, and on the disk when it is said to be."""

from __future__ import annotations

import os
from pathlib import Path


def place(path: Path, text: str, mode: int = 0o644) -> None:
    """After a power cut there is the old file or the new one, and the new one once this returns.
    Folders that are missing are made. OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".new")
    fresh.touch(mode)
    fresh.chmod(mode)
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    for folder in (path.parent, path.parent.parent):  # the folder may be new itself
        _sync(folder)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
