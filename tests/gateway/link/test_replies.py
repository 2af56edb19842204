"""Answers on a topic that the asker chose: whatever he chose, it harms neither the entry nor the
link. And what MQTT has no topic for, from whomever it comes."""

from __future__ import annotations

import pytest

from gateway.codecs.base import Publication
from gateway.model import Key, Klass, Outcome, Result
from tests.brokers import eventually
from tests.gateway.link.parts import LinkRig, sample
from tests.mqtt_bytes import MAXIMUM_PACKET_SIZE
from tests.scripted_broker import ScriptedBroker


def answer(rig: LinkRig, topic: str, correlation: bytes = b"c") -> Key:
    stamp = rig.clock.stamp()
    return rig.outbox.append(
        Result("a1", "pump", stamp, Outcome.DONE, response_topic=topic, correlation=correlation),
        Klass.RESULT,
    )


@pytest.mark.parametrize("topic", ["a/#", "+/a", "#", "t" * 70000, "\udc80"])
@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_topic_that_is_none_stops_nothing(
    scripted: ScriptedBroker, topic: str, protocol: str
) -> None:
    """mosquitto 2.0 passes on a response topic with wildcards."""
    with LinkRig(scripted.url, protocol=protocol) as rig:
        eventually(lambda: rig.up)
        keys = [answer(rig, topic), rig.outbox.append(sample())]
        eventually(lambda: sorted(rig.outbox.done) == keys)
        status = rig.link.status()
        assert (status.drops, status.callback_errors) == (0, 0)
        assert rig.outbox.shelf == {} and rig.alarms == []
    assert len(scripted.of("tidegate/g/pump/result")) == 1


@pytest.mark.parametrize("code", [0x87, 0x90, 0x97])
def test_an_answer_that_the_broker_refuses_is_the_askers_loss(
    scripted: ScriptedBroker, code: int
) -> None:
    """Else everybody who may command could fill the shelf."""
    scripted.reason = lambda sent: code if sent.topic == "not/mine" else 0
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        keys = [answer(rig, "not/mine"), rig.outbox.append(sample())]
        eventually(lambda: sorted(rig.outbox.done) == keys)
        assert rig.outbox.shelf == {} and rig.alarms == []
    assert len(scripted.of("not/mine")) == 1


def test_an_answer_that_is_too_large_with_what_the_asker_sent(scripted: ScriptedBroker) -> None:
    scripted.welcome = {MAXIMUM_PACKET_SIZE: 500}
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        key = answer(rig, "reply", b"c" * 1000)
        eventually(lambda: rig.outbox.done == [key])
        assert rig.outbox.shelf == {}
    assert scripted.of("reply") == []


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_an_entry_without_a_topic_goes_to_the_shelf(scripted: ScriptedBroker, qos: int) -> None:
    with LinkRig(scripted.url, qos={"a/#": qos}) as rig:
        eventually(lambda: rig.up)
        bad, good = rig.outbox.append(sample(device="a/#")), rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [good])
        assert "topic name not valid" in rig.outbox.shelf[bad]
        assert rig.link.status().drops == 0


def test_a_notice_without_a_topic_is_told_and_left_out(scripted: ScriptedBroker) -> None:
    rig = LinkRig(scripted.url)
    rig.link.notice(Publication("tidegate/g/#/status", b"online", retain=True))
    with rig:
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])
        ((raised, text),) = rig.told("refused_status")
        assert raised and "topic name not valid" in text
