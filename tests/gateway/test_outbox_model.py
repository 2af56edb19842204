"""The outbox in flight, as a broker would see it: nothing is lost, nothing is under way twice,
a lane keeps its order, and the books balance, whatever comes back, is refused or is evicted."""

from __future__ import annotations

import tempfile
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.journal import JournalFault, Record
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from gateway.model import Alarm, AlarmState, Entry, Gap, Key, Klass, Lane, Reading, Sample
from gateway.outbox import Outbox
from gateway.shelf import RETRY, Shelf
from tests.gateway.fake_clock import FakeClock
from tests.gateway.fake_disk import SimulatedDisk
from tests.gateway.far_end import FarEnd
from tests.gateway.small_ring import SIZE, silent


class Unreadable:
    """A journal that at times cannot be read."""

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.fails = False

    def __getattr__(self, name: str) -> object:
        return getattr(self._ring, name)

    def read(self, after: Key | None, limit: int, low: Klass = Klass.TELEMETRY) -> list[Record]:
        if self.fails:
            raise JournalFault("the medium does not answer")
        return self._ring.read(after, limit, low)


class OutboxInFlight(RuleBasedStateMachine):
    fifo = False

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.clock = FakeClock()
        self.far = FarEnd()
        self.flying: dict[Key, tuple[Entry, Lane]] = {}
        self.sent: dict[tuple[Lane, bool], Key] = {}
        """The last of a lane, alarms and gaps by themselves, since something came back to it."""
        self.refused: set[Key] = set()
        """These come again out of order: by wish, or when they could not be read for the shelf."""
        self.shelf = Shelf(Path(self.folder.name) / "shelf")
        self.journal = Unreadable(open_ring(SimulatedDisk(), SIZE, 0, silent))
        self.outbox = Outbox(
            epoch=1,
            open_journal=lambda: self.journal,  # type: ignore[arg-type,return-value]
            shelf=self.shelf,
            clock=self.clock.stamp,
            monotonic=self.clock.monotonic,
            order="fifo" if self.fifo else "live-first",
        )

    def teardown(self) -> None:
        self.journal.fails = False
        self.link_goes(True)
        for _ in range(200):
            self.settle()
            self.take(1000, None)
            self.accept(1000)
        self.settle()
        assert self.outbox.stats().kept == 0
        on_shelf = set(self.shelf.keys())
        unexplained = self.far.unexplained(1, self.outbox.stats().last_seq)
        assert [key for key in unexplained if key not in on_shelf] == []
        assert not on_shelf & self.far.arrived
        assert self.far.doubles == 0
        self.balances()
        self.folder.cleanup()

    @initialize(count=st.integers(0, 800), up=st.booleans())
    def begin(self, count: int, up: bool) -> None:
        self.outbox.step()
        self.samples(count)
        self.settle()
        self.link_goes(up)

    def settle(self) -> None:
        for _ in range(3):
            self.clock.advance(6.0)
            self.outbox.step()

    @rule(count=st.integers(1, 300))
    def samples(self, count: int) -> None:
        for number in range(count):
            self.outbox.append(
                Sample("attic", self.clock.stamp(), (Reading("temperature", number % 9),))
            )

    @rule()
    def alarm(self) -> None:
        raised = Alarm("frost", self.clock.stamp(), AlarmState.RAISED, "cold")
        self.outbox.append(raised, wait=False)

    @rule(seconds=st.sampled_from([0.0, 0.5, 2.0, 10.0]), times=st.integers(1, 3))
    def step(self, seconds: float, times: int) -> None:
        for _ in range(times):
            self.clock.advance(seconds)
            self.outbox.step()

    @rule(limit=st.integers(1, 400), history=st.none() | st.integers(0, 400))
    def take(self, limit: int, history: int | None) -> None:
        for entry, lane in self.outbox.take(limit, history):
            assert entry.key not in self.flying
            assert entry.key not in self.far.arrived
            self.flying[entry.key] = entry, lane
            if entry.key not in self.refused:
                place = self.place(entry, lane)
                assert self.sent.get(place, Key(0, 0)) < entry.key
                self.sent[place] = entry.key

    def place(self, entry: Entry, lane: Lane) -> tuple[Lane, bool]:
        return (Lane.LIVE, False) if self.fifo else (lane, entry.klass >= Klass.ALARM)

    @rule(count=st.integers(1, 400))
    def accept(self, count: int) -> None:
        answered = list(self.flying)[:count]
        self.far.take(self.flying.pop(key)[0] for key in answered)
        self.outbox.accepted(answered)

    @rule(data=st.data())
    def refuse(self, data: st.DataObject) -> None:
        told = [k for k, (entry, _) in self.flying.items() if not isinstance(entry.recorded, Gap)]
        if told:
            key = data.draw(st.sampled_from(told[:50]))
            del self.flying[key]
            self.refused.add(key)
            self.outbox.refused(key, "not authorised")

    @rule(skip=st.integers(0, 20), count=st.integers(1, 400))
    def give_back(self, skip: int, count: int) -> None:
        back = list(self.flying)[skip : skip + count]
        for key in back:
            del self.flying[key]
        self.outbox.returned(back)
        self.sent.clear()

    @rule(up=st.booleans())
    def link_goes(self, up: bool) -> None:
        self.give_back(0, len(self.flying))
        self.outbox.link_changed(up)

    @rule()
    def retry_from_shelf(self) -> None:
        for key, wish in list(self.shelf.keys().items())[:1]:
            if wish != RETRY:
                self.shelf.wish(key, RETRY)

    @rule(fails=st.booleans())
    def medium(self, fails: bool) -> None:
        self.journal.fails = fails

    @invariant()
    def balances(self) -> None:
        stats = self.outbox.stats()
        away = stats.accepted + sum(stats.dropped.values()) + stats.kept + stats.shelved
        assert stats.recorded + stats.inherited == away
        assert stats.kept >= 0
        assert stats.in_flight == len(self.flying)


class FifoInFlight(OutboxInFlight):
    fifo = True


MOST = settings(
    max_examples=30,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestOutboxInFlight = OutboxInFlight.TestCase
TestOutboxInFlight.settings = MOST
TestFifoInFlight = FifoInFlight.TestCase
TestFifoInFlight.settings = MOST
