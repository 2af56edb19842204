"""Disks for the tests of the ring: one that loses and tears what was not synced, one that fails."""

from __future__ import annotations

import errno
import random
from collections.abc import Callable

SECTOR = 512


class SimulatedDisk:
    """Files in memory, as the running system sees them and as the medium has them.

    `cut` is a power cut: of the sectors written since a file's last sync a random part reached the
    medium, each sector by itself and in any order. A file that was made since the last sync of the
    directory may be gone with it.

    A write that fails may have written its first part. A sync that fails says that once: what it
    should have brought to the medium counts as clean from then on, and is only in the cache.
    """

    def __init__(self, room: int = 1 << 30) -> None:
        self.files: dict[str, bytearray] = {}
        self._medium: dict[str, bytearray] = {}
        self._dirty: dict[str, set[int]] = {}
        self._named: set[str] = set()
        self.room = room
        self.syncs = 0
        self.before: Callable[[str, str], None] = lambda call, name: None
        """Called before each call with its name and the file's; it may raise OSError."""

    def names(self) -> list[str]:
        self.before("names", "")
        return sorted(self.files)

    def size(self, name: str) -> int:
        self._find(name)
        return len(self.files[name])

    def _find(self, name: str) -> None:
        if name not in self.files:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", name)

    def read(self, name: str, offset: int, count: int) -> bytes:
        self.before("read", name)
        self._find(name)
        return bytes(self.files[name][offset : offset + count])

    def write(self, name: str, offset: int, data: bytes) -> None:
        self._find(name)
        try:
            self.before("write", name)
        except OSError:
            self._put(name, offset, data[: len(data) // 2])
            raise
        self._put(name, offset, data)

    def _put(self, name: str, offset: int, data: bytes) -> None:
        self.files[name][offset : offset + len(data)] = data
        last = (offset + len(data) - 1) // SECTOR
        self._dirty[name].update(range(offset // SECTOR, last + 1))

    def sync(self, name: str) -> None:
        self._find(name)
        try:
            self.before("sync", name)
        except OSError:
            self._dirty[name] = {s for s in self._dirty[name] if s % 2}
            self._flush(name)
            raise
        self.syncs += 1
        self._flush(name)

    def _flush(self, name: str) -> None:
        for sector in self._dirty[name]:
            part = slice(sector * SECTOR, (sector + 1) * SECTOR)
            self._medium[name][part] = self.files[name][part]
        self._dirty[name] = set()

    def create(self, name: str, size: int) -> None:
        self.before("create", name)
        if name in self.files:
            raise FileExistsError(errno.EEXIST, "File exists", name)
        if size > self.free():
            raise OSError(errno.ENOSPC, "No space left on device")
        self.files[name] = bytearray(size)
        self._medium[name] = bytearray(size)
        self._dirty[name] = set()

    def sync_directory(self) -> None:
        self.before("sync", "")
        self._named = set(self.files)

    def drop_cache(self, name: str) -> None:
        self.before("drop", name)
        self._find(name)
        unsynced = {s: self.files[name][s * SECTOR : (s + 1) * SECTOR] for s in self._dirty[name]}
        self.files[name] = bytearray(self._medium[name])
        for sector, data in unsynced.items():
            self.files[name][sector * SECTOR : (sector + 1) * SECTOR] = data

    def rename(self, old: str, new: str) -> None:
        self.before("rename", old)
        self._find(old)
        for table in (self.files, self._medium):
            table[new] = table.pop(old)
        self._dirty[new] = self._dirty.pop(old)

    def remove(self, name: str) -> None:
        self.before("remove", name)
        self._find(name)
        del self.files[name], self._medium[name], self._dirty[name]

    def free(self) -> int:
        return self.room - sum(map(len, self.files.values()))

    def close(self) -> None:
        """A process that ends leaves the page cache as it is."""

    def cut(self, rng: random.Random) -> SimulatedDisk:
        """The power goes: the disk as it is found when it comes back."""
        after = SimulatedDisk(self.room)
        for name, content in self._medium.items():
            if name not in self._named and rng.random() < 0.5:
                continue
            for sector in self._dirty[name]:
                if rng.random() < 0.5:
                    at = sector * SECTOR
                    content[at : at + SECTOR] = self.files[name][at : at + SECTOR]
            after.files[name] = bytearray(content)
            after._medium[name] = bytearray(content)
            after._dirty[name] = set()
        after._named = set(after.files)
        return after


def copy_of(disk: SimulatedDisk) -> SimulatedDisk:
    twin = SimulatedDisk(disk.room)
    twin.files = {name: bytearray(data) for name, data in disk.files.items()}
    twin._medium = {name: bytearray(data) for name, data in disk._medium.items()}
    twin._dirty = {name: set(sectors) for name, sectors in disk._dirty.items()}
    twin._named = set(disk._named)
    return twin


class Failing:
    """A `before` for SimulatedDisk: these calls fail, from the `first`-th on, `times` of them."""

    def __init__(self, call: str, number: int, first: int = 1, times: int = 1 << 30) -> None:
        self.call, self.number = call, number
        self.first, self.times = first, times
        self.seen = 0

    def __call__(self, call: str, name: str) -> None:
        if call == self.call:
            self.seen += 1
            if self.first <= self.seen < self.first + self.times:
                raise OSError(self.number, errno.errorcode[self.number], name)
