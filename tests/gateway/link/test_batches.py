"""Readings wait for their batch, what is urgent does not; nothing goes twice or is forgotten."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.codecs import history
from gateway.config import parse
from gateway.link.batches import Batches
from gateway.link.tally import DAY
from gateway.model import Alarm, AlarmState, Key, Klass, Lane, Result, Sample
from gateway.model import Outcome as Came
from gateway.outbox import Outbox
from gateway.shelf import Shelf
from gateway.store_memory import MemoryJournal
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.fake_clock import FakeClock
from tests.gateway.link.parts import STAMP, LinkRig, sample
from tests.scripted_broker import ScriptedBroker

BUDGET = 30_000
"""Bytes: a tenth of it is several messages, so that no bound is passed unseen."""
ALARM = Alarm("fire", STAMP, AlarmState.RAISED, "hot")


class Rig:
    """Batches over the real outbox, whose writer is moved by hand."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        journal = MemoryJournal(1 << 20)
        self.outbox = Outbox(
            epoch=1,
            open_journal=lambda: journal,
            shelf=Shelf(Path("/nonexistent")),
            clock=self.clock.stamp,
            monotonic=self.clock.monotonic,
        )
        self.batches = Batches(self.outbox)
        self.wakes = 0
        self.batches.subscribe(self._woken, self._woken)

    def _woken(self) -> None:
        self.wakes += 1

    def record(self, *recorded: Sample | Alarm | Result) -> None:
        for one in recorded:
            self.outbox.append(one)

    def write(self) -> None:
        self.clock.advance(2.0)
        self.outbox.step()

    def take(self, limit: int = 100, history: int | None = None) -> list[tuple[int, str]]:
        taken = self.batches.take(limit, history)
        return [(entry.key.seq, lane.value) for entry, lane in taken]


def test_readings_wait_and_alarms_and_results_do_not() -> None:
    rig = Rig()
    rig.batches.link_changed(True)
    rig.record(sample(), ALARM, sample(), Result("a", "pump", STAMP, Came.DONE))
    assert rig.take() == [(2, "live"), (4, "live")]
    rig.write()
    assert rig.take() == []
    rig.batches.due()
    assert rig.wakes > 0
    rig.write()
    assert rig.take() == [(1, "history"), (3, "history")]
    rig.record(sample())
    assert rig.take() == []


def test_what_an_outage_left_goes_with_the_new_connection() -> None:
    rig = Rig()
    rig.record(sample(), sample())
    rig.batches.due()  # nobody is there
    assert rig.take() == []
    rig.batches.link_changed(True)
    assert rig.take() == [(1, "history"), (2, "history")]


def test_a_batch_that_comes_in_pieces_is_not_over_before_its_end() -> None:
    rig = Rig()
    rig.batches.link_changed(True)
    rig.record(*[sample() for _ in range(1200)])
    rig.write()
    rig.batches.due()
    seen = []
    for _ in range(400):
        taken = rig.batches.take(10, 10)
        seen += [entry.key.seq for entry, lane in taken if lane is Lane.HISTORY]
        rig.batches.accepted([entry.key for entry, _ in taken])
        rig.write()  # the window is read back from the journal, behind the one who takes
    assert seen == list(range(1, 1201))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["sample", "alarm", "write", "due", "take", "down", "up"])))
def test_every_number_goes_exactly_once_whatever_happens(steps: list[str]) -> None:
    rig, up, sent, flying = Rig(), False, [], list[Key]()
    for step in steps:
        if step in ("sample", "alarm"):
            rig.record(sample() if step == "sample" else ALARM)
        elif step == "write":
            rig.write()
        elif step == "due":
            rig.batches.due()
        elif step == "take" and up:
            flying += [entry.key for entry, _ in rig.batches.take(3, 2)]
            if len(flying) > 4:
                sent += flying
                rig.batches.accepted(flying)
                flying = []
        elif step in ("down", "up"):
            rig.batches.returned(flying)
            flying, up = [], step == "up"
            rig.batches.link_changed(up)
    sent += flying
    rig.batches.accepted(flying)
    rig.batches.link_changed(True)
    for _ in range(2 * len(steps) + 5):
        taken = [entry.key for entry, _ in rig.batches.take(50)]
        rig.batches.accepted(taken)
        sent += taken
        rig.write()
    recorded = sum(step in ("sample", "alarm") for step in steps)
    assert sorted(key.seq for key in sent) == list(range(1, recorded + 1))


def test_through_a_broker(broker: Mosquitto, listener: Listener) -> None:
    rig = Rig()
    link = LinkRig(broker.url, outbox=rig.batches)
    with link:
        eventually(lambda: link.up)
        rig.record(*[sample(value) for value in range(50)], ALARM)
        listener.wait_for("tidegate/g/alarm/fire")
        assert listener.of("tidegate/g/history") == []
        rig.batches.due()
        (payload,) = listener.wait_for("tidegate/g/history")
        assert [fields["seq"] for fields in history.unpack(payload)] == list(range(1, 51))
        eventually(lambda: rig.outbox.stats().kept == 0)
    assert listener.of("tidegate/g/boiler/data") == []


def test_a_spent_budget_holds_readings_back_and_health_says_which(
    broker: Mosquitto, listener: Listener
) -> None:
    rig = LinkRig(broker.url, daily_bytes=BUDGET)

    def shed() -> str:
        return rig.link.status().shed

    def answered_or_held(sent: int) -> bool:
        return len(rig.outbox.done) > sent or shed() == "below alarm"

    with rig:
        eventually(lambda: rig.up)
        seen, answer = [""], Result("b", "pump", STAMP, Came.DONE)
        while seen[-1] != "below alarm":
            sent = len(rig.outbox.done)
            rig.outbox.append(answer, Klass.RESULT)
            eventually(partial(answered_or_held, sent))
            if shed() != seen[-1]:
                seen.append(shed())
        assert seen == ["", "below counter", "below result", "below alarm"]
        sent = len(rig.outbox.done)
        rig.outbox.append(sample())
        rig.outbox.append(Result("a", "pump", STAMP, Came.DONE), Klass.RESULT)
        rig.outbox.append(ALARM, Klass.ALARM)
        listener.wait_for("tidegate/g/alarm/fire")
        status = rig.link.status()
        assert status.bytes_out + status.bytes_in >= status.budget == BUDGET
        held = {entry.klass for entry in rig.outbox.kept.values()}
        assert {Klass.TELEMETRY, Klass.RESULT} <= held
        assert len(rig.outbox.done) <= sent + 2  # what was in flight, and the alarm


def test_a_new_day_needs_no_traffic_to_begin(scripted: ScriptedBroker) -> None:
    """A metered link may be silent for half a day: what is held back does not wait for a ping."""
    with LinkRig(scripted.url, daily_bytes=BUDGET, keepalive=43200) as rig:
        eventually(lambda: rig.settled)
        while rig.link.status().shed != "below counter":
            sent = len(rig.outbox.done)
            rig.outbox.append(sample())
            eventually(
                lambda: len(rig.outbox.done) > sent or rig.link.status().shed == "below counter"  # noqa: B023
            )
        held = [rig.outbox.append(sample()) for _ in range(3)]
        eventually(lambda: rig.link.status().in_flight == 0)
        rig.advance(1)  # the last answer's bytes are of the old day
        assert not set(held) & set(rig.outbox.done)
        rig.clock.set_wall((rig.clock.stamp().wall // DAY + 1) * DAY + 1)
        rig.until(lambda: set(held) <= set(rig.outbox.done))


CONFIG = """
[gateway]
id = "g"
{gateway}
[upstream]
url = "mqtt://localhost"
{upstream}
"""


def load(gateway: str = "", upstream: str = "") -> tuple[float, float, float]:
    settings, _ = parse(CONFIG.format(gateway=gateway, upstream=upstream), "f", {})
    up = settings.upstream
    return up.keepalive, up.batch_every, settings.gateway.health_every


def test_metered_gives_other_defaults_and_what_is_written_stays() -> None:
    assert load() == (30, 0, 60)
    assert load(upstream="metered = false") == (30, 0, 60)
    assert load(upstream="metered = true") == (43200, 86400, 86400)
    own = 'metered = true\nbatch_every = "6h"\nkeepalive = "20min"'
    assert load('health_every = "12h"', own) == (1200, 21600, 43200)
