"""Power cuts on a real file system: an ext4 on a loop device, its image copied while the writer
stands still, mounted and judged (traps.md, cases 3 to 5). What the page cache held is not in the
copy; what the device's own cache would lose or reorder, `test_outbox_cuts.py` has.

Needs root and loop devices. `TIDEGATE_CUTS=200` for a long run.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import records
from gateway.model import Entry, Stamp
from tests.e2e.power_writer import journal
from tests.e2e.writer import Writer
from tests.gateway.far_end import FarEnd

CUTS = int(os.environ.get("TIDEGATE_CUTS", "50"))
IMAGE_BYTES = 8 << 20
RESTART_EVERY = 10
"""Cuts until the writer is killed and another one goes on with what it left."""
NOWHEN = Stamp(0.0, 0.0, "", False)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip()}")
    return done.stdout


class Loop:
    """A file as a block device, mounted."""

    def __init__(self, image: Path, mount: Path) -> None:
        mount.mkdir(exist_ok=True)
        self.mount = mount
        self._device = run("losetup", "--find", "--show", image).strip()
        try:
            run("mount", "-t", "ext4", self._device, mount)
        except OSError:
            run("losetup", "--detach", self._device)
            raise

    def close(self) -> None:
        run("umount", "--lazy", self.mount)
        run("losetup", "--detach", self._device)


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


def judge(image: Path, mount: Path, writer: Writer) -> int:
    """What the copy of the disk has: nothing that was said to be safe may be missing. Twice, for
    the second opening must find what the first one did. How many entries were kept."""
    loop = Loop(image, mount)
    try:
        found = []
        for _ in range(2):
            opened = journal(mount / "state")
            kept = opened.read(None, 1 << 20)
            found.append([record.key for record in kept])
            far = FarEnd()
            far.take(Entry(r.key, r.klass, records.decode(r.payload)) for r in kept)
            lost = [
                k for k in writer.far.lost(writer.durable) if k in set(far.lost(writer.durable))
            ]
            assert lost == []
            assert opened.damages() == []
        assert found[0] == found[1]
        opened.append([])
        opened.close()
        return len(found[0])
    finally:
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
        shutil.copyfile(folder / "disk.img", copy)
        kept += judge(copy, folder / "copy", writer)
        writer.go_on()
    return kept
