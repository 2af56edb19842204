"""The shelf: entries that the broker refused for good. One file each, so that an operator can list
them, have one tried again or thrown away beside the running gateway.

`7-12345.json` is entry 12345 of epoch 7. Its name ends in `.retry` or `.discard` once that was
asked for; the gateway looks for such names and does it.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from gateway.journal import Record
from gateway.model import Key, Klass

LIMIT = 1000
"""Entries on the shelf at most; the oldest makes room."""

KEPT, RETRY, DISCARD = ".json", ".retry", ".discard"


@dataclass(frozen=True, slots=True)
class Shelved:
    record: Record
    reason: str
    wish: str
    """KEPT, RETRY or DISCARD."""


class Shelf:
    def __init__(self, directory: Path) -> None:
        """The directory is made when there is something to put on the shelf."""
        self._directory = directory

    def put(self, record: Record, reason: str) -> None:
        """On disk when it returns. OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        fields = {
            "epoch": record.key.epoch,
            "seq": record.key.seq,
            "klass": record.klass.name,
            "wall": record.wall,
            "device": record.device,
            "reason": reason,
            "record": record.payload.decode("utf-8", "surrogateescape"),
        }
        path = self._path(record.key, KEPT)
        temporary = path.with_suffix(".new")
        with temporary.open("w", encoding="ascii") as file:
            json.dump(fields, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(path)
        self._path(record.key, RETRY).unlink(missing_ok=True)
        self._sync_directory()

    def keys(self) -> dict[Key, str]:
        """What is on the shelf and what is wished for it, oldest first. OSError."""
        if not self._directory.is_dir():
            return {}
        found = {}
        for path in self._directory.iterdir():
            epoch, _, seq = path.stem.partition("-")
            named = (epoch + seq).isascii() and epoch.isdecimal() and seq.isdecimal()
            if path.suffix in (KEPT, RETRY, DISCARD) and named:
                found[Key(int(epoch), int(seq))] = path.suffix
        return dict(sorted(found.items()))

    def get(self, key: Key) -> Shelved:
        """KeyError when it is not there, ValueError when the file is damaged, OSError."""
        wish = self.keys()[key]
        fields = json.loads(self._path(key, wish).read_text(encoding="ascii"))
        try:
            record = Record(
                key,
                Klass[fields["klass"]],
                float(fields["wall"]),
                str(fields["device"]),
                str(fields["record"]).encode("utf-8", "surrogateescape"),
            )
            return Shelved(record, str(fields["reason"]), wish)
        except (KeyError, TypeError) as error:
            raise ValueError(f"{self._path(key, wish)}: {error!r}") from error

    def wish(self, key: Key, wish: str) -> None:
        """Ask the gateway to try it again, or to throw it away. KeyError, OSError."""
        self._path(key, self.keys()[key]).rename(self._path(key, wish))

    def remove(self, key: Key) -> None:
        """It is not on the shelf any more. OSError."""
        for suffix in (KEPT, RETRY, DISCARD):
            self._path(key, suffix).unlink(missing_ok=True)

    def _path(self, key: Key, suffix: str) -> Path:
        return self._directory / f"{key.epoch}-{key.seq}{suffix}"

    def _sync_directory(self) -> None:
        descriptor = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
