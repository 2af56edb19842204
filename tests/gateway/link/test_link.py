"""The link against mosquitto: what goes out, what comes in, and what survives."""

from __future__ import annotations

import json
from itertools import chain

import pytest

from gateway.codecs import history
from gateway.codecs.base import LinkState, Publication
from gateway.model import Alarm, AlarmState, Command, Klass, Outcome, Result
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import EPOCH, STAMP, LinkRig, sample
from tests.lines import Line


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_a_sample_reaches_a_subscriber_and_is_accepted(
    broker: Mosquitto, listener: Listener, protocol: str
) -> None:
    with LinkRig(broker.url, protocol=protocol) as rig:
        eventually(lambda: rig.up)
        key = rig.outbox.append(sample())
        (payload,) = listener.wait_for("tidegate/g/boiler/data")
        assert json.loads(payload) == {
            "epoch": EPOCH,
            "seq": key.seq,
            "time": "2026-11-23T14:00:00.123Z",
            "temperature": 21.4,
            "humidity": 55.1,
        }
        eventually(lambda: rig.outbox.done == [key])
        assert rig.link.status().protocol == protocol


def test_status_session_and_notices_are_there_before_the_data(
    broker: Mosquitto, listener: Listener
) -> None:
    rig = LinkRig(broker.url)
    rig.link.notice(Publication("tidegate/g/about", b"{}", retain=True))
    rig.outbox.append(sample())
    with rig:
        listener.wait_for("tidegate/g/history")
        topics = [message.topic for message in listener.messages]
        assert topics[:2] == ["tidegate/g/status", "tidegate/g/session"]
        assert listener.of("tidegate/g/status") == [b"online"]
        session = json.loads(listener.of("tidegate/g/session")[0])
        assert session["nonce"] == rig.link.nonce
        assert len(session["nonce"]) == 32
        assert listener.of("tidegate/g/about") == [b"{}"]


def test_stop_says_offline_and_why(broker: Mosquitto, listener: Listener) -> None:
    with LinkRig(broker.url) as rig:
        eventually(lambda: rig.up)
    assert rig.states == [LinkState.CONNECTED, LinkState.DISCONNECTED]
    assert listener.wait_for("tidegate/g/status", 2) == [b"online", b"offline"]
    assert json.loads(listener.wait_for("tidegate/g/session", 2)[1])["ended"] == "stopped"
    late = Listener(broker.port, "tidegate/g/status")
    assert late.wait_for("tidegate/g/status") == [b"offline"]
    late.close()


def test_a_command_comes_in_and_is_acknowledged_when_it_is_settled(
    broker: Mosquitto, listener: Listener
) -> None:
    with LinkRig(broker.url, acknowledge=False) as rig:
        eventually(lambda: rig.up)
        listener.publish("tidegate/g/pump/set", b'{"id":"a1","value":true}')
        eventually(lambda: len(rig.commands) == 1)
        command, token = rig.commands[0]
        assert isinstance(command, Command)
        assert (command.device, command.id, command.value) == ("pump", "a1", True)
        eventually(lambda: "Sending PUBLISH to tidegate-g" in broker.log)
        assert "Received PUBACK from tidegate-g" not in broker.log
        rig.link.acknowledge(token)
        eventually(lambda: "Received PUBACK from tidegate-g" in broker.log)


def test_a_malformed_command_becomes_a_refused_result(
    broker: Mosquitto, listener: Listener
) -> None:
    with LinkRig(broker.url) as rig:
        eventually(lambda: rig.up)
        listener.publish("tidegate/g/pump/set", b'{"id":"a1","valeu":true}')
        eventually(lambda: len(rig.commands) == 1)
        answer = rig.commands[0][0]
        assert isinstance(answer, Result)
        assert answer.outcome is Outcome.REFUSED
        assert "valeu" in answer.reason


def test_the_backlog_of_an_outage_arrives_complete_as_history(
    broker: Mosquitto, listener: Listener
) -> None:
    # The link is what goes away: the subscriber must be there before the backlog is sent.
    with Line(broker.port) as line, LinkRig(line.url) as rig:
        eventually(lambda: rig.up)
        line.down = True
        line.cut()
        eventually(lambda: not rig.up)
        keys = [rig.outbox.append(sample(value)) for value in range(500)]
        line.down = False
        eventually(lambda: not rig.outbox.kept)
        assert sorted(rig.outbox.done) == keys

        def arrived() -> set[int]:
            batches = [history.unpack(payload) for payload in listener.of("tidegate/g/history")]
            alone = [json.loads(payload) for payload in listener.of("tidegate/g/boiler/data")]
            return {fields["seq"] for fields in [*chain.from_iterable(batches), *alone]}

        eventually(lambda: arrived() == {key.seq for key in keys})
        assert listener.of("tidegate/g/history")


def test_no_more_than_the_window_is_in_flight(broker: Mosquitto, listener: Listener) -> None:
    rig = LinkRig(broker.url, window=7, history_batch=0)
    for value in range(300):
        rig.outbox.append(sample(value))
    with rig:
        eventually(lambda: len(rig.outbox.done) == 300)
        assert rig.outbox.max_flying <= 7
        seqs = [json.loads(p)["seq"] for p in listener.wait_for("tidegate/g/boiler/data", 300)]
        assert seqs == list(range(1, 301))


def test_alarms_go_before_samples_that_wait(broker: Mosquitto, listener: Listener) -> None:
    rig = LinkRig(broker.url, window=1, history_batch=0)
    with rig:
        eventually(lambda: rig.up)
        broker.freeze()
        for value in range(50):
            rig.outbox.append(sample(value))
        rig.outbox.append(Alarm("fire", STAMP, AlarmState.RAISED, "hot"), Klass.ALARM)
        broker.thaw()
        listener.wait_for("tidegate/g/boiler/data", 50)
        topics = [m.topic for m in listener.messages if "status" not in m.topic]
        assert topics.index("tidegate/g/alarm/fire") < 5
