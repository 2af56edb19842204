"""Sessions that have no expiry are not used when they are old."""

from __future__ import annotations

import pytest

from gateway.link.terms import Sessions
from gateway.model import Command
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import LinkRig
from tests.scripted_broker import ScriptedBroker

URL = "mqtt://broker.example"


@pytest.mark.parametrize("expiry", [0.0, 0.001, 60.0])
def test_what_is_forgotten_is_not_forgotten_again(expiry: float) -> None:
    """Else the gateway would end sessions for ever, and never come in."""
    sessions = Sessions(expiry)
    assert sessions.too_old(URL, 5.0)
    sessions.forgotten(URL)
    assert not sessions.too_old(URL, 1e9)
    sessions.ended(URL, 1e9)
    assert not sessions.too_old(URL, 1e9 + expiry / 2)
    assert sessions.too_old(URL, 1e9 + expiry + 1)


def test_over_311_a_session_that_is_too_old_is_ended_before_it_is_used(
    scripted: ScriptedBroker,
) -> None:
    """P28: it has no expiry there, so its commands could be of any age."""
    with LinkRig(scripted.url, protocol="3.1.1", session_expiry=30.0) as rig:
        eventually(lambda: rig.settled)
        assert [hello.clean for hello in scripted.hellos] == [True, False]
        scripted.cut()
        eventually(lambda: rig.connects == 2)
        assert [hello.clean for hello in scripted.hellos[2:]] == [False], "a short outage"
        scripted.refusal = 3
        scripted.cut()
        eventually(lambda: len(scripted.hellos) > 3)
        rig.advance(31)
        scripted.refusal = 0
        eventually(lambda: rig.connects == 3)
        assert [hello.clean for hello in scripted.hellos][-2:] == [True, False]
        assert rig.link.status().drops == 2
    assert scripted.wills.count(scripted.wills[0]) == 2, "forgetting is no death"


def test_over_311_mosquitto_keeps_commands_for_a_short_outage_and_not_from_before(
    broker: Mosquitto, listener: Listener
) -> None:
    with LinkRig(broker.url, protocol="3.1.1") as rig:
        eventually(lambda: rig.settled)
    listener.publish("tidegate/g/pump/set", "yesterday")
    with LinkRig(broker.url, protocol="3.1.1", acknowledge=False) as rig:
        eventually(lambda: rig.settled)
        listener.publish("tidegate/g/pump/set", "now")
        eventually(lambda: len(rig.commands) == 1)
        command, _ = rig.commands[0]
        assert isinstance(command, Command) and command.value == "now"
        broker.freeze()
        rig.until(lambda: rig.link.status().drops == 1, step=5)
        broker.thaw()
        eventually(lambda: rig.connects == 2 and len(rig.commands) == 2)
        again, _ = rig.commands[1]
        assert isinstance(again, Command) and (again.value, again.id) == ("now", command.id)
