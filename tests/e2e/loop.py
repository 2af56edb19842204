"""A disk image after a power cut: mounted, opened as a start opens it, and judged."""

from __future__ import annotations

import copy
import subprocess
from pathlib import Path
from typing import Any, cast

from gateway import records
from gateway.model import Entry
from gateway.outbox import Outbox
from gateway.shelf import Shelf
from tests.e2e.power_writer import journal
from tests.e2e.writer import Writer
from tests.gateway.fake_clock import FakeClock
from tests.gateway.far_end import FarEnd


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
        # Never lazily: a file system that somebody still has open would write on into its image.
        run("umount", self.mount)
        run("losetup", "--detach", self._device)


def copy_disk(image: Path, copy: Path) -> None:
    """The disk at one moment. Who wrote to it stands still, but the file system's own threads do
    not: metadata from before a checkpoint and a journal from behind it would be no disk at all. So
    it is read until twice the same is read: that is how it was between the two."""
    content, again = b"", image.read_bytes()
    while content != again:
        content, again = again, image.read_bytes()
    copy.write_bytes(content)


def judge(image: Path, mount: Path, writer: Writer, *, reordered: bool = False) -> int:
    """What the copy of the disk has: nothing that was said to be safe may be missing. Twice, for
    the second opening must find what the first one did. Then the next run sends all of it, and the
    account closes. How many entries were kept.

    reordered: of a write that was not synced any part may be there, so a hole in it may be told.
    """
    loop = Loop(image, mount)
    try:
        found = []
        for _ in range(2):
            opened = journal(mount / "state")
            kept = opened.read(None, 1 << 20)
            found.append([record.key for record in kept])
            far = FarEnd()
            far.take(Entry(r.key, r.klass, records.decode(r.payload)) for r in kept)
            missing = set(far.lost(writer.durable))
            assert [key for key in writer.far.lost(writer.durable) if key in missing] == []
            assert reordered or opened.damages() == []
            cast(Any, opened)._disk.close()  # not the journal's own end, which is orderly
        assert found[0] == found[1]
        opened.append([])
        opened.close()
        settle(mount / "state", writer)
        return len(found[0])
    finally:
        loop.close()


def settle(state: Path, writer: Writer) -> None:
    """The next run on this disk sends what is there: every number that is known is explained."""
    clock, said = FakeClock(), list[str]()
    outbox = Outbox(
        epoch=writer.epoch + 1,
        before=writer.epoch,
        open_journal=lambda: journal(state),
        shelf=Shelf(state / "shelf"),
        clock=clock.stamp,
        monotonic=clock.monotonic,
        report=said.append,
    )
    far = copy.deepcopy(writer.far)
    outbox.link_changed(True)
    while True:
        clock.advance(1.0)
        outbox.step()
        taken = [entry for entry, _ in outbox.take(500)]
        far.take(taken)
        outbox.accepted([entry.key for entry in taken])
        if not taken and not outbox.stats().kept:
            break
    assert outbox.stats().storage == "ok", said
    assert outbox.close(0)
    for epoch in range(1, writer.epoch + 1):
        known = [key.seq for key in (*writer.durable, *writer.far.arrived) if key.epoch == epoch]
        assert far.unexplained(epoch, max(known, default=0)) == [], epoch
