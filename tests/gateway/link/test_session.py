"""How a session begins: versions, what CONNACK allows, subscriptions, the will."""

from __future__ import annotations

import logging

import pytest

from gateway.codecs.base import Publication
from gateway.link.complaints import LOGIN_HINT
from gateway.model import Command
from tests.brokers import eventually
from tests.gateway.link.parts import LinkRig, sample
from tests.mqtt_bytes import (
    ASSIGNED_CLIENT_ID,
    CONNACK,
    CONNECT,
    MAXIMUM_QOS,
    RECEIVE_MAXIMUM,
    RETAIN_AVAILABLE,
    SERVER_KEEP_ALIVE,
    SESSION_EXPIRY,
    SUBSCRIBE,
    TOPIC_ALIAS,
    USER_PROPERTY,
    packet,
)
from tests.scripted_broker import ScriptedBroker


def test_a_broker_that_refuses_5_gets_311_and_it_is_said_once(
    scripted: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.versions = (4,)
    with caplog.at_level(logging.WARNING), LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        for _ in range(2):
            before = rig.connects
            scripted.cut()
            eventually(lambda: rig.connects > before)  # noqa: B023
        assert rig.link.status().protocol == "3.1.1"
        rig.outbox.append(sample())
        eventually(lambda: len(rig.outbox.done) == 1)
    # One more, which has an old session forgotten.
    assert [hello.version for hello in scripted.hellos] == [5, 4, 4, 4, 4]
    assert len([r for r in caplog.records if "refuses MQTT 5" in r.message]) == 1


def test_a_version_that_is_asked_for_is_not_bargained_about(scripted: ScriptedBroker) -> None:
    scripted.versions = (4,)
    with LinkRig(scripted.url, protocol="5") as rig:
        eventually(lambda: len(scripted.hellos) > 2)
        assert {hello.version for hello in scripted.hellos} == {5}
        assert "does not speak this version" in rig.link.status().reason


def test_a_broker_that_is_silent_to_5_gets_311_in_turn(scripted: ScriptedBroker) -> None:
    scripted.silent = {CONNECT}
    with LinkRig(scripted.url) as rig:
        rig.until(lambda: len(scripted.hellos) >= 4)
        assert rig.link.status().reason == "the broker does not answer CONNECT"
        scripted.silent = set()
        rig.until(lambda: rig.up)
    assert [hello.version for hello in scripted.hellos[:4]] == [5, 5, 4, 5]


def test_no_session_at_all_without_connack(scripted: ScriptedBroker) -> None:
    """P17: nothing is published before CONNACK and SUBACK, whatever waits."""
    scripted.silent = {SUBSCRIBE}
    rig = LinkRig(scripted.url)
    rig.outbox.append(sample())
    rig.link.notice(Publication("tidegate/g/about", b"{}", retain=True))
    with rig:
        eventually(lambda: len(scripted.filters) == 1)
        assert (scripted.received, rig.up) == ([], False)
        scripted.silent = set()
        rig.advance(11)
        eventually(lambda: len(rig.outbox.done) == 1)
        assert [sent.topic for sent in scripted.received[:3]] == [
            "tidegate/g/status",
            "tidegate/g/session",
            "tidegate/g/about",
        ]


def test_receive_maximum_bounds_what_is_in_flight(scripted: ScriptedBroker) -> None:
    """P3, case 25: the broker's limit, not ours."""
    scripted.welcome = {RECEIVE_MAXIMUM: 2}
    rig = LinkRig(scripted.url, history_batch=0)
    for value in range(60):
        rig.outbox.append(sample(value))
    with rig:
        eventually(lambda: len(rig.outbox.done) == 60)
        assert rig.link.status().window == 2
    assert scripted.most_unanswered <= 2


def test_receive_maximum_of_one(scripted: ScriptedBroker) -> None:
    """Case 26: the narrowest broker gets everything, one at a time."""
    scripted.welcome = {RECEIVE_MAXIMUM: 1}
    rig = LinkRig(scripted.url, history_batch=0)
    keys = [rig.outbox.append(sample(value)) for value in range(20)]
    with rig:
        eventually(lambda: rig.outbox.done == keys)
    assert scripted.most_unanswered == 1


@pytest.mark.parametrize(("asked", "welcome"), [(300, 100), (100, 300), (100, 0)])
def test_pings_at_the_brokers_pace_or_at_ours_whichever_is_faster(
    scripted: ScriptedBroker, asked: int, welcome: int
) -> None:
    """P27, P12: Server Keep Alive bounds ours; a broker that bears more silence forbids no ping."""
    scripted.welcome = {SERVER_KEEP_ALIVE: welcome}
    with LinkRig(scripted.url, keepalive=asked) as rig:
        eventually(lambda: rig.settled)
        rig.advance(60)
        rig.outbox.append(sample())
        eventually(lambda: len(rig.outbox.done) == 1)
        assert scripted.pings == 0
        rig.advance(101)
        eventually(lambda: scripted.pings == 1)
    assert scripted.hellos[0].keepalive == asked


def test_an_assigned_client_id_is_ours_from_then_on(scripted: ScriptedBroker) -> None:
    scripted.welcome = {ASSIGNED_CLIENT_ID: "given-7"}
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        scripted.cut()
        eventually(lambda: rig.connects == 2)
    assert [hello.client_id for hello in scripted.hellos] == ["tidegate-g", "given-7"]


def test_the_will_says_lost_and_a_goodbye_takes_it_back(scripted: ScriptedBroker) -> None:
    """P20: the will is retained and says why; case 2: a stop says `offline` itself."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        will = scripted.hellos[0].will
        assert will is not None
        assert (will.topic, will.payload, will.qos, will.retain) == (
            "tidegate/g/status",
            b"offline",
            1,
            True,
        )
        assert will.properties == {USER_PROPERTY: ("reason", "lost")}
    eventually(lambda: scripted.goodbyes == [0])
    last = scripted.of("tidegate/g/status")[-1]
    assert last.payload == b"offline"
    assert last.properties == {USER_PROPERTY: ("reason", "stopped")}
    assert scripted.wills == []


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_goodbye_that_is_not_acknowledged_leaves_the_will_to_the_broker(
    scripted: ScriptedBroker, protocol: str
) -> None:
    """P16, P19: the stop ends in time, and the broker says `offline` in our place."""
    rig = LinkRig(scripted.url, protocol=protocol)
    with rig:
        eventually(lambda: rig.settled)
        scripted.silent = {3}
        rig.outbox.append(sample())
        eventually(lambda: rig.link.status().in_flight == 1)
    eventually(lambda: scripted.goodbyes == ([4] if protocol == "5" else [0]))
    eventually(lambda: [will.payload for will in scripted.wills] == [b"offline"])


@pytest.mark.parametrize(
    ("code", "qos", "retain"), [(0x9A, 1, False), (0x9B, 0, True)], ids=["retain", "qos"]
)
def test_a_will_that_the_broker_does_not_take_is_made_smaller(
    scripted: ScriptedBroker, code: int, qos: int, retain: bool
) -> None:
    scripted.refusal = code
    with LinkRig(scripted.url) as rig:
        eventually(lambda: len(scripted.hellos) >= 2)
        scripted.refusal = 0
        eventually(lambda: rig.up)
    will = scripted.hellos[1].will
    assert will is not None
    assert (will.qos, will.retain) == (qos, retain)


def test_what_the_broker_cannot_do_is_not_asked_of_it(scripted: ScriptedBroker) -> None:
    scripted.welcome = {MAXIMUM_QOS: 0, RETAIN_AVAILABLE: 0}
    with LinkRig(scripted.url) as rig:
        rig.outbox.append(sample())
        eventually(lambda: len(rig.outbox.done) == 1)
    assert {(sent.qos, sent.retain) for sent in scripted.received} == {(0, False)}


def test_no_topic_aliases(scripted: ScriptedBroker) -> None:
    """P25: a broker that restarted would not know them."""
    scripted.welcome = {0x22: 10}  # Topic Alias Maximum: the broker would take some
    rig = LinkRig(scripted.url, history_batch=0)
    for value in range(20):
        rig.outbox.append(sample(value))
    with rig:
        eventually(lambda: len(rig.outbox.done) == 20)
    assert all(sent.topic and TOPIC_ALIAS not in sent.properties for sent in scripted.received)


def test_durable_session_with_its_own_expiry_or_clean(scripted: ScriptedBroker) -> None:
    with LinkRig(scripted.url, session_expiry=30.0) as rig:
        eventually(lambda: rig.up)
    with LinkRig(scripted.url, clean_session=True) as rig:
        eventually(lambda: rig.up)
    with LinkRig(scripted.url, clean_session=True, protocol="3.1.1") as rig:
        eventually(lambda: rig.up)
    durable, clean, old = scripted.hellos
    assert (durable.clean, durable.properties[SESSION_EXPIRY]) == (False, 30)
    assert clean.clean and SESSION_EXPIRY not in clean.properties
    assert old.clean


def test_subscriptions_are_renewed_whatever_the_broker_remembers(
    scripted: ScriptedBroker,
) -> None:
    """P21, case 22: at each CONNACK, session present or not."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        for number in (2, 3):
            if number == 3:
                scripted.forget_sessions()
            scripted.cut()
            eventually(lambda: rig.connects == number)  # noqa: B023
    assert len(scripted.filters) == 3
    topics = ["tidegate/g/+/set", "tidegate/g/command"]
    assert all([topic for topic, _ in filters] == topics for filters in scripted.filters)


def test_a_retained_command_is_not_even_asked_for(scripted: ScriptedBroker) -> None:
    """P28: Retain Handling 2, Retain As Published, QoS 1, in the options (MQTT 5.0, 3.8.3.1)."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
    assert [options for _, options in scripted.filters[0]] == [0x29, 0x29]


def test_a_command_from_before_is_known_by_the_nonce(scripted: ScriptedBroker) -> None:
    """P28: each connection has a nonce of its own, that only a fresh command can quote."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        first = rig.link.nonce
        scripted.cut()
        eventually(lambda: rig.connects == 2 and rig.up)
        assert rig.link.nonce not in (None, first)
        scripted.publish("tidegate/g/pump/set", b'{"id":"a","value":true,"nonce":"%s"}' % b"old")
        eventually(lambda: len(rig.commands) == 1)
        command, _ = rig.commands[0]
        assert isinstance(command, Command) and command.nonce == "old"


def test_a_refused_subscription_is_told_and_the_readings_flow(scripted: ScriptedBroker) -> None:
    """P21: a SUBACK that refuses is a fault, and no reason to keep the readings back."""
    scripted.suback = 0x87
    with LinkRig(scripted.url) as rig:
        rig.outbox.append(sample())
        eventually(lambda: len(rig.outbox.done) == 1)
        ((raised, text),) = rig.told("subscription")
        assert raised
        assert "tidegate/g/+/set (not authorised)" in text
        scripted.suback = None
        scripted.cut()
        eventually(lambda: len(rig.told("subscription")) == 2)
        assert rig.told("subscription")[-1][0] is False


def test_a_suback_that_answers_something_else_ends_the_connection(
    scripted: ScriptedBroker,
) -> None:
    scripted.silent = {SUBSCRIBE}
    with LinkRig(scripted.url) as rig:
        eventually(lambda: len(scripted.filters) == 1)
        scripted.send(packet(9, b"\0\x01\0\x01"))  # one answer for two filters
        eventually(lambda: "SUBACK" in rig.link.status().reason)
        scripted.silent = set()
        eventually(lambda: rig.up)


@pytest.mark.parametrize(
    ("code", "words", "alarm"),
    [
        (0x86, "bad user name or password", True),
        (0x87, "not authorised", True),
        (0x85, "client id not valid", True),
        (0x8A, "banned", True),
        (0x88, "broker unavailable", False),
        (0x89, "broker busy", False),
        (0x97, "quota exceeded", False),
        (0x9F, "connection rate exceeded", False),
        (0x9D, "server moved", False),
    ],
)
def test_refusals_in_words_and_whom_they_concern(
    scripted: ScriptedBroker, code: int, words: str, alarm: bool
) -> None:
    """Every reason is said; an alarm only where somebody has to do something."""
    scripted.refusal, scripted.refusal_text = code, "ask the admin"
    with LinkRig(scripted.url) as rig:
        eventually(lambda: len(scripted.hellos) >= 2)
        reason = rig.link.status().reason
        assert reason == f"the broker says: {words} (ask the admin)"
        assert rig.told("login") == ([(True, f"{reason}; {LOGIN_HINT}")] if alarm else [])
        scripted.refusal = 0
        eventually(lambda: rig.up)
        assert [raised for raised, _ in rig.told("login")] == ([True, False] if alarm else [])


@pytest.mark.parametrize("code", range(1, 6))
def test_refusals_of_311(scripted: ScriptedBroker, code: int) -> None:
    scripted.instead = packet(CONNACK, bytes([0, code]))
    with LinkRig(scripted.url, protocol="3.1.1") as rig:
        eventually(lambda: "not connected yet" not in rig.link.status().reason)
        words = ["version", "client id not valid", "unavailable", "bad user name", "not authorised"]
        assert words[code - 1] in rig.link.status().reason
