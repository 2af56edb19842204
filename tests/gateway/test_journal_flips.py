"""One bit of a ring flips, wherever it is: the ring opens, what is elsewhere survives, and what
does not is told (traps.md, cases 7 to 9).

All bytes of a small ring are gone through, those of its unused room too: with TIDEGATE_FLIPS=1 each
of them, else of the zeros only every 32nd.
"""

from __future__ import annotations

import os

from gateway.journal import Damage, Mark
from gateway.journal_files import LEAST
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.journal_segment import name_of
from gateway.model import Key, Klass
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.journal_contract import keys, record

SEGMENT = 4096
STEP = int(os.environ.get("TIDEGATE_FLIPS", "32"))


def silent(_: str) -> None:
    """Nothing is reported in these tests."""


def opened(disk: SimulatedDisk) -> Ring:
    return open_ring(disk, LEAST * SEGMENT, 0, silent)


def append(ring: Ring, first: int, last: int) -> None:
    for seq in range(first, last + 1):
        klass = Klass.ALARM if seq % 10 == 0 else Klass.TELEMETRY
        ring.append([record(seq, klass=klass, size=60)])


def small_ring(disk: SimulatedDisk) -> set[int]:
    """With whatever a ring can have in it: segments that are full, used again, merged, replaced by
    the merged one, being written and never used; two marks. The numbers that may come back: their
    settled bits are the only trace of that."""
    for slot in range(LEAST):
        disk.create(name_of(slot), SEGMENT)
    ring = opened(disk)
    ring.set_mark(Mark(1, 0, False))
    append(ring, 1, 30)
    ring.forget([Key(1, seq) for seq in range(1, 24)])
    append(ring, 31, 110)
    two = ring.chunks()[1:3]
    ring.evict(two, {r.key for r in ring.records(two) if r.key.seq % 2}, 1)
    ring.forget([Key(1, 25), Key(1, 105)])
    ring.set_mark(Mark(1, 110, True, Key(1, 110)))
    ring.close()
    return {*range(1, 24), 25, 105}


def flipped(disk: SimulatedDisk, name: str, at: int) -> SimulatedDisk:
    """A copy that shares what is not written to."""
    twin = SimulatedDisk(disk.room)
    twin.files = {n: bytearray(data) if n == name else data for n, data in disk.files.items()}
    twin.files[name][at] ^= 1 << (at * 5 + 3) % 8
    twin._medium = dict(twin.files)
    twin._dirty = {n: set() for n in disk.files}
    twin._named = set(disk.files)
    return twin


def tells(told: list[Damage], seq: int) -> bool:
    return any(d.first.seq <= seq and (d.last is None or seq <= d.last.seq) for d in told)


def test_case_7_every_byte_of_a_small_ring_may_flip() -> None:
    """What held settled bits may bring back what was settled, and nothing more."""
    disk = SimulatedDisk()
    settled = small_ring(disk)
    expected = set(keys(opened(disk).read(None, 999)))
    assert len(expected) == 62
    for name, content in [(name, bytes(data)) for name, data in disk.files.items()]:
        for at in (at for at, byte in enumerate(content) if byte or at % STEP == 0):
            again = opened(flipped(disk, name, at))
            found = set(keys(again.read(None, 999)))
            assert found <= expected | settled, (name, at)
            lost = expected - found
            assert len(lost) <= 1, (name, at, lost)
            told = again.damages()
            assert all(tells(told, seq) for seq in lost), (name, at, lost, told)
