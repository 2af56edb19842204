"""QoS 2 tells the truth: a handshake that was cut goes on where it was."""

from __future__ import annotations

import json
import random

import pytest

from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import EPOCH, LinkRig, sample
from tests.lines import Line
from tests.mqtt_bytes import MAXIMUM_QOS, PUBCOMP, PUBLISH, PUBREL, Sent, packet
from tests.scripted_broker import ScriptedBroker, Session

QOS = {"boiler": 2}


def seqs(messages: list[Sent]) -> list[int]:
    return [json.loads(s.payload)["seq"] for s in messages if s.topic.endswith("/data")]


def exactly(count: int) -> list[int]:
    return list(range(1, count + 1))


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_four_packets_and_accepted_with_the_last(scripted: ScriptedBroker, protocol: str) -> None:
    with LinkRig(scripted.url, qos=QOS, protocol=protocol) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {PUBREL}
        key = rig.outbox.append(sample())
        eventually(lambda: len(scripted.released) == 1)
        assert rig.outbox.done == []
        scripted.silent = set()
        scripted.send(packet(PUBCOMP, scripted.released[0].to_bytes(2)))
        eventually(lambda: rig.outbox.done == [key])
        assert {s.qos for s in scripted.received if s.topic.endswith("data")} == {2}
    assert seqs(scripted.delivered) == [1]


@pytest.mark.parametrize("swallowed", [PUBLISH, PUBREL], ids=["before PUBREC", "before PUBCOMP"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_cut_in_mid_handshake_neither_loses_nor_doubles(
    scripted: ScriptedBroker, swallowed: int, protocol: str
) -> None:
    """P6: the same identifier, marked as a duplicate; or PUBREL alone."""
    with LinkRig(scripted.url, qos=QOS, protocol=protocol, history_batch=0) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {swallowed}
        keys = [rig.outbox.append(sample(value)) for value in range(5)]
        if swallowed == PUBLISH:
            eventually(lambda: len(seqs(scripted.received)) == 5)
        else:
            eventually(lambda: len(scripted.released) == 5)
        scripted.silent = set()
        scripted.cut()
        eventually(lambda: sorted(rig.outbox.done) == keys)
        again = scripted.received[-20:]
        if swallowed == PUBREL:
            assert len(seqs(scripted.received)) == 5, "a released message is not published again"
            assert len(scripted.released) == 10
        else:
            assert any(s.dup for s in again)
    assert seqs(scripted.delivered) == exactly(5)


def test_cuts_at_random_moments(scripted: ScriptedBroker) -> None:
    """P6, P18: at QoS 2, with a session that lasts, not even doubles."""
    dice = random.Random(3)
    with (
        Line(scripted.port) as line,
        LinkRig(line.url, qos=QOS, window=15, history_batch=0) as rig,
    ):
        keys = []
        for cut in range(12):
            eventually(lambda: rig.connects == cut + 1)  # noqa: B023
            keys += [rig.outbox.append(sample(value)) for value in range(60)]
            wanted = len(scripted.received) + len(scripted.released) + dice.randrange(90)
            eventually(
                lambda: (
                    len(scripted.received) + len(scripted.released) >= wanted  # noqa: B023
                    or not rig.outbox.kept
                )
            )
            line.cut()
        eventually(lambda: sorted(rig.outbox.done) == keys)
    assert sorted(seqs(scripted.delivered)) == exactly(720)
    assert scripted.most_unanswered <= 15


def test_a_broker_that_forgot_the_session_gets_it_anew(scripted: ScriptedBroker) -> None:
    """What it had not passed on it cannot pass on any more: sent again, lost never."""
    with LinkRig(scripted.url, qos=QOS) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {PUBREL}
        key = rig.outbox.append(sample())
        eventually(lambda: len(scripted.released) == 1)
        scripted.silent = set()
        scripted.forget_sessions()
        scripted.cut()
        eventually(lambda: rig.outbox.done == [key])
    assert set(seqs(scripted.delivered)) == {1}


def test_a_clean_session_promises_less(scripted: ScriptedBroker) -> None:
    with LinkRig(scripted.url, qos=QOS, clean_session=True, history_batch=0) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {PUBREL}
        key = rig.outbox.append(sample())
        eventually(lambda: len(scripted.released) == 1)
        scripted.silent = set()
        scripted.cut()
        eventually(lambda: rig.outbox.done == [key])
    assert seqs(scripted.delivered) == [1, 1]


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_after_a_restart_no_new_message_is_taken_for_an_old_one(
    scripted: ScriptedBroker, protocol: str
) -> None:
    """P6: our identifiers begin again at 1 while the broker still holds some. What it holds comes
    out, so that a window may come twice; nothing new is acknowledged and lost."""
    old = {mid: Sent("old/data", b'{"seq":0}', 2, False, mid=mid) for mid in range(1, 20)}
    scripted.sessions["tidegate-g"] = Session(old)
    with LinkRig(scripted.url, qos=QOS, protocol=protocol, window=10) as rig:
        eventually(lambda: rig.settled)
        keys = [rig.outbox.append(sample(value)) for value in range(30)]
        eventually(lambda: rig.outbox.done == keys)
    new = [sent for sent in scripted.delivered if sent.topic == "tidegate/g/boiler/data"]
    assert seqs(new) == exactly(30)
    # One or two identifiers are for others. Over 3.1.1 the old session is ended first.
    released = len([sent for sent in scripted.delivered if sent.topic == "old/data"])
    assert released >= len(old) - 2 if protocol == "5" else released == 0


def test_a_broker_without_qos_2(scripted: ScriptedBroker) -> None:
    scripted.welcome = {MAXIMUM_QOS: 1}
    with LinkRig(scripted.url, qos=QOS) as rig:
        eventually(lambda: rig.up)
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])
    assert {s.qos for s in scripted.received} == {1}


def test_mosquitto_cut_again_and_again(broker: Mosquitto) -> None:
    """Against the real one, with a subscriber at QoS 2: every reading once, none twice."""
    listener = Listener(broker.port, "tidegate/#", qos=2)
    dice = random.Random(9)
    with (
        Line(broker.port) as line,
        LinkRig(line.url, qos=QOS, window=15, history_batch=0, session_expiry=600) as rig,
    ):
        keys = []
        for cut in range(10):
            eventually(lambda: rig.connects == cut + 1)  # noqa: B023
            keys += [rig.outbox.append(sample(value)) for value in range(60)]
            wanted = max(0, len(rig.outbox.done) + dice.randrange(50))
            eventually(lambda: len(rig.outbox.done) >= wanted or not rig.outbox.kept)  # noqa: B023
            line.cut()
        eventually(lambda: sorted(rig.outbox.done) == keys)
    payloads = listener.wait_for("tidegate/g/boiler/data", 600)
    assert sorted(json.loads(p)["seq"] for p in payloads) == exactly(600)
    assert {json.loads(p)["epoch"] for p in payloads} == {EPOCH}
    listener.close()
