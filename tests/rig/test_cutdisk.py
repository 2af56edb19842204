"""A card that loses and reorders what it had not flushed, with a real file system on it: the rig's
cutdisk.py under an ext4 in the guest, and on that the outbox's writer, as fast as it goes
(traps.md, cases 3 to 6).

At a random write of the guest the disk stands still. What would be found after a power cut then, a
random part of the sectors that were not flushed, goes into a copy, which is mounted and judged on
this side; then the disk goes on. Each tenth cut is a real one: the guest is gone, and the next
one goes on with what the disk has. TIDEGATE_DISK_CUTS: how many
(default 10; `make cutdisk` makes 50).
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import pytest

from tests.e2e.loop import judge, run
from tests.e2e.writer import NOTHING, Writer
from tests.rig.conftest import CHECKOUT, rig_modules

CUTS = int(os.environ.get("TIDEGATE_DISK_CUTS", "10"))
REAL_EVERY, RESTART_EVERY = 10, 7
IMAGE_BYTES = 16 << 20
PAUSE = 1.0
"""Seconds from the last write to the end of power: what was said of the last writes is heard."""
PATIENCE = 300
MOUNT = "mkdir -p /data && mount -t ext4 /dev/vdb /data"
PID_FILE = "/run/writer.pid"


class Disk(Protocol):
    """What is used of a CutDisk, and what `holding` adds to it."""

    socket: str
    writes: int
    after: int | None
    held: threading.Event
    released: threading.Event
    left: tuple[int, int]

    def cut(self) -> tuple[int, int]: ...

    def restart(self) -> None: ...


def holding(cut_disk: Any, image: Path, copy: Path, seed: int) -> Any:
    """A CutDisk that stands still at its `after`-th write, and leaves in `copy` what a power cut at
    this moment would. left: how many unflushed sectors are in the copy, and how many are not."""

    class Holding(cut_disk):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__(image, seed=seed)
            self.after: int | None = None
            self.held, self.released = threading.Event(), threading.Event()
            self.left = (0, 0)

        def _die(self) -> None:
            if self.after is None:
                super()._die()  # a real cut
                return
            self.after = None
            shutil.copyfile(self.path, copy)
            kept = [s for s in self._pending if self._random.random() < self.keep]
            with copy.open("r+b") as file:
                for sector in kept:
                    file.seek(sector * 512)
                    file.write(self._pending[sector])
            self.left = len(kept), len(self._pending) - len(kept)
            self.held.set()
            assert self.released.wait(PATIENCE), "the test has forgotten the disk"
            self.released.clear()

    return Holding()


class GuestWriter(Writer):
    """The writer in the guest, on /data."""

    def __init__(self, guest: Any) -> None:
        super().__init__(Path("/data/state"))
        self.guest = guest

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        line = f"cd /src && echo $$ > {PID_FILE} && exec python3 -m " + " ".join(self._arguments())
        process: subprocess.Popen[bytes] = self.guest.popen(line, stdout=subprocess.PIPE)
        return process

    def end(self) -> None:
        """Killed in the guest, and all that it said is known."""
        self.guest.run(f"kill -9 $(cat {PID_FILE})", check=True)
        self.drain()

    def drain(self) -> None:
        """It ends, or its machine has: until the line is closed."""
        assert self._process is not None
        while self._process.poll() is None or self.listen(0.0) != NOTHING:
            self.listen(0.2)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    image = tmp_path / "data.img"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    run("mkfs.ext4", "-q", "-F", image)
    return image


@pytest.fixture
def disk(image: Path, tmp_path: Path) -> Iterator[Disk]:
    rig_modules()
    from cutdisk import CutDisk

    with holding(CutDisk, image, tmp_path / "copy.img", seed=7) as disk:
        yield disk
        disk.released.set()


def power_on(disk: Disk) -> Any:
    rig, _ = rig_modules()
    guest = rig.Guest()
    guest.push(f"{CHECKOUT}")
    guest.plug_disk(nbd=disk.socket)
    guest.run(MOUNT, check=True)
    return guest


def held_cut(disk: Disk, writer: Writer, writes: int, folder: Path) -> int:
    """The disk stands still after so many writes; how many entries its copy has."""
    disk.held.clear()
    disk.after = disk.writes + writes
    until = time.monotonic() + PATIENCE
    while not disk.held.is_set():
        writer.listen(0.2)
        assert time.monotonic() < until, "nothing is written"
    until = time.monotonic() + PAUSE
    while (left := until - time.monotonic()) > 0:
        writer.listen(left)
    kept = judge(folder / "copy.img", folder / "copy", writer, reordered=True)
    disk.released.set()
    return kept


@pytest.mark.timeout(1200 + 60 * CUTS)
def test_cases_3_to_6_power_cuts_with_a_write_cache_that_is_lost(
    disk: Disk, image: Path, tmp_path: Path
) -> None:
    rng = random.Random(7)
    guest = power_on(disk)
    writer = GuestWriter(guest)
    kept = lost_sectors = 0
    try:
        writer.start()
        writer.hear(1)
        for number in range(1, CUTS + 1):
            if number % REAL_EVERY == 0:
                lost_sectors += disk.cut()[1]
                guest.cut()
                writer.drain()
                shutil.copyfile(image, tmp_path / "copy.img")
                kept += judge(tmp_path / "copy.img", tmp_path / "copy", writer, reordered=True)
                guest.close()
                disk.restart()
                writer.guest = guest = power_on(disk)
                writer.start()
                writer.hear(1)
                continue
            kept += held_cut(disk, writer, rng.randint(1, 120), tmp_path)
            lost_sectors += disk.left[1]
            if number % RESTART_EVERY == 0:
                writer.end()
                writer.start()
                writer.hear(1)
            print(
                f"cut {number}: {disk.left[0]} unflushed sectors kept, {disk.left[1]} lost",
                flush=True,
            )
    finally:
        disk.released.set()
        guest.close()
    assert len(writer.durable) > CUTS
    assert kept > CUTS * 10
    assert lost_sectors > CUTS
    print(f"{CUTS} power cuts, {len(writer.durable)} entries said to be safe, none lost; "
          f"{lost_sectors} unflushed sectors were")  # fmt: skip
