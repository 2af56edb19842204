"""watch, audit and send against a real broker, with a gateway that is played."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.cli.consumer import Consumer
from gateway.cli.main import main
from gateway.codecs.base import Publication
from gateway.link.endpoint import parse_endpoint
from gateway.model import Outcome
from tests.gateway.cli import payloads
from tests.gateway.cli.payloads import DIALECT, live, sample


class PlayedGateway:
    """Publishes what it is told, answers commands as it is told."""

    def __init__(self, url: str) -> None:
        endpoint = parse_endpoint(url)
        self.commands: list[dict[str, object]] = []
        self.outcome = Outcome.DONE
        self._client = paho.Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._on_message
        self._client.connect(endpoint.host, endpoint.port)
        self._client.subscribe([("tidegate/shed/+/set", 1), ("tidegate/shed/command", 1)])
        self._client.loop_start()

    def publish(self, publications: list[Publication]) -> None:
        for one in publications:
            self._client.publish(one.topic, one.payload, one.qos, one.retain).wait_for_publish(30)

    def _on_message(self, client: paho.Client, user: object, message: paho.MQTTMessage) -> None:
        command = json.loads(message.payload)
        self.commands.append(command)
        device = "" if message.topic.endswith("/command") else "heater"
        signed = json.loads(command.get("signed", "{}"))
        given = signed.get("id") or command["id"]
        for one in live([payloads.result(50, given, True, self.outcome, device)]):
            self._client.publish(one.topic, one.payload, one.qos, one.retain)

    def close(self) -> None:
        for leaf in ("status", "session", "about", "heater/state", "heater/status"):
            self._client.publish(f"tidegate/shed/{leaf}", b"", 1, True).wait_for_publish(30)
        self._client.disconnect()
        self._client.loop_stop()


@pytest.fixture
def gateway(broker: str) -> Iterator[PlayedGateway]:
    played = PlayedGateway(broker)
    yield played
    played.close()


@contextmanager
def once_subscribed(act: Callable[[], None]) -> Iterator[None]:
    """When the verb's subscriptions stand: nothing that it is to hear may be sent before."""
    connect = Consumer.connect

    def connected(self: Consumer) -> None:
        connect(self)
        act()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Consumer, "connect", connected)
        yield


def test_audit_says_zero_when_all_is_there(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([DIALECT.status(True)])
    entries = live([sample(seq) for seq in (3, 4, 5)])
    with once_subscribed(lambda: gateway.publish([*entries, entries[0], payloads.health(5)])):
        status = main(["audit", "--url", broker, "--until-settled", "--for", "60", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert (report["received"], report["duplicates"], report["lost"]) == (3, 1, 0)


def test_audit_finds_the_hole(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = live([sample(seq) for seq in (3, 4, 7)])
    with once_subscribed(lambda: gateway.publish(entries)):
        status = main(["audit", "--url", broker, "--for", "3"])
    assert status == 1
    assert "epoch 7: 5 to 6" in capsys.readouterr().out


def test_audit_of_silence_proves_nothing(broker: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--url", broker, "--gateway", "nobody", "--for", "0.2"]) == 1
    assert "no gateway" in capsys.readouterr().err


def test_audit_of_a_gateway_that_says_nothing_now_proves_nothing(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([DIALECT.status(False)])
    assert main(["audit", "--url", broker, "--gateway", "shed", "--for", "0.5"]) == 1
    assert "waits for the first live entry" in capsys.readouterr().out


def test_an_audit_with_a_session_gets_what_came_while_it_was_away(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    session = ["audit", "--url", broker, "--session", "t1", "--json"]
    main([*session, "--for", "0.1"])
    gateway.publish(live([sample(seq) for seq in (1, 2, 3)]))
    capsys.readouterr()
    with once_subscribed(lambda: gateway.publish([payloads.health(3)])):
        assert main([*session, "--until-settled", "--for", "60"]) == 0
    assert json.loads(capsys.readouterr().out)["received"] == 3


def test_send_quotes_the_session_and_prints_the_result(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([DIALECT.status(True), payloads.session("n1")])
    assert main(["send", "shed", "heater", "true", "--url", broker]) == 0
    assert capsys.readouterr().out == "heater: done, now on\n"
    (command,) = gateway.commands
    assert (command["value"], command["nonce"]) == (True, "n1")


def test_send_signs(
    broker: str, gateway: PlayedGateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = str(tmp_path / "anna.key")
    main(["keygen", "anna", "--out", key])
    gateway.publish([DIALECT.status(True), payloads.session("n1")])
    assert main(["send", "shed", "heater", "on", "--key", key, "--url", broker]) == 0
    (command,) = gateway.commands
    assert command["key"] == "anna"
    assert json.loads(str(command["signed"]))["nonce"] == "n1"
    assert main(["send", "shed", "heater", "on", "--key", "/dev/null", "--url", broker]) == 1
    assert "is no private key" in capsys.readouterr().err


def test_send_reaches_the_gateway_itself(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([DIALECT.status(True), payloads.session("n1")])
    assert main(["send", "shed", "-", "lock", "--url", broker]) == 0
    assert capsys.readouterr().out.startswith("shed: done")


@pytest.mark.parametrize(
    ("outcome", "status"),
    [(Outcome.REFUSED, 3), (Outcome.EXPIRED, 4), (Outcome.FAILED, 5), (Outcome.INDETERMINATE, 6)],
)
def test_the_exit_status_tells_the_outcome(
    broker: str, gateway: PlayedGateway, outcome: Outcome, status: int
) -> None:
    gateway.outcome = outcome
    gateway.publish([DIALECT.status(True), payloads.session("n1")])
    arguments = ["send", "shed", "heater", "on", "--url", broker, "--expires", "5", "--no-nonce"]
    assert main(arguments) == status
    (command,) = gateway.commands
    assert "expires" in command and "nonce" not in command


def test_send_to_a_gateway_that_is_offline_sends_nothing(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([DIALECT.status(False)])
    assert main(["send", "shed", "heater", "on", "--url", broker]) == 1
    assert "offline" in capsys.readouterr().err
    assert gateway.commands == []


def test_send_without_an_answer(broker: str, gateway: PlayedGateway) -> None:
    assert main(["send", "other", "heater", "on", "--url", broker, "--timeout", "0.2"]) == 7


def test_watch_once(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([payloads.about(), DIALECT.status(True)])
    with once_subscribed(lambda: gateway.publish([*live([sample(1)]), payloads.health(1)])):
        assert main(["watch", "--url", broker, "--once"]) == 0
    text = capsys.readouterr().out
    assert "boiler" in text and "21.4  °C" in text and "recorded  1" in text


def test_watch_as_lines_for_scripts(
    broker: str, gateway: PlayedGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.publish([payloads.about(), DIALECT.status(True)])
    with once_subscribed(lambda: gateway.publish(live([sample(1)]))):
        assert main(["watch", "--url", broker, "--json", "--for", "3"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (data,) = [line for line in lines if line["kind"] == "data"]
    assert data["values"] == {"temperature": 21.4} and data["units"] == {"temperature": "°C"}
    assert {line["kind"] for line in lines} >= {"about", "status", "data"}


@pytest.mark.parametrize("verb", [["watch", "--once"], ["audit"], ["send", "a", "b", "on"]])
def test_what_cannot_be_reached_is_said_in_a_line(
    verb: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for url, words in (
        ("mqtt://127.0.0.1:1", "Connection refused"),
        ("mqtt://broker.example", "plain text"),
        ("http://127.0.0.1", "begin with"),
    ):
        assert main([*verb, "--url", url]) == 1
        error = capsys.readouterr().err
        assert words in error and len(error.splitlines()) == 1
