"""An outage with several brokers: what is tried, and what is said of it."""

from __future__ import annotations

import logging

import pytest

from gateway.cli.demo_broker import free_port
from tests.brokers import eventually
from tests.gateway.link.parts import LinkRig, sample
from tests.mqtt_bytes import PUBLISH
from tests.scripted_broker import ScriptedBroker


def offline(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.getMessage().startswith("offline")]


def test_each_reason_is_logged_once_an_outage_however_many_brokers(
    scripted: ScriptedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    """A night without a network is two lines, not two at each try."""
    caplog.set_level(logging.INFO)
    dead = [f"mqtt://127.0.0.1:{free_port()}" for _ in range(2)]
    scripted.refusal = 0x88
    with LinkRig([*dead, scripted.url]) as rig:
        eventually(lambda: len(scripted.hellos) >= 10)
        assert len(offline(caplog)) == 3
        scripted.refusal = 0
        eventually(lambda: rig.up)
        scripted.refusal = 0x88
        scripted.cut()
        eventually(lambda: len(scripted.hellos) >= 20)
        assert len(offline(caplog)) == 7, "a new outage is told anew"


@pytest.mark.parametrize(("code", "sessions"), [(0x9D, 1), (0x98, 3)])
def test_a_broker_that_lets_us_in_and_throws_us_out_is_not_the_last_word(
    scripted: ScriptedBroker, code: int, sessions: int
) -> None:
    """Three short sessions, or its own word that another is to be used: the next url is tried."""
    with ScriptedBroker() as other, LinkRig([scripted.url, other.url]) as rig:
        for number in range(1, sessions + 1):
            eventually(lambda: len(rig.states) == 2 * number - 1 and rig.settled)  # noqa: B023
            assert rig.link.status().url == scripted.url
            scripted.dismiss(code)
        eventually(lambda: rig.link.status().url == other.url and rig.settled)
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])


def test_a_broker_that_takes_everything_and_acknowledges_nothing_is_not_either(
    scripted: ScriptedBroker,
) -> None:
    scripted.silent = {PUBLISH}
    with ScriptedBroker() as other, LinkRig([scripted.url, other.url]) as rig:
        key = rig.outbox.append(sample())
        rig.until(lambda: rig.outbox.done == [key])
        assert rig.link.status().url == other.url


def test_a_brokers_words_are_fit_for_a_log(scripted: ScriptedBroker) -> None:
    """No line of its own in the journal, no colours on somebody's terminal, no novel."""
    scripted.refusal, scripted.refusal_text = 0x87, "no\n<3>disk full \x1b[31m" + "x" * 5000
    with LinkRig(scripted.url) as rig:
        eventually(lambda: len(rig.told("login")) == 1)
        ((_, text),) = rig.told("login")
        assert text.isprintable() and "no <3>disk full" in text and len(text) < 400
        assert rig.link.status().reason.isprintable()
