"""The ring against SQLite as oracle: the same calls, the same answers, through power cuts on a disk
that loses, tears and reorders whatever was not synced (traps.md, cases 3 to 6)."""

from __future__ import annotations

import errno
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.eviction import Step, choose, plan
from gateway.journal import Chunk, JournalFault, JournalFull, Mark, Record
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.model import GapReason, Key, Klass
from gateway.records import decode
from gateway.store_sqlite import SqliteJournal
from tests.gateway.fake_disk import Failing, SimulatedDisk
from tests.gateway.journal_contract import record

SIZE = 128 << 10
KLASSES = st.sampled_from([Klass.TELEMETRY] * 6 + [Klass.COUNTER, Klass.RESULT, Klass.ALARM])


def silent(_: str) -> None:
    """Nothing is reported in these tests."""


class PowerCut(Exception):
    """Stops the ring in the middle of a call."""


class RingAgainstSqlite(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.oracle = SqliteJournal(Path(self.folder.name) / "oracle.db", 16 << 20)
        self.disk = SimulatedDisk()
        self.ring = self._open()
        self.epoch, self.seq = 1, 0
        self.forgotten: set[Key] = set()
        self.waiting: list[Record] = []
        """What a failing disk refused, or said that it refused: it comes again with the next."""
        self.failed = False
        self.refused: set[Key] = set()
        self.not_evicted: list[set[Key]] = []
        """What a failing disk did not evict, or said so: a crash may have it gone."""

    def _open(self) -> Ring:
        return open_ring(self.disk, SIZE, 0, silent)

    def teardown(self) -> None:
        self.oracle.close()
        self.folder.cleanup()

    def _record(self, klass: Klass, size: int) -> Record:
        self.seq += 1
        return record(self.seq, epoch=self.epoch, klass=klass, size=size)

    @initialize(count=st.integers(0, 60))
    def begin(self, count: int) -> None:
        for _ in range(count):
            self.append([(Klass.TELEMETRY, 700)])

    @rule(group=st.lists(st.tuples(KLASSES, st.integers(10, 1500)), min_size=1, max_size=25))
    def append(self, group: list[tuple[Klass, int]]) -> None:
        new = [self._record(*item) for item in group]
        records = self.waiting + new
        try:
            self.ring.append(records)
        except JournalFull:
            self.seq -= len(new)
        else:
            self.oracle.append(records)
            self.waiting = []

    @rule(
        group=st.lists(st.tuples(KLASSES, st.integers(10, 1500)), min_size=1, max_size=25),
        call=st.sampled_from(["write", "sync", "create", "read"]),
        first=st.integers(1, 8),
        times=st.integers(1, 4),
        number=st.sampled_from([errno.EIO, errno.ENOSPC, errno.EROFS]),
    )
    def append_while_it_fails(
        self, group: list[tuple[Klass, int]], call: str, first: int, times: int, number: int
    ) -> None:
        records = self.waiting + [self._record(*item) for item in group]
        self.waiting = []
        with self._failing(call, number, first, times):
            try:
                self.ring.append(records)
            except (JournalFault, JournalFull):
                self.waiting = records
            else:
                self.oracle.append(records)

    @rule(
        call=st.sampled_from(["write", "sync", "create", "read"]),
        first=st.integers(1, 8),
        times=st.integers(1, 4),
        sync=st.booleans(),
    )
    def settle_and_evict_while_it_fails(
        self, call: str, first: int, times: int, sync: bool
    ) -> None:
        step = plan(self.ring.chunks(), 0.0)
        going = {r.key for r in self._choice(step, self.ring.records(step.chunks))} if step else ()
        with self._failing(call, errno.EIO, first, times):
            try:
                self.ring.settle(sync)
                if step:
                    gone = self.ring.evict(step.chunks, going, step.level)
                    self.oracle.forget(gone)
                    self.forgotten.update(gone)
            except (JournalFault, JournalFull, ValueError):
                self.not_evicted.append(set(going))

    @contextmanager
    def _failing(self, call: str, number: int, first: int, times: int) -> Iterator[None]:
        self.failed = True
        self.disk.before = Failing(call, number, first, times)
        try:
            yield
        finally:
            self.disk.before = lambda call, name: None

    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        kept = [r.key for r in self.oracle.read(None, 10_000)]
        if kept:
            keys = data.draw(st.lists(st.sampled_from(kept), max_size=20))
            self._forget(keys)

    @rule(count=st.integers(1, 60))
    def forget_the_oldest(self, count: int) -> None:
        self._forget([r.key for r in self.oracle.read(None, count)])

    def _forget(self, keys: list[Key]) -> None:
        self.ring.forget(keys)
        self.oracle.forget(keys)
        self.forgotten.update(keys)

    @rule(sync=st.booleans())
    def settle(self, sync: bool) -> None:
        self.ring.settle(sync)

    @rule()
    def prepare(self) -> None:
        before = self.ring.usage()
        more = self.ring.prepare()
        after = self.ring.usage()
        assert more == (after.written > before.written)
        assert (after.kept, after.bytes_used) == (before.kept, before.bytes_used)

    @rule(call=st.sampled_from(["write", "sync", "drop"]), first=st.integers(1, 3))
    def prepare_while_it_fails(self, call: str, first: int) -> None:
        with self._failing(call, errno.EIO, first, 1), suppress(JournalFault):
            self.ring.prepare()

    @rule(calls=st.integers(0, 3), seed=st.integers(0, 1 << 32))
    def cut_while_preparing(self, calls: int, seed: int) -> None:
        self._until_power_goes(self.ring.prepare, calls)
        self.disk = self.disk.cut(random.Random(seed))
        self.ring = self._open()
        self._reconcile()
        self.epoch, self.seq = self.epoch + 1, 0

    @rule()
    def evict(self) -> None:
        chunks = self.ring.chunks()
        step = plan(chunks, 0.0)
        if step is None:
            return
        inside = self.ring.records(step.chunks)
        going = {r.key for r in self._choice(step, inside)}
        try:
            gone = self.ring.evict(step.chunks, going, step.level)
        except (ValueError, JournalFull):
            return
        assert set(gone) == going
        self.oracle.forget(gone)
        self.forgotten.update(gone)

    def _choice(self, step: Step, inside: list[Record]) -> list[Record]:
        """Records of this test have no samples in them, so thinning is taken as every second."""
        if step.reason is GapReason.THINNED:
            return [r for r in inside if r.klass == Klass.TELEMETRY and r.key.seq % 2]
        return choose(step, inside, 0.0, decode)

    @rule()
    def close_and_open(self) -> None:
        self.ring.close()
        self.ring = self._open()
        self._reconcile()
        self.epoch, self.seq = self.epoch + 1, 0

    @rule()
    def kill(self) -> None:
        """The process dies: what it had handed to the system is there."""
        self.ring = self._open()
        self._reconcile()
        self.epoch, self.seq = self.epoch + 1, 0

    @rule(seed=st.integers(0, 1 << 32), again=st.integers(0, 2))
    def cut(self, seed: int, again: int) -> None:
        """The power goes, and perhaps again while the ring is opened."""
        rng = random.Random(seed)
        for _ in range(again + 1):
            self.disk = self.disk.cut(rng)
            self.ring = self._open()
        self._reconcile()
        self.epoch, self.seq = self.epoch + 1, 0

    def _reconcile(self) -> None:
        """What was settled lazily may be back, and what a failing disk refused may be there, or a
        part of it; what it would not evict may be gone. Anything else may not."""
        kept = {r.key for r in self.ring.read(None, 10_000)}
        there = {r.key for r in self.oracle.read(None, 10_000)}
        refused, self.waiting = self.waiting, []
        for going in self.not_evicted:
            if not kept & going & there:
                self.oracle.forget(going)
                self.forgotten |= going
                there -= going
        assert there <= kept
        back = kept - there - {r.key for r in refused}
        assert back <= self.forgotten
        self.ring.forget(back)
        self.oracle.append([r for r in refused if r.key in kept])
        self.forgotten |= {r.key for r in refused}
        self.refused |= {r.key for r in refused}
        for damage in self.ring.damages():
            if not damage.torn:
                last = damage.last or Key(1 << 30, 0)
                told = any(damage.first <= key <= last for key in self.refused)
                # Of a segment that could not be begun a torn header may be left, and then nobody
                # knows that nothing was in it: too much is said, of nothing that is counted.
                assert told or (self.failed and damage.count == 0)
                assert not any(damage.first <= key <= last for key in there)

    @rule(
        group=st.lists(st.tuples(KLASSES, st.integers(10, 1500)), min_size=1, max_size=25),
        calls=st.integers(1, 12),
        seed=st.integers(0, 1 << 32),
    )
    def cut_while_appending(self, group: list[tuple[Klass, int]], calls: int, seed: int) -> None:
        """Of a group that was not finished any part may be there, and nothing of it is promised."""
        records = self.waiting + [self._record(*item) for item in group]
        self.waiting = []
        self._until_power_goes(lambda: self.ring.append(records), calls)
        self.disk = self.disk.cut(random.Random(seed))
        self.ring = self._open()
        kept = self.ring.read(None, 10_000)
        self.oracle.append([r for r in kept if r.key >= records[0].key])
        # A later write may complete a torn record where both have the same bytes.
        self.forgotten |= {r.key for r in records} - {r.key for r in kept}
        torn = [damage for damage in self.ring.damages() if not damage.torn]
        for damage in torn:
            assert damage.last is not None
            assert damage.last <= records[-1].key
            # What a failing disk refused earlier may be told again until its account is on disk.
            earlier = sum(damage.first <= key <= damage.last for key in self.refused)
            assert damage.count <= len(records) + earlier
        self.ring.damages()
        self.ring.settle(sync=True)
        self._reconcile()
        self.epoch, self.seq = self.epoch + 1, 0

    @rule(calls=st.integers(1, 12), seed=st.integers(0, 1 << 32))
    def cut_while_evicting(self, calls: int, seed: int) -> None:
        """Either all of it went or none."""
        step = plan(self.ring.chunks(), 0.0)
        if step is None:
            return
        going = {r.key for r in self._choice(step, self.ring.records(step.chunks))}
        self._until_power_goes(
            lambda: self.ring.evict(step.chunks, going, step.level) if step else None, calls
        )
        self.disk = self.disk.cut(random.Random(seed))
        self.ring = self._open()
        left = going & {r.key for r in self.ring.read(None, 10_000)} - self.forgotten
        assert not left or left == going - self.forgotten
        if not left:
            self.oracle.forget(going)
        self.forgotten.update(going - left)
        self._reconcile()
        self.epoch, self.seq = self.epoch + 1, 0

    def _until_power_goes(self, act: Callable[[], object], calls: int) -> None:
        left = calls

        def count(call: str, name: str) -> None:
            nonlocal left
            if call in ("write", "sync"):
                left -= 1
                if left < 0:
                    raise PowerCut

        self.disk.before = count
        try:
            act()
        except (PowerCut, JournalFull, ValueError):
            return  # what was written before is in the disk's cache
        finally:
            self.disk.before = lambda call, name: None

    @rule()
    def mark(self) -> None:
        mark = Mark(self.epoch, self.seq, False, None)
        self.ring.set_mark(mark)
        assert self.ring.mark() == mark

    @invariant()
    def same(self) -> None:
        expected = self.oracle.read(None, 10_000)
        assert self.ring.read(None, 10_000) == expected
        assert self.ring.usage().kept == len(expected)
        middle = expected[len(expected) // 2].key if expected else Key(1, 1)
        assert self.ring.read(middle, 7) == self.oracle.read(middle, 7)
        dear = self.oracle.read(None, 10_000, Klass.ALARM)
        assert self.ring.read(None, 10_000, Klass.ALARM) == dear

    @invariant()
    def chunks_are_sound(self) -> None:
        chunks: list[Chunk] = self.ring.chunks()
        inside = self.ring.records(chunks)
        assert sum(chunk.kept for chunk in chunks) == len(inside)
        keys = [r.key for r in inside]
        assert keys == sorted(keys)


TestRingAgainstSqlite = RingAgainstSqlite.TestCase
TestRingAgainstSqlite.settings = settings(
    max_examples=int(os.environ.get("TORTURE", "1")) * int(os.environ.get("MODEL_RUNS", "60")),
    stateful_step_count=30,
    derandomize="TORTURE" not in os.environ,  # at random by `make torture` only
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
