"""A ring of a few segments on a simulated disk, for the tests of what storage does to it."""

from __future__ import annotations

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
