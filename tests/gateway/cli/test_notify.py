"""Alarms to people: which are news, tries again, and a real push to a server that speaks ntfy."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gateway.cli import alerts
from gateway.cli.alerts import TRY_AGAIN, WAITING, Alert, Outbound, Push
from gateway.cli.consumer import Consumer
from gateway.cli.main import main
from gateway.cli.notify import Notifier, login
from gateway.cli.notify_config import BrokerSettings, NotifySettings, load
from gateway.cli.push import check, deliver
from gateway.config_report import ConfigErrors
from gateway.link.endpoint import parse_endpoint

FIELDS = {
    "epoch": 7,
    "seq": 5,
    "state": "raised",
    "text": "30.5 °C",
    "time": "2026-11-26T10:00:00Z",
}
TOPIC = "tidegate/barn/alarm/heat"
EVERYTHING = Push("me", "ntfy://x/y", ("*",), ("*",), ("raised", "cleared"))


def alert(seq: int = 5, state: str = "raised", topic: str = TOPIC) -> Alert:
    found = alerts.read(topic, "tidegate", {**FIELDS, "seq": seq, "state": state})
    assert found is not None
    return found


def test_an_alarm_is_read_in_one_line() -> None:
    found = alerts.read(TOPIC, "tidegate", {**FIELDS, "text": "a\r\nFrom: b\x1b[2J" + "x" * 999})
    assert found is not None
    assert (found.gateway, found.name, found.key) == ("barn", "heat", (7, 5))
    assert found.title == "barn: heat raised"
    assert found.text.startswith("a  From: b [2J")
    assert len(found.text) == 500


@pytest.mark.parametrize(
    ("topic", "fields"),
    [
        (TOPIC, [1]),
        (TOPIC, {**FIELDS, "state": "on fire"}),
        (TOPIC, {**FIELDS, "seq": "5"}),
        (TOPIC, {**FIELDS, "epoch": True}),
        ("tidegate/barn/heat/data", FIELDS),
        ("tidegate//alarm/heat", FIELDS),
    ],
)
def test_what_is_no_alarm_is_none(topic: str, fields: object) -> None:
    assert alerts.read(topic, "tidegate", fields) is None


def test_each_message_is_pushed_once_to_those_who_want_it() -> None:
    picky = Push("frost", "u", ("barn",), ("frost*",), ("raised",))
    outbound = Outbound([EVERYTHING, picky], {})
    assert outbound.arrived(alert(), 0.0)
    assert not outbound.arrived(alert(), 0.0)
    assert not outbound.arrived(alert(4), 0.0)
    assert outbound.arrived(alert(6, "acknowledged"), 0.0)
    outbound.arrived(alert(7, topic="tidegate/barn/alarm/frost-1"), 0.0)
    names = [(job.push.name, job.alert.key[1]) for job in outbound.due(0.0)]
    assert names == [("me", 5), ("me", 7), ("frost", 7)]


def test_what_failed_is_tried_again_and_given_up() -> None:
    outbound, now = Outbound([EVERYTHING], {}), 0.0
    outbound.arrived(alert(), now)
    for wait in TRY_AGAIN:
        (job,) = outbound.due(now)
        assert outbound.failed(job, now)
        assert list(outbound.due(now + wait - 0.1)) == []
        assert outbound.settled() == {}
        now = outbound.next()
    (job,) = outbound.due(now)
    assert not outbound.failed(job, now)
    assert (outbound.given_up, outbound.settled()) == (1, {TOPIC: (7, 5)})


def test_a_storm_of_alarms_waits_in_bounds() -> None:
    outbound = Outbound([EVERYTHING], {})
    for seq in range(WAITING + 50):
        outbound.arrived(alert(seq), 0.0)
    keys = [job.alert.key[1] for job in outbound.due(0.0)]
    assert (len(keys), keys[0], outbound.given_up) == (WAITING, 50, 50)


def test_the_state_of_before_is_news_no_more() -> None:
    assert not Outbound([EVERYTHING], {TOPIC: (7, 5)}).arrived(alert(), 0.0)
    assert Outbound([EVERYTHING], {TOPIC: (6, 99)}).arrived(alert(), 0.0)


class Ntfy:
    """Answers as docs.ntfy.sh/publish has it: JSON posted to the root, with the topic inside."""

    def __init__(self) -> None:
        self.messages: list[dict[str, object]] = []
        self.status = 200
        ntfy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if ntfy.status == 200:
                    ntfy.messages.append({"path": self.path, **json.loads(body)})
                answer = b'{"id":"x","event":"message"}'
                self.send_response(ntfy.status)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"ntfy://127.0.0.1:{self.server.server_address[1]}/our-house"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def ntfy() -> Iterator[Ntfy]:
    ntfy = Ntfy()
    yield ntfy
    ntfy.server.shutdown()
    ntfy.server.server_close()


def test_a_push_arrives_as_ntfy_documents_it(ntfy: Ntfy) -> None:
    assert deliver(ntfy.url, alert()) == ""
    (message,) = ntfy.messages
    assert (message["path"], message["topic"]) == ("/", "our-house")
    assert message["title"] == "barn: heat raised"
    assert "30.5 °C" in str(message["message"])


def test_a_push_that_is_refused_says_so_without_the_secret(ntfy: Ntfy) -> None:
    ntfy.status = 403
    error = deliver(ntfy.url, alert())
    assert "403" in error
    assert ntfy.url not in error
    assert check(ntfy.url) == ""
    assert "no URL" in check("carrier-pigeon://x")
    assert "no URL" in deliver("carrier-pigeon://x", alert())


def test_an_alarm_at_the_broker_is_told_once_over_restarts(
    broker: str, ntfy: Ntfy, tmp_path: Path
) -> None:
    endpoint = parse_endpoint(broker)
    client = paho.Client(CallbackAPIVersion.VERSION2)
    client.connect(endpoint.host, endpoint.port)
    client.loop_start()
    topic = "notify-test/barn/alarm/heat"
    settings = NotifySettings(
        BrokerSettings(url=broker, root="notify-test", client_id="notify-test"),
        (Push("me", ntfy.url, ("*",), ("*",), ("raised", "cleared")),),
    )
    try:
        client.publish(topic, json.dumps(FIELDS), 1, True).wait_for_publish(10)
        for _ in range(2):
            consumer = Consumer(login(settings.broker), ["notify-test/+/alarm/+"])
            consumer.connect()
            notifier = Notifier(settings, tmp_path / "told.json")
            until = time.monotonic() + 60
            while time.monotonic() < until and not (tmp_path / "told.json").exists():
                notifier.turn(consumer, 0.2)
            notifier.turn(consumer, 0.5)
            consumer.close()
        assert len(ntfy.messages) == 1
        assert json.loads((tmp_path / "told.json").read_text()) == {topic: [7, 5]}
    finally:
        client.publish(topic, b"", 1, True).wait_for_publish(10)
        client.disconnect()
        client.loop_stop()


def test_the_file_is_read_with_all_its_errors(tmp_path: Path) -> None:
    file = tmp_path / "notify.toml"
    (tmp_path / "url").write_text("gotify://host/token\n")
    good = f'''
    broker = {{url = "mqtt://localhost"}}
    push = [{{name = "a", url = "${{URL}}"}}, {{name = "b", url_file = "{tmp_path}/url"}}]
    '''
    file.write_text(good)
    settings = load(str(file), {"URL": "ntfy://x/y"})
    assert [push.url for push in settings.pushes] == ["ntfy://x/y", "gotify://host/token"]
    file.write_text('broker = {urll = "x"}\npush = [{name = "a"}, {name = "b", states = ["x"]}]')
    with pytest.raises(ConfigErrors) as caught:
        load(str(file), {})
    told = [f"{error.path}: {error.message}" for error in caught.value.errors]
    assert "broker.urll: unknown key" in told
    assert "push[a]: needs either url or url_file" in told
    file.write_text('broker = {url = "mqtt://localhost"}')
    assert main(["notify", str(file)]) == 78


def test_check_and_test_name_everybody(
    ntfy: Ntfy, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "notify.toml"
    file.write_text(
        f'broker = {{url = "mqtt://localhost"}}\npush = [{{name = "me", url = "{ntfy.url}"}}]'
    )
    assert main(["notify", str(file), "--check"]) == 0
    assert main(["notify", str(file), "--test"]) == 0
    assert capsys.readouterr().out == "me: ok\nme: delivered\n"
    assert ntfy.messages[0]["title"] == "test: tidegate notify raised"
