"""The system calls of the ring, on the files of one directory. Tests put other disks in its place:
one that forgets and tears what was not synced, one that fails on demand."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Protocol


class Disk(Protocol):
    """Names are file names in the directory. Everything may raise OSError."""

    def names(self) -> list[str]: ...

    def size(self, name: str) -> int: ...

    def read(self, name: str, offset: int, count: int) -> bytes:
        """Fewer bytes at the end of the file."""
        ...

    def write(self, name: str, offset: int, data: bytes) -> None:
        """All of it in one call; a short write is an error, and is not continued."""
        ...

    def sync(self, name: str) -> None:
        """What was written to the file is on the medium."""
        ...

    def create(self, name: str, size: int) -> None:
        """A new file of zeros with its room reserved; it lasts once the directory is synced."""
        ...

    def sync_directory(self) -> None: ...

    def drop_cache(self, name: str) -> None:
        """Read from the medium next, as far as the system can be asked to."""
        ...

    def rename(self, old: str, new: str) -> None: ...

    def remove(self, name: str) -> None: ...

    def free(self) -> int:
        """Bytes that are left to us on the file system."""
        ...

    def close(self) -> None: ...


def read_around(disk: Disk, name: str, size: int, step: int) -> tuple[bytes, bool]:
    """The first `size` bytes of a file, and whether the medium gave all of them. Where it cannot,
    each `step` of it that fails comes as zeros, which never verify. OSError for other errors."""
    try:
        return disk.read(name, 0, size).ljust(size, b"\0"), True
    except OSError as error:
        if error.errno != errno.EIO:
            raise
    return b"".join(_piece(disk, name, at, step) for at in range(0, size, step)), False


def _piece(disk: Disk, name: str, at: int, size: int) -> bytes:
    try:
        return disk.read(name, at, size).ljust(size, b"\0")
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return bytes(size)


class RealDisk:
    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        self._writers: dict[str, int] = {}
        """Descriptors of the files that are written: two or three at a time."""

    def names(self) -> list[str]:
        return sorted(path.name for path in self._directory.iterdir())

    def size(self, name: str) -> int:
        return (self._directory / name).stat().st_size

    def read(self, name: str, offset: int, count: int) -> bytes:
        descriptor = os.open(self._directory / name, os.O_RDONLY)
        try:
            return os.pread(descriptor, count, offset)
        finally:
            os.close(descriptor)

    def write(self, name: str, offset: int, data: bytes) -> None:
        written = os.pwrite(self._writer(name), data, offset)
        if written != len(data):
            raise OSError(errno.EIO, f"only {written} of {len(data)} bytes were written", name)

    def sync(self, name: str) -> None:
        try:
            os.fdatasync(self._writer(name))
        except OSError:
            # The kernel reports a failed sync once and forgets it: this descriptor is worth
            # nothing any more.
            self._release(name)
            raise

    def create(self, name: str, size: int) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
        descriptor = os.open(self._directory / name, flags, 0o640)
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            os.unlink(self._directory / name)
            raise
        finally:
            os.close(descriptor)

    def sync_directory(self) -> None:
        for directory in (self._directory, self._directory.parent):  # it may be new itself
            descriptor = os.open(directory, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def drop_cache(self, name: str) -> None:
        self._release(name)
        descriptor = os.open(self._directory / name, os.O_RDONLY)
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)

    def rename(self, old: str, new: str) -> None:
        self._release(old)
        self._release(new)
        os.rename(self._directory / old, self._directory / new)

    def remove(self, name: str) -> None:
        self._release(name)
        os.unlink(self._directory / name)

    def free(self) -> int:
        status = os.statvfs(self._directory)
        return status.f_bavail * status.f_frsize

    def close(self) -> None:
        for name in list(self._writers):
            self._release(name)

    def _writer(self, name: str) -> int:
        if name not in self._writers:
            while len(self._writers) > 3:
                self._release(next(iter(self._writers)))
            self._writers[name] = os.open(self._directory / name, os.O_WRONLY)
        return self._writers[name]

    def _release(self, name: str) -> None:
        descriptor = self._writers.pop(name, None)
        if descriptor is not None:
            os.close(descriptor)
