"""What a broker may say to a message, and what becomes of it: no answer is silence."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.codecs.base import Publication
from gateway.link.reasons import FOR_GOOD, REASONS, Verdict, verdict
from gateway.link.refusals import FIRST_PAUSE, TRIES, Refusals
from gateway.model import Alarm, AlarmState, Key, Klass, Outcome, Result
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import STAMP, LinkRig, sample
from tests.mqtt_bytes import CONTENT_TYPE, MAXIMUM_PACKET_SIZE, MESSAGE_EXPIRY, Sent
from tests.scripted_broker import ScriptedBroker


def only(topic: str, code: int) -> Callable[[Sent], int]:
    return lambda sent: code if sent.topic == topic else 0


def test_every_code_of_the_standard_has_a_verdict() -> None:
    """P5: success and "nobody subscribes" accept, what stays so is shelved, the rest is tried."""
    assert {verdict(0x00), verdict(0x10)} == {Verdict.ACCEPTED}
    for code in range(0x80, 0x100):
        expected = Verdict.SHELVE if code in FOR_GOOD else Verdict.RETRY
        assert verdict(code) is expected
    assert set(REASONS) >= FOR_GOOD


@pytest.mark.parametrize("code", sorted(FOR_GOOD))
@pytest.mark.parametrize("qos", [1, 2])
def test_one_topic_refused_for_good_goes_to_the_shelf_and_the_rest_flows(
    scripted: ScriptedBroker, code: int, qos: int
) -> None:
    """P5, P6, case 23: not authorised for one topic; a PUBREC refuses as a PUBACK does."""
    scripted.reason = only("tidegate/g/boiler/data", code)
    with LinkRig(scripted.url, qos={"boiler": qos, "pump": qos}) as rig:
        eventually(lambda: rig.up)
        bad = rig.outbox.append(sample())
        good = rig.outbox.append(sample(device="pump"))
        eventually(lambda: rig.outbox.done == [good] and list(rig.outbox.shelf) == [bad])
        assert "(tidegate/g/boiler/data)" in rig.outbox.shelf[bad]
        eventually(lambda: len(rig.told("refused")) == 1)
        ((raised, text),) = rig.told("refused")
        assert raised and "the broker refuses an entry" in text
        assert rig.link.status().refused == 1
    assert not scripted.released or qos == 2
    assert bad.seq not in {sent.mid for sent in scripted.delivered}
    assert [s.topic for s in scripted.delivered if s.topic.endswith("data")] == [
        "tidegate/g/pump/data"
    ]


@pytest.mark.parametrize("code", [0x80, 0x83, 0x97])
@pytest.mark.parametrize("qos", [1, 2])
def test_what_may_pass_is_tried_again_after_a_pause(
    scripted: ScriptedBroker, code: int, qos: int
) -> None:
    """P5, case 24: quota exceeded is a matter of waiting."""
    scripted.reason = only("tidegate/g/boiler/data", code)
    with LinkRig(scripted.url, qos={"boiler": qos}) as rig:
        eventually(lambda: rig.up)
        began = rig.clock.monotonic()
        key = rig.outbox.append(sample())
        eventually(lambda: len(scripted.of("tidegate/g/boiler/data")) == 1)
        eventually(lambda: rig.link.status().in_flight == 0)
        scripted.reason = lambda sent: 0
        rig.until(lambda: rig.outbox.done == [key])
        assert rig.clock.monotonic() - began >= FIRST_PAUSE
        assert rig.outbox.shelf == {}


def test_a_message_that_is_refused_while_others_are_taken_goes_to_the_shelf(
    scripted: ScriptedBroker,
) -> None:
    """P5: never for ever, never silently."""
    scripted.reason = only("tidegate/g/boiler/data", 0x83)
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        bad, good = rig.outbox.append(sample()), []
        while bad in rig.outbox.kept:
            good.append(rig.outbox.append(sample(device="pump")))
            rig.until(lambda: rig.outbox.done == good)
            rig.advance(6)
        assert len(scripted.of("tidegate/g/boiler/data")) >= TRIES
        assert "while others are taken" in rig.outbox.shelf[bad]
        eventually(lambda: len(rig.told("refused")) == 1)
        rig.outbox.append(sample(device="pump"))
        rig.until(lambda: len(rig.outbox.done) == len(good) + 1)


@pytest.mark.parametrize("code", [0x80, 0x97])
def test_a_broker_that_takes_nothing_for_minutes_gets_it_all_afterwards(
    scripted: ScriptedBroker, code: int
) -> None:
    """P5, case 24: a quota is nobody's fault, so nothing goes to the shelf, and it is told."""
    scripted.reason = lambda sent: code if sent.topic.endswith("/data") else 0
    with LinkRig(scripted.url, history_batch=0) as rig:
        eventually(lambda: rig.settled)
        keys = [rig.outbox.append(sample(value)) for value in range(5)]
        # Each of them oftener, and over a longer time, than one that is refused alone.
        rig.until(lambda: len(scripted.of("tidegate/g/boiler/data")) > 2 * TRIES * len(keys), 8)
        assert rig.outbox.shelf == {}
        scripted.reason = lambda sent: 0
        rig.until(lambda: sorted(rig.outbox.done) == keys)
        rig.until(lambda: len(rig.told("broker_refuses")) == 2)
        (raised, text), (still, _) = rig.told("broker_refuses")
        assert raised and "takes nothing for now" in text and not still


def test_pauses_grow_while_nothing_is_taken() -> None:
    refusals, key = Refusals(), Key(1, 1)
    assert [refusals.pause() for _ in range(5)] == [5.0, 10.0, 20.0, 30.0, 30.0]
    assert refusals.standing
    refusals.accepted([])
    assert not refusals.standing
    assert refusals.pause() == FIRST_PAUSE
    # Whatever the number of tries: alone it is nobody's fault.
    assert not any(refusals.refused(key, 0x97, 100.0 * turn) for turn in range(50))


def test_a_notice_that_was_refused_is_tried_at_the_next_connection(
    scripted: ScriptedBroker,
) -> None:
    """P5: rights that were given meanwhile, a quota that is over: `about` comes, all is well."""
    scripted.reason = only("tidegate/g/about", 0x87)
    rig = LinkRig(scripted.url)
    rig.link.notice(Publication("tidegate/g/about", b"{}", retain=True))
    with rig:
        eventually(lambda: len(rig.told("refused_about")) == 1)
        scripted.reason = lambda sent: 0
        scripted.cut()
        eventually(lambda: len(rig.told("refused_about")) == 2)
        assert [raised for raised, _ in rig.told("refused_about")] == [True, False]
    assert len(scripted.of("tidegate/g/about")) == 2


def test_larger_than_the_brokers_limit(scripted: ScriptedBroker) -> None:
    """P4, case 25: what CONNACK forbids is not sent, and what is behind it flows."""
    scripted.welcome = {MAXIMUM_PACKET_SIZE: 400}
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        big = rig.outbox.append(Alarm("fire", STAMP, AlarmState.RAISED, "x" * 400), Klass.ALARM)
        small = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [small])
        assert "limit of 400 bytes" in rig.outbox.shelf[big]
        assert rig.link.status().drops == 0
    assert max(sent.size for sent in scripted.received) <= 400


def test_a_backlog_in_batches_keeps_to_the_limit(scripted: ScriptedBroker) -> None:
    """P4: a batch is halved until it fits."""
    scripted.welcome = {MAXIMUM_PACKET_SIZE: 600}
    rig = LinkRig(scripted.url)
    for number in range(200):
        rig.outbox.append(sample(number**0.5))
    with rig:
        eventually(lambda: len(rig.outbox.done) == 200)
    assert max(sent.size for sent in scripted.received) <= 600
    assert len(scripted.of("tidegate/g/history")) > 1


def test_a_notice_that_is_too_large_does_not_stop_the_rest(scripted: ScriptedBroker) -> None:
    """P4: `about` of a house full of devices at a narrow broker."""
    scripted.welcome = {MAXIMUM_PACKET_SIZE: 400}
    rig = LinkRig(scripted.url)
    rig.link.notice(Publication("tidegate/g/about", b"x" * 500, retain=True))
    key = rig.outbox.append(sample())
    with rig:
        eventually(lambda: rig.outbox.done == [key])
        ((raised, text),) = rig.told("refused_about")
        assert raised and "limit of 400 bytes" in text
        assert rig.link.status().drops == 0
    assert scripted.of("tidegate/g/about") == []


def test_a_message_that_the_broker_hangs_up_on(scripted: ScriptedBroker) -> None:
    """P4: some brokers end the connection instead of refusing. Three times alone, and it goes."""
    scripted.hang_up = lambda sent: b'"temperature":666' in sent.payload
    with LinkRig(scripted.url, history_batch=0) as rig:
        eventually(lambda: rig.up)
        good = [rig.outbox.append(sample(value)) for value in (1.0, 2.0)]
        bad = rig.outbox.append(sample(666.0))
        good += [rig.outbox.append(sample(value)) for value in (3.0, 4.0)]
        rig.until(lambda: sorted(rig.outbox.done) == good)
        assert rig.outbox.shelf == {bad: "the broker hangs up whenever it is sent"}


def test_a_batch_that_the_broker_hangs_up_on_is_made_smaller(scripted: ScriptedBroker) -> None:
    """P4: a limit that is nowhere announced; not one sample is given up for it."""
    scripted.hang_up = lambda sent: len(sent.payload) > 600
    rig = LinkRig(scripted.url, history_batch=100)
    keys = [rig.outbox.append(sample(number**0.5)) for number in range(100)]
    with rig:
        eventually(lambda: sorted(rig.outbox.done) == keys)
        assert rig.outbox.shelf == {}


def test_a_notice_that_the_broker_hangs_up_on(scripted: ScriptedBroker) -> None:
    """P4: a notice has no shelf, so it is left out, and told."""
    scripted.hang_up = lambda sent: sent.topic.endswith("about")
    rig = LinkRig(scripted.url, history_batch=0)
    rig.link.notice(Publication("tidegate/g/about", b"{}", retain=True))
    keys = [rig.outbox.append(sample(value)) for value in range(30)]
    with rig:
        eventually(lambda: sorted(rig.outbox.done) == keys)
        assert rig.outbox.shelf == {}
        ((raised, text),) = rig.told("refused_about")
        assert raised and "hangs up" in text


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_mosquitto_with_a_packet_limit(broker: Mosquitto, protocol: str) -> None:
    """P4, case 25: against the real one, in both versions; in 3.1.1 it only hangs up."""
    broker.stop()
    broker.configure("max_packet_size 3000")
    broker.start()
    with LinkRig(broker.url, protocol=protocol) as rig:
        eventually(lambda: rig.up)
        big = rig.outbox.append(Alarm("a", STAMP, AlarmState.RAISED, "x" * 5000), Klass.ALARM)
        small = rig.outbox.append(sample())
        rig.until(lambda: rig.outbox.done == [small] and big in rig.outbox.shelf)


def test_mosquitto_that_denies_one_topic(broker: Mosquitto) -> None:
    """P5, case 23: MQTT 5 says 0x87 in the PUBACK; the queue's head does not block."""
    broker.stop()
    broker.configure_acl("topic readwrite tidegate/#", "topic deny tidegate/g/boiler/data")
    broker.start()
    listener = Listener(broker.port)
    with LinkRig(broker.url) as rig:
        eventually(lambda: rig.up)
        bad = rig.outbox.append(sample())
        good = rig.outbox.append(sample(device="pump"))
        eventually(lambda: rig.outbox.done == [good])
        eventually(lambda: "not authorised" in rig.outbox.shelf.get(bad, ""))
    listener.wait_for("tidegate/g/pump/data")
    listener.close()


def test_message_expiry_counts_from_the_moment_of_sending(scripted: ScriptedBroker) -> None:
    """P26: what has waited here has less left; what has none left is not sent."""
    answer = Result("a1", "pump", STAMP, Outcome.DONE, response_topic="reply", correlation=b"c")
    rig = LinkRig(scripted.url)
    rig.clock.set_wall(STAMP.wall + 600)
    rig.outbox.append(answer, Klass.RESULT)
    with rig:
        eventually(lambda: len(rig.outbox.done) == 1)
        (reply,) = scripted.of("reply")
        left = reply.properties[MESSAGE_EXPIRY]
        assert isinstance(left, int)
        assert 2900 < left <= 3000
        rig.advance(3010)
        rig.outbox.append(answer, Klass.RESULT)
        eventually(lambda: len(rig.outbox.done) == 2)
        assert len(scripted.of("reply")) == 1
        assert len(scripted.of("tidegate/g/pump/result")) == 2


def test_nothing_is_published_before_there_is_a_session(scripted: ScriptedBroker) -> None:
    """P1: paho is given a message only when it is connected and the window has room."""
    rig = LinkRig(scripted.url, window=5, history_batch=0)
    keys = [rig.outbox.append(sample(value)) for value in range(200)]
    assert rig.outbox.flying == set()
    with rig:
        eventually(lambda: rig.outbox.done == keys)
        assert rig.outbox.max_flying <= 5
        scripted.cut()
        rig.outbox.append(sample())
        eventually(lambda: len(rig.outbox.done) == 201)
    assert scripted.most_unanswered <= 5
    assert all(CONTENT_TYPE not in s.properties for s in scripted.of("tidegate/g/boiler/data"))
