"""When a connection is over: how it is noticed, what it is called, and when the next one begins."""

from __future__ import annotations

import json
import random
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.codecs.base import LinkState
from gateway.link.decisions import (
    FIRST_DELAY,
    MAX_DELAY,
    MAX_DELAY_LOCAL,
    RIVAL_DELAY,
    STABLE,
    Backoff,
    Rivals,
    overdue,
)
from gateway.link.pulse import Pulse
from gateway.link.reasons import CREDENTIALS, OVERLOADED, least_wait
from gateway.link.suspects import Message, Suspects
from gateway.link.terms import Versions
from gateway.model import Key
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import LinkRig, sample
from tests.lines import Line
from tests.mqtt_bytes import PINGREQ, PUBLISH
from tests.scripted_broker import ScriptedBroker

# Decisions, without a network.


@given(st.integers(0, 2**32), st.lists(st.floats(0, 200), max_size=30))
def test_full_jitter_below_a_bound_that_doubles(seed: int, lives: list[float]) -> None:
    """P14: anything from nothing to the bound; forgotten only after a stable minute."""
    backoff = Backoff(random.Random(seed))
    failures = 0
    for lasted in lives:
        backoff.ended(lasted)
        if lasted >= STABLE:
            failures = 0
        delay = backoff.delay()
        assert 0 <= delay <= min(MAX_DELAY, FIRST_DELAY * 2**failures)
        failures += 1


def test_a_fleet_does_not_march() -> None:
    """P14: a thousand gateways that lose the broker together come back over the whole minute."""
    delays = []
    for seed in range(1000):
        backoff = Backoff(random.Random(seed))
        for _ in range(8):
            delay = backoff.delay()
        delays.append(delay)
    for tenth in range(10):
        share = [d for d in delays if tenth * 6 <= d < tenth * 6 + 6]
        assert 60 < len(share) < 150


def test_flapping_is_slowed_down() -> None:
    """Case 18: a link that is up for three seconds, an hour long: at most a connect per 5 s."""
    backoff = Backoff(random.Random(1))
    now, connects = 0.0, 0
    while now < 3600:
        now += 3.0
        backoff.ended(3.0)
        now += backoff.delay()
        connects += 1
    assert connects <= 3600 / 5
    assert MAX_DELAY_LOCAL < MAX_DELAY


def test_a_rival_is_told_by_its_code_or_by_its_pace() -> None:
    """P13."""
    rivals = Rivals()
    assert rivals.dropped(0.0, 100.0, 0x8E) is not None
    verdicts = [Rivals.dropped(rivals, 10.0 * n, 2.0, None) for n in range(4)]
    assert [v is not None for v in verdicts] == [False, False, False, True]
    assert Rivals().dropped(0.0, 100.0, None) is None
    calm = Rivals()
    assert all(calm.dropped(30.0 * n, 2.0, None) is None for n in range(20))


def test_who_asks_for_less_gets_less() -> None:
    assert all(least_wait(code) > least_wait(None) for code in CREDENTIALS | OVERLOADED)


@pytest.mark.parametrize(
    ("silent", "oldest", "dead"),
    [(None, None, False), (85.0, 85.0, False), (84.9, 99.0, True), (99.0, 39.9, True)],
)
def test_when_a_broker_is_taken_for_dead(
    silent: float | None, oldest: float | None, dead: bool
) -> None:
    assert overdue(100.0, silent, oldest, 15.0) is dead


@given(
    st.floats(1, 3600),
    st.lists(st.tuples(st.floats(0, 500), st.booleans(), st.booleans()), max_size=40),
)
def test_a_ping_when_it_is_due_and_an_end_when_it_is_not_answered(
    keepalive: float, steps: list[tuple[float, bool, bool]]
) -> None:
    """P12: never silent for longer than the keep-alive; given up one patience after a ping."""
    now, sent, received = 0.0, 0, 0
    pulse = Pulse(keepalive, 15.0, now)
    quiet_since, pinged = 0.0, None
    for passed, says, hears in steps:
        now += min(passed, pulse.wait(now))  # the link never sleeps longer than this
        sent, received = sent + says, received + hears
        pulse.observe(now, sent, received, received, 0)
        if says:
            quiet_since = now
        if hears:
            pinged = None
        assert now - quiet_since <= keepalive + 1e-6
        assert pulse.stopped(now) <= (
            pinged is not None and now - pinged >= min(15, keepalive) - 1e-6
        )
        if pulse.due(now):
            pulse.pinged(now)
            quiet_since = pinged = now


def test_a_ping_behind_bytes_that_still_leave_is_waited_for() -> None:
    pulse = Pulse(30, 15.0, 0.0)
    pulse.pinged(30.0)
    pulse.observe(44.0, sent=1000, received=0, pongs=0, unsent=9000)
    assert not pulse.stopped(46.0)
    pulse.observe(46.0, sent=1000, received=5, pongs=0, unsent=9000)
    assert pulse.stopped(59.0)


def test_no_keep_alive_no_pings() -> None:
    pulse = Pulse(0, 15.0, 0.0)
    assert not pulse.due(1e9) and pulse.wait(1e9) == float("inf")


def test_silence_to_version_5_once_may_be_an_accident() -> None:
    versions = Versions("auto")
    spoken = []
    settled = []
    for speaks in "..o..oo.":
        spoken.append(versions.of("url"))
        if speaks == ".":
            versions.refused("url", None)
        else:
            settled.append(versions.worked("url"))
    assert spoken == ["5", "5", "3.1.1", "5", "5", "3.1.1", "3.1.1", "3.1.1"]
    assert settled == [False, True, False]
    assert versions.of("other") == "5"


def test_an_innocent_message_is_not_blamed_for_a_bad_network() -> None:
    """P4: a cut line is not the broker's doing, nor is an end before anything was answered."""
    suspects = Suspects()
    one = (Key(1, 1),)
    for now, (by_broker, proven) in enumerate(((False, True), (True, False)) * 10):
        assert suspects.dropped([one], by_broker, proven, now * 60.0) is None
    assert not suspects.one_at_a_time


def test_the_one_that_was_alone_three_times_in_a_row() -> None:
    suspects = Suspects()
    one, two = (Key(1, 1),), (Key(1, 2),)
    for _ in range(2):
        assert suspects.dropped([one, two], True, True, 100.0) is None
    assert suspects.one_at_a_time
    assert suspects.dropped([one], True, True, 100.0) is None
    suspects.answered(list(one))
    verdicts = [suspects.dropped([two], True, True, now) for now in (101.0, 106.0, 111.0)]
    assert verdicts == [None, None, two]
    assert not suspects.watched


def test_an_entry_is_not_given_up_for_a_line_that_flaps_for_seconds() -> None:
    suspects, entry = Suspects(), (Key(1, 1),)
    assert {suspects.dropped([entry], True, True, 100 + n / 10) for n in range(99)} == {None}
    assert suspects.dropped([entry], True, True, 110.0) == entry


@pytest.mark.parametrize("message", [("tidegate/g/about",), (Key(1, 1), Key(1, 2))])
def test_what_is_not_lost_by_it_is_left_out_at_once(message: Message) -> None:
    suspects = Suspects()
    assert [suspects.dropped([message], True, True, 100.0) for _ in range(3)][-1] == message


# Against brokers.


def test_a_disconnect_is_counted_once(scripted: ScriptedBroker) -> None:
    """P15: paho says it twice, for the packet and for the socket."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        scripted.dismiss(0x8B, "back at nine")
        eventually(lambda: rig.connects == 2)
        status = rig.link.status()
        assert (status.connects, status.drops) == (2, 1)
        assert rig.states[:3] == [
            LinkState.CONNECTED,
            LinkState.DISCONNECTED,
            LinkState.CONNECTED,
        ]


def test_the_brokers_words_at_the_end(
    scripted: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        scripted.dismiss(0x8B, "back at nine")
        eventually(lambda: rig.connects == 2)
    assert "offline: the broker says: broker shutting down (back at nine)" in caplog.text


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_second_client_with_our_id(broker: Mosquitto, protocol: str) -> None:
    """P13, case 27: recognised and told, against mosquitto; not fought over for ever."""
    with LinkRig(broker.url, protocol=protocol, client_id="twin", keepalive=3600) as rig:
        eventually(lambda: rig.up)
        stop = threading.Event()

        def fight() -> None:
            while not stop.is_set():
                version = MQTTProtocolVersion.MQTTv5
                twin = paho.Client(CallbackAPIVersion.VERSION2, "twin", protocol=version)
                twin.connect("127.0.0.1", broker.port)
                twin.loop_start()
                stop.wait(0.2)
                twin.loop_stop()

        rival = threading.Thread(target=fight)
        rival.start()
        try:
            eventually(lambda: bool(rig.told("duplicate_client")))
        finally:
            stop.set()
            rival.join()
        raised, text = rig.told("duplicate_client")[0]
        assert raised
        assert "our client id" in text or "client with our id" in text
        rig.until(lambda: [r for r, _ in rig.told("duplicate_client")] == [True, False])


class _Widest(random.Random):
    """asked: the longest delay that each try might have had."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[float] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append(b)
        return 0.0


def test_after_a_rival_the_delay_may_grow_to_five_minutes(scripted: ScriptedBroker) -> None:
    """P13: `delay up to 5 min`."""

    dice = _Widest()
    with LinkRig(scripted.url, rng=dice) as rig:
        for number in range(1, 12):
            eventually(lambda: rig.connects == number)  # noqa: B023
            scripted.dismiss(0x8E)
        eventually(lambda: len(dice.asked) >= 11)
    assert max(dice.asked) == RIVAL_DELAY


def test_a_local_broker_that_flaps_is_waited_for_no_longer_than_a_minute(
    scripted: ScriptedBroker,
) -> None:
    """P13: by its pace alone nobody is a rival for certain; the alarm is raised all the same."""

    dice = _Widest()
    with LinkRig(scripted.url, rng=dice) as rig:
        for number in range(1, 12):
            eventually(lambda: rig.connects == number)  # noqa: B023
            scripted.cut()
        eventually(lambda: len(dice.asked) >= 11)
        assert rig.told("duplicate_client")[0][0]
    assert max(dice.asked) == MAX_DELAY


def test_a_broker_that_takes_bytes_and_never_acknowledges(scripted: ScriptedBroker) -> None:
    """P12, case 20: found by the acknowledgement's deadline, and everything arrives after all."""
    with LinkRig(scripted.url, window=20) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {PUBLISH}
        keys = [rig.outbox.append(sample(value)) for value in range(100)]
        eventually(lambda: rig.link.status().in_flight == 20)
        rig.advance(10)
        assert rig.up
        rig.advance(6)
        eventually(lambda: rig.link.status().drops == 1)
        scripted.silent = set()
        rig.until(lambda: sorted(rig.outbox.done) == keys)
        assert scripted.most_unanswered <= 20


def test_a_broker_that_forgets_one_message(scripted: ScriptedBroker) -> None:
    """Case 20: the others are acknowledged all the while."""
    with LinkRig(scripted.url, ack_timeout=10) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {PUBLISH}
        forgotten = rig.outbox.append(sample())
        eventually(lambda: len(scripted.of("tidegate/g/boiler/data")) == 1)
        scripted.silent = set()
        for _ in range(10):
            rig.advance(5)
            key = rig.outbox.append(sample())
            eventually(lambda: key in rig.outbox.done or forgotten in rig.outbox.done)  # noqa: B023
        eventually(lambda: forgotten in rig.outbox.done)
        assert rig.link.status().drops == 1


def test_pings_that_are_not_answered(scripted: ScriptedBroker) -> None:
    """P12, case 19: an idle connection is found dead one patience after the keep-alive, not after
    twice the keep-alive."""
    scripted.silent = {PINGREQ}
    with LinkRig(scripted.url, keepalive=30) as rig:
        eventually(lambda: rig.settled)
        rig.advance(31)
        eventually(lambda: scripted.pings == 1)
        rig.advance(16)
        eventually(lambda: rig.link.status().drops == 1)


def test_a_line_that_swallows_everything(scripted: ScriptedBroker) -> None:
    """P12, case 19: half-open, with something in flight: within the acknowledgement's deadline."""
    with Line(scripted.port) as line, LinkRig(line.url) as rig:
        eventually(lambda: rig.settled)
        line.swallowing = True
        key = rig.outbox.append(sample())
        eventually(lambda: rig.link.status().in_flight == 1)
        rig.advance(15.5)
        eventually(lambda: not rig.up)
        line.swallowing = False
        rig.until(lambda: rig.outbox.done == [key])  # CONNECT was swallowed as well, perhaps


def test_a_slow_line_is_not_a_dead_one(scripted: ScriptedBroker) -> None:
    """Bytes that still leave count as progress; only silence ends a connection."""
    with Line(scripted.port) as line, LinkRig(line.url, ack_timeout=10) as rig:
        eventually(lambda: rig.settled)
        rig.outbox.append(sample())
        eventually(lambda: len(rig.outbox.done) == 1)
        for _ in range(5):
            rig.advance(8)
            rig.outbox.append(sample())
            eventually(lambda: not rig.outbox.kept)
        assert rig.link.status().drops == 0


def test_seven_cuts_lose_nothing_and_double_at_most_a_window_each(
    scripted: ScriptedBroker,
) -> None:
    """P2, P18: 0 lost, <= window doubled a cut, and never more than the window at once."""
    window, cuts = 20, 7
    dice = random.Random(5)
    with Line(scripted.port) as line, LinkRig(line.url, window=window, history_batch=0) as rig:
        keys = []
        for cut in range(cuts):
            eventually(lambda: rig.connects == cut + 1)  # noqa: B023
            keys += [rig.outbox.append(sample(value)) for value in range(300)]
            wanted = len(scripted.received) + dice.randrange(250)
            eventually(lambda: len(scripted.received) >= wanted)  # noqa: B023
            line.cut()
        eventually(lambda: sorted(rig.outbox.done) == keys)
    seqs = [json.loads(s.payload)["seq"] for s in scripted.delivered if s.topic.endswith("data")]
    assert set(seqs) == {key.seq for key in keys}
    assert len(seqs) - len(set(seqs)) <= cuts * window
    assert scripted.most_unanswered <= window


def test_a_broker_that_was_killed_is_found_again(broker: Mosquitto) -> None:
    """Cases 21 and 22: what it acknowledged is its own affair; we go on, subscribed."""
    with LinkRig(broker.url) as rig:
        eventually(lambda: rig.up)
        broker.kill()
        keys = [rig.outbox.append(sample(value)) for value in range(50)]
        eventually(lambda: not rig.up)
        broker.start()
        eventually(lambda: sorted(rig.outbox.done) == keys)
        listener = Listener(broker.port)
        listener.publish("tidegate/g/pump/set", b"ON")
        eventually(lambda: len(rig.commands) == 1)
        listener.close()


def test_offline_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    """Case 17: a reason is logged when it is new, not at each try."""

    class Clock:
        tries = 0

    def count(*_: Any) -> None:
        Clock.tries += 1

    with LinkRig("mqtt://127.0.0.1:9", rng=_Counting(count)) as rig:
        eventually(lambda: Clock.tries >= 10)
        assert rig.connects == 0
    offline = [record for record in caplog.records if "offline" in record.message]
    assert len(offline) == 1


class _Counting(random.Random):
    def __init__(self, counted: Any) -> None:
        super().__init__()
        self._counted = counted

    def uniform(self, a: float, b: float) -> float:
        self._counted()
        return 0.0


def delivered_to(listener: Listener) -> list[int]:
    return [json.loads(payload)["seq"] for payload in listener.of("tidegate/g/boiler/data")]


def test_a_hung_upstream_loses_nothing_and_doubles_at_most_a_window(broker: Mosquitto) -> None:
    """P12, P18, case 20: mosquitto is stopped in its tracks and goes on later, with everything that
    the kernel kept for it meanwhile."""
    listener = Listener(broker.port, "tidegate/#")
    with LinkRig(broker.url, window=20, history_batch=0) as rig:
        eventually(lambda: rig.settled)
        broker.freeze()
        keys = [rig.outbox.append(sample(value)) for value in range(200)]
        began = rig.clock.monotonic()
        rig.until(lambda: not rig.up)
        assert rig.clock.monotonic() - began > 10
        keys += [rig.outbox.append(sample(value)) for value in range(100)]
        broker.thaw()
        rig.until(lambda: sorted(rig.outbox.done) == keys)
        connects = rig.connects
        listener.wait_for("tidegate/g/boiler/data", 300)
    eventually(lambda: set(delivered_to(listener)) == {key.seq for key in keys})
    assert len(delivered_to(listener)) - len(keys) <= 20 * connects
    listener.close()


def test_flapping_loses_nothing_and_doubles_at_most_a_window_each(broker: Mosquitto) -> None:
    """P18, case 18: thirty connections that hardly live."""
    listener = Listener(broker.port, "tidegate/#")
    with Line(broker.port) as line, LinkRig(line.url, window=20, history_batch=0) as rig:
        keys = []
        for number in range(30):
            keys += [rig.outbox.append(sample(value)) for value in range(20)]
            eventually(lambda: rig.connects > number)  # noqa: B023
            line.cut()
        eventually(lambda: sorted(rig.outbox.done) == keys)
        drops = rig.link.status().drops
    eventually(lambda: set(delivered_to(listener)) == {key.seq for key in keys})
    assert len(delivered_to(listener)) - len(keys) <= 20 * drops
    listener.close()
