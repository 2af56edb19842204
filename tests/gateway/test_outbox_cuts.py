"""The whole outbox over a disk that loses, tears and reorders what was not synced, cut at any call:
every number is at the far end, or in a gap record; what was on disk is never lost by a crash."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from drivers.base import Reading
from gateway.journal_open import open_ring
from gateway.model import Key, Outcome, Result, Sample
from gateway.outbox import Outbox
from gateway.shelf import Shelf
from tests.gateway.fake_clock import FakeClock
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.far_end import FarEnd

SIZE = 128 << 10
CUTS = int(os.environ.get("TIDEGATE_CUTS", "50"))
WINDOW = 20


class PowerCut(Exception):
    """Ends a run in the middle of a call."""


class House:
    """Runs of a gateway on one disk, one after the other."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.rng = random.Random(seed)
        self.disk = SimulatedDisk()
        self.far = FarEnd()
        self.clock = FakeClock()
        self.epoch = 0
        self.last: dict[int, int] = {}
        """Epoch to the last number that it gave."""
        self.durable: set[Key] = set()
        self.reports: list[str] = []
        self._folder = folder
        self.outbox = self._start()

    def _start(self) -> Outbox:
        self.epoch += 1
        outbox = Outbox(
            epoch=self.epoch,
            before=self.epoch - 1 or None,
            open_journal=lambda: open_ring(self.disk, SIZE, 0, self.reports.append),
            shelf=Shelf(self._folder / "shelf"),
            clock=self.clock.stamp,
            monotonic=self.clock.monotonic,
            commit_every=self.rng.choice([0.05, 1.0]),
            expire=self.rng.choice([0.0, 0.0, 60.0]),
            report=self.reports.append,
        )
        self.last[self.epoch] = 0
        outbox.subscribe(lambda: None)
        return outbox

    def run(self, rounds: int, calls: int) -> None:
        """Until the power goes at one of the disk's next calls, or for that many rounds."""
        self.disk.before = self._count_down(calls)
        try:
            for _ in range(rounds):
                self._round()
        except PowerCut:
            pass  # what the caller does next is the cut
        self._remember()
        self.disk.before = lambda call, name: None

    def _count_down(self, calls: int) -> Callable[[str, str], None]:
        left = calls

        def count(call: str, name: str) -> None:
            nonlocal left
            left -= call in ("write", "sync", "create", "rename")
            if left < 0:
                raise PowerCut

        return count

    def _round(self) -> None:
        rng, outbox = self.rng, self.outbox
        for _ in range(rng.randint(0, 30)):
            outbox.append(self._recorded())
            self._remember()
        if rng.random() < 0.1:
            outbox.link_changed(rng.random() < 0.6)
        if rng.random() < 0.5:
            self._send()
        self.clock.advance(rng.choice([0.0, 0.1, 2.0]))
        outbox.step()
        self._remember()

    def _recorded(self) -> Sample | Result:
        stamp, rng = self.clock.stamp(), self.rng
        if rng.random() < 0.02:
            return Result(f"c{rng.random()}", "relay", stamp, Outcome.DONE)
        value = Reading("temperature", round(rng.uniform(15, 25), 2))
        return Sample(rng.choice(["attic", "cellar", "boiler"]), stamp, (value,))

    def _send(self) -> None:
        taken = [entry for entry, _ in self.outbox.take(WINDOW)]
        got = taken[: self.rng.randint(0, len(taken))]
        self.far.take(got)
        self.outbox.accepted([entry.key for entry in got])
        self.outbox.returned([entry.key for entry in taken[len(got) :]])

    def _remember(self) -> None:
        stats = self.outbox.stats()
        first, self.last[self.epoch] = self.last[self.epoch], stats.last_seq
        recent = range(max(1, first - 200), stats.last_seq + 1)
        keys = [Key(self.epoch, seq) for seq in recent]
        # What was shed from memory is settled too, but only its gap record is kept.
        written = self.outbox._core.lanes.written or Key(0, 0)
        self.durable.update(k for k in keys if k <= written and self.outbox.settled(k, 0))

    def cut(self, again: int = 0) -> None:
        for _ in range(again + 1):
            self.disk = self.disk.cut(self.rng)
            self.outbox = self._start()

    def drain(self) -> None:
        """Everything that is left arrives."""
        self.outbox.link_changed(True)
        for _ in range(10_000):
            self.clock.advance(1.0)
            self.outbox.step()
            taken = [entry for entry, _ in self.outbox.take(500)]
            self.far.take(taken)
            self.outbox.accepted([entry.key for entry in taken])
            if not taken and not self.outbox.stats().kept:
                break
        self._remember()

    def judge(self) -> None:
        for epoch, last in self.last.items():
            assert self.far.unexplained(epoch, last) == [], epoch
        assert self.far.lost(self.durable) == []
        stats = self.outbox.stats()
        assert stats.storage == "ok"
        assert stats.kept == 0


@pytest.mark.parametrize("seed", range(CUTS // 10))
def test_cases_3_to_6_power_cuts_at_any_call(tmp_path: Path, seed: int) -> None:
    house = House(tmp_path, seed)
    for _ in range(10):
        house.run(rounds=house.rng.choice([20, 200]), calls=house.rng.randint(0, 400))
        house.cut(again=house.rng.choice([0, 0, 1]))
    house.drain()
    house.judge()
