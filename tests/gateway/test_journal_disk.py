"""The ring's system calls, on real files: what is asked of the kernel, and what is left open."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.journal import JournalFault
from gateway.journal_disk import RealDisk
from gateway.journal_look import ReadOnlyDisk, kept, look_at
from gateway.journal_open import open_journal
from gateway.model import Key, Klass
from tests.gateway.journal_contract import fill, keys, record


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state" / "journal"


@pytest.fixture
def disk(folder: Path) -> Iterator[RealDisk]:
    disk = RealDisk(folder)
    yield disk
    disk.close()


def target(descriptor: int) -> str:
    return Path(f"/proc/self/fd/{descriptor}").readlink().name


def still_open(folder: Path) -> list[str]:
    """Names of the directory's files that this process has open."""
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.append(entry.readlink())
        except FileNotFoundError:
            continue  # the one that listed them
    return sorted(link.name for link in links if folder in (link, link.parent))


@contextmanager
def files_no_longer_than(size: int) -> Iterator[None]:
    """The kernel writes up to here and no further, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_is_written_is_read(disk: RealDisk, folder: Path) -> None:
    disk.create("b", 8192)
    disk.create("a", 4096)
    disk.write("b", 5000, b"hello")
    assert disk.names() == ["a", "b"]
    assert disk.size("b") == 8192
    assert disk.read("b", 4998, 9) == b"\0\0hello\0\0"
    assert disk.read("a", 4000, 1000) == bytes(96)
    assert (folder / "b").read_bytes()[5000:5005] == b"hello"
    assert RealDisk(folder).read("b", 5000, 5) == b"hello"  # the directory may be there already


def test_a_new_file_has_its_room_and_is_nobody_else_s(disk: RealDisk, folder: Path) -> None:
    umask = os.umask(0)
    try:
        disk.create("a", 1 << 20)
    finally:
        os.umask(umask)
    status = (folder / "a").stat()
    assert status.st_size == 1 << 20
    assert status.st_blocks * 512 >= 1 << 20
    assert status.st_mode & 0o777 == 0o640
    disk.write("a", 0, b"x")
    with pytest.raises(FileExistsError):
        disk.create("a", 4096)
    assert disk.read("a", 0, 1) == b"x"


def test_a_file_for_which_there_is_no_room_is_not_left_behind(disk: RealDisk, folder: Path) -> None:
    with files_no_longer_than(4096), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        disk.create("a", 8192)
    assert disk.names() == []
    assert still_open(folder) == []


def test_a_short_write_is_an_error(disk: RealDisk) -> None:
    """Case 14: what the kernel took of it is never completed."""
    disk.create("a", 8192)
    with files_no_longer_than(4096), pytest.raises(OSError, match="96 of 200"):
        disk.write("a", 4000, b"x" * 200)
    assert disk.read("a", 4000, 200) == b"x" * 96 + bytes(104)


def test_a_sync_is_asked_of_the_file_that_was_written(
    disk: RealDisk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []

    def note(descriptor: int) -> None:
        synced.append(target(descriptor))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", note)
        patch.setattr(os, "fsync", note)
        for name in ("a", "b"):
            disk.create(name, 4096)
            disk.write(name, 0, b"x")
        assert synced == []
        disk.sync("a")
        assert synced == ["a"]
        disk.sync_directory()  # with the one above: it may be new itself
    assert synced == ["a", folder.name, folder.parent.name]
    assert still_open(folder) == ["a", "b"]


def test_after_a_failed_sync_the_descriptor_is_given_up(
    disk: RealDisk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 14: the kernel reports it once on it, and calls the pages clean."""
    disk.create("a", 4096)
    disk.write("a", 0, b"x")

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", fail)
    with pytest.raises(OSError, match="Input/output"):
        disk.sync("a")
    assert still_open(folder) == []


def test_reading_from_the_medium_is_asked_for(
    disk: RealDisk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(os, "posix_fadvise", lambda fd, *rest: asked.append((target(fd), *rest)))
    disk.create("a", 4096)
    disk.write("a", 0, b"x")
    disk.drop_cache("a")
    assert asked == [("a", 0, 0, os.POSIX_FADV_DONTNEED)]  # from 0, to the end
    assert still_open(folder) == []


def test_a_file_that_takes_another_s_name_is_the_one_written_to(
    disk: RealDisk, folder: Path
) -> None:
    for name in ("cursor", "cursor.new"):
        disk.create(name, 4096)
        disk.write(name, 0, name.encode())
    disk.rename("cursor.new", "cursor")
    disk.create("cursor.new", 4096)
    disk.write("cursor", 100, b"one")
    disk.write("cursor.new", 100, b"two")
    one, two = disk.read("cursor", 0, 4096), disk.read("cursor.new", 0, 4096)
    assert (one[:10], one[100:103]) == (b"cursor.new", b"one")
    assert (two[:10], two[100:103]) == (bytes(10), b"two")


def test_a_file_made_again_is_the_one_written_to(disk: RealDisk, folder: Path) -> None:
    disk.create("a", 4096)
    disk.write("a", 0, b"old")
    disk.remove("a")
    assert disk.names() == []
    disk.create("a", 4096)
    disk.write("a", 0, b"new")
    assert (folder / "a").read_bytes()[:3] == b"new"


def test_few_files_are_open_at_a_time_and_none_at_the_end(disk: RealDisk, folder: Path) -> None:
    for number in range(10):
        disk.create(f"{number}", 4096)
        disk.write(f"{number}", 0, b"x")
        disk.read(f"{number}", 0, 1)
    assert still_open(folder) == ["6", "7", "8", "9"]
    disk.write("9", 1, b"y")
    disk.close()
    assert still_open(folder) == []


def test_a_closed_ring_has_no_file_open(tmp_path: Path) -> None:
    ring = open_journal(tmp_path, size=128 << 10, report=lambda _: None)
    ring.append([record(1)])
    assert still_open(tmp_path / "journal") != []
    ring.close()
    assert still_open(tmp_path / "journal") == []


def test_what_is_free_is_what_an_ordinary_user_gets(disk: RealDisk, tmp_path: Path) -> None:
    assert disk.free() == pytest.approx(shutil.disk_usage(tmp_path).free, rel=0.1)


# Looked at, not opened


def test_a_look_changes_nothing(tmp_path: Path) -> None:
    ring = open_journal(tmp_path, size=128 << 10, report=lambda _: None)
    fill(ring, 1, 600, size=30)
    ring.append([record(601, klass=Klass.ALARM)])
    ring.forget([Key(1, 3)])
    ring.close()
    folder = tmp_path / "journal"
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    look = look_at(folder)
    assert keys(list(kept(look))) == [seq for seq in range(1, 602) if seq != 3]
    assert keys(list(kept(look, Klass.ALARM))) == [601]
    assert look.usage().kept == 600
    assert look.damages() == []
    look.close()
    after = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
    assert after == before


def test_a_look_tells_of_damage_and_leaves_it(tmp_path: Path) -> None:
    ring = open_journal(tmp_path, size=128 << 10, report=lambda _: None)
    fill(ring, 1, 30)
    ring.close()
    file = tmp_path / "journal" / "0001.seg"
    content = bytearray(file.read_bytes())
    content[2000] ^= 1
    file.write_bytes(content)
    look = look_at(tmp_path / "journal")
    assert len(list(kept(look))) == 29
    assert [damage.count for damage in look.damages()] == [1]
    assert file.read_bytes() == content
    assert not list(tmp_path.glob("journal/damaged-*"))


def test_a_disk_to_look_at_refuses_every_change(folder: Path) -> None:
    writable = RealDisk(folder)
    writable.create("a", 4096)
    writable.close()
    disk = ReadOnlyDisk(folder)
    changes: tuple[Callable[[], None], ...] = (
        lambda: disk.write("a", 0, b"x"),
        lambda: disk.sync("a"),
        lambda: disk.create("b", 1),
        disk.sync_directory,
        lambda: disk.rename("a", "b"),
        lambda: disk.remove("a"),
    )
    for change in changes:
        with pytest.raises(OSError, match="Read-only") as failed:
            change()
        assert failed.value.errno == errno.EROFS
    assert disk.names() == ["a"]
    assert still_open(folder) == []


def test_what_is_no_journal_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalFault, match="there is no journal"):
        look_at(tmp_path / "nothing")
    with pytest.raises(JournalFault, match="there is no ring"):
        look_at(tmp_path)
