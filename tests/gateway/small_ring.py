"""A ring of a few segments on a simulated disk, for the tests of what storage does to it."""

from __future__ import annotations

import errno

import pytest

from gateway.journal import JournalFault, Record
from gateway.journal_format import SEAL_MAGIC
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.journal_contract import keys

SIZE = 128 << 10


def silent(_: str) -> None:
    """Nothing is reported in these tests."""


def opened(disk: SimulatedDisk) -> Ring:
    return open_ring(disk, SIZE, 0, silent)


def kept(ring: Ring) -> list[int]:
    return keys(ring.read(None, 10_000))


def failed_at_its_last_sync(disk: SimulatedDisk, ring: Ring) -> list[Record]:
    """Every second record of the first two chunks was to go. What was written to replace them looks
    whole to a next start. Gives what was in the chunks."""
    pair = ring.chunks()[:2]
    inside = ring.records(pair)
    there = {name for name, data in disk.files.items() if data[-512:-504] == SEAL_MAGIC}

    def fail(call: str, name: str) -> None:
        new = name not in there and name.endswith(".seg")
        if call == "sync" and new and disk.files[name][-512:-504] == SEAL_MAGIC:
            raise OSError(errno.EIO, "EIO", name)

    disk.before = fail
    with pytest.raises(JournalFault):
        ring.evict(pair, {r.key for r in inside if r.key.seq % 2}, 1)
    disk.before = lambda *_: None
    return inside
