"""RabbitMQ 3.10 with its MQTT plug-in: MQTT 3.1.1 alone, and QoS 1 at most. `make test-rabbit`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests import rights
from tests.brokers import eventually
from tests.e2e.house import Gateway
from tests.rabbit.nodes import Epmd, Node, scripts
from tests.rights import Person

pytestmark = [pytest.mark.rabbit, pytest.mark.timeout(600)]

PATIENCE = 60.0
POLICY = '{"ha-mode": "all", "ha-sync-mode": "automatic"}'
CONFIG = """
[gateway]
id = "g"
state = "{state}"
health_every = "1s"

[upstream]
url = {urls}

[[bus]]
name = "i2c"
kind = "simulated-i2c"
chips = ["bme280@0x76"]

[[bus]]
name = "pins"
kind = "gpio"
device = "mock"

[[device]]
name = "cellar"
driver = "bme280"
bus = "i2c"
interval = 0.05
address = 0x76

[[device]]
name = "relay"
driver = "relay"
bus = "pins"
pin = 17
"""


@pytest.fixture(scope="module")
def epmd() -> Iterator[Epmd]:
    scripts()  # or skip
    mapper = Epmd()
    mapper.start()
    yield mapper
    mapper.stop()


@pytest.fixture(scope="module")
def node(epmd: Epmd, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    one = Node(epmd, tmp_path_factory.mktemp("rabbit"))
    one.start()
    try:
        one.await_ready()
        yield one
    finally:
        one.kill()


@contextmanager
def running(config: Path) -> Iterator[Gateway]:
    """A gateway that does not outlive its test."""
    house = Gateway(config)
    house.start()
    try:
        yield house
    finally:
        house.end(signal.SIGKILL)


def configured(folder: Path, *nodes: Node) -> Path:
    config = folder / "gateway.toml"
    urls = json.dumps([node.url for node in nodes])
    config.write_text(CONFIG.format(state=folder / "state", urls=urls))
    return config


def verb(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "gateway", *arguments, "--protocol", "3.1.1"]


def tidegate(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        verb(*arguments), capture_output=True, text=True, timeout=180, check=False
    )


def audit(node: Node, *options: str) -> tuple[int, dict[str, Any]]:
    """Goes on in one durable session of the broker's."""
    done = tidegate("audit", "--url", node.url, "--json", "--session", "audit", *options)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr
    return done.returncode, json.loads(lines[-1])


def hears_status(node: Node, payload: bytes) -> Person:
    """Somebody who has heard the gateway's status. Retained messages come to this broker's clients
    only by a subscription without wildcards."""
    listener = Person(node.port, "guest", "guest", MQTTProtocolVersion.MQTTv311)
    listener.subscribe("tidegate/g/status")
    eventually(lambda: ("tidegate/g/status", payload) in listener.heard, f"{payload!r}", PATIENCE)
    return listener


def send(node: Node, value: str) -> subprocess.CompletedProcess[str]:
    return tidegate("send", "g", "relay", value, "--url", node.url)


def test_readings_commands_an_outage_and_the_will(node: Node, tmp_path: Path) -> None:
    # Protocol auto: this broker gives no answer at all to MQTT 5.
    with running(configured(tmp_path, node)) as house:
        hears_status(node, b"online").close()
        status, before = audit(node, "--until-settled", "--for", "60")
        assert status == 0, before
        assert before["received"] > 0

        done = send(node, "true")
        assert done.stdout == "relay: done, now on\n", done.stderr
        assert send(node, "false").stdout == "relay: done, now off\n"

        node.kill()  # what it has acknowledged is on its disk, the consumer's session too
        node.start()
        node.await_ready()
        status, after = audit(node, "--until-settled", "--for", "120")
        assert status == 0, after
        assert (after["lost"], after["missing"]) == (0, [])
        assert after["received"] > before["received"]

        listener = hears_status(node, b"online")
        house.end(signal.SIGKILL)
        will = ("tidegate/g/status", b"offline")
        eventually(lambda: will in listener.heard, "the will", PATIENCE)
        listener.close()


def test_broker_acl(node: Node, tmp_path: Path) -> None:
    config = rights.write_config(tmp_path, node.url)
    out = rights.write_rights(tmp_path, config, "rabbitmq")
    for _ in range(2):  # again changes nothing
        node.control("import_definitions", str(out / "definitions.json"))
    rights.Company(node.port, MQTTProtocolVersion.MQTTv311).check()
    stranger = Person(node.port, "anna", "wrong", MQTTProtocolVersion.MQTTv311)
    assert stranger.refused.wait(PATIENCE)
    stranger.close()

    with running(config) as house:  # by its own login, it needs no more than it has
        listener = Person(node.port, "anna", "anna-pass", MQTTProtocolVersion.MQTTv311)
        listener.subscribe(f"{rights.BASE}/#")
        heard = listener.heard
        eventually(lambda: f"{rights.BASE}/health" in dict(heard), "health", PATIENCE)
        assert house.end(signal.SIGTERM) == 0
        eventually(lambda: (f"{rights.BASE}/status", b"offline") in heard, "offline", PATIENCE)
        listener.close()
        assert f"{rights.BASE}/host/data" in dict(heard)


def clients_of(node: Node) -> int:
    """Connections to its MQTT port (proc(5), net/tcp: local address in hexadecimal, state 01)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{node.port:04X}") and row[3] == "01" for row in rows)


@pytest.fixture
def cluster(epmd: Epmd, tmp_path: Path) -> Iterator[list[Node]]:
    nodes = [Node(epmd, tmp_path, number) for number in (11, 12, 13)]
    try:
        for node in nodes:
            node.start()
            node.await_ready()
            if node is not nodes[0]:
                node.join(nodes[0])
                node.await_ready()
        # Without it a durable session is at one node, and nobody has it while that one is down.
        nodes[0].control("set_policy", "sessions", "^mqtt-subscription-", POLICY)
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def test_a_node_of_three_is_killed_while_messages_flow(cluster: list[Node], tmp_path: Path) -> None:
    """The gateway goes to the next url; the consumer has its session at a node that stays."""
    first, second, third = cluster
    with running(configured(tmp_path, *cluster)) as house:
        status, before = audit(second, "--until-settled", "--for", "60")
        assert status == 0, before
        listening = subprocess.Popen(
            verb("audit", "--url", second.url, "--json", "--session", "audit", "--for", "20"),
            stdout=subprocess.PIPE,
            text=True,
        )
        assert clients_of(first) > 0
        first.kill()
        said, _ = listening.communicate(timeout=180)
        account = json.loads(said.splitlines()[-1])
        assert listening.returncode == 0, account
        assert account["online"] is True

        status, account = audit(second, "--until-settled", "--for", "120")
        assert status == 0, account
        assert (account["lost"], account["missing"]) == (0, [])
        done = send(third, "true")
        assert done.stdout == "relay: done, now on\n", done.stderr
        assert house.end(signal.SIGTERM) == 0
