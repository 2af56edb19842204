"""Power cuts on a real file system: an ext4 on a loop device, its image copied while the writer
stands still, mounted and judged (traps.md, cases 3 to 5). What the page cache held is not in the
copy; what the device's own cache would lose or reorder, `test_outbox_cuts.py` and, on a real file
system, `tests/rig/test_cutdisk.py` have.

Needs root and loop devices. `TIDEGATE_CUTS=200` for a long run.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.loop import Loop, copy_disk, judge, run
from tests.e2e.writer import Writer

CUTS = int(os.environ.get("TIDEGATE_CUTS", "50"))
IMAGE_BYTES = 8 << 20
RESTART_EVERY = 10
"""Cuts until the writer is killed and another one goes on with what it left."""


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    image = tmp_path / "disk.img"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    try:
        run("mkfs.ext4", "-q", "-F", image)
        loop = Loop(image, tmp_path / "disk")
    except OSError as error:
        pytest.skip(f"no power cuts on a real file system here, it takes root and loops: {error}")
    yield loop
    loop.close()


@pytest.mark.timeout(120 + 10 * CUTS)
def test_cases_3_to_5_power_cuts_on_ext4(loop: Loop, tmp_path: Path) -> None:
    writer = Writer(loop.mount / "state")
    try:
        kept = cut_again_and_again(writer, tmp_path)
    finally:
        writer.kill()
    assert len(writer.durable) > CUTS
    assert kept > CUTS * 10
    print(f"{CUTS} power cuts, {len(writer.durable)} entries said to be safe, none lost")


def test_case_15_a_start_on_a_read_only_disk(loop: Loop, tmp_path: Path) -> None:
    """What the run before left is sent, what comes is held in memory; once the disk can be written
    again, it is by itself."""
    writer = Writer(loop.mount / "state")
    try:
        writer.start()
        writer.until(lambda: len(writer.durable) >= 20)
        writer.kill()
        run("mount", "-o", "remount,ro", loop.mount)
        writer.start()
        writer.until(lambda: writer.storage == [False])
        writer.until(lambda: writer.sent(1) > 0 and writer.sent(2) >= 20)
        assert all(key.epoch == 1 for key in writer.durable)
        run("mount", "-o", "remount,rw", loop.mount)
        writer.until(lambda: writer.storage == [False, True])
        writer.until(lambda: any(key.epoch == 2 for key in writer.durable))
    finally:
        writer.kill()
    run("sync")
    copy = tmp_path / "copy.img"
    copy_disk(tmp_path / "disk.img", copy)
    judge(copy, tmp_path / "copy", writer)


def cut_again_and_again(writer: Writer, folder: Path) -> int:
    kept = 0
    for number in range(CUTS):
        if number % RESTART_EVERY == 0:
            if number:
                writer.kill()
            writer.start()
            writer.hear(1)
        writer.hear(1 + number * 7 % 40)
        writer.stop()
        copy = folder / "copy.img"
        copy_disk(folder / "disk.img", copy)
        kept += judge(copy, folder / "copy", writer)
        writer.go_on()
    return kept
