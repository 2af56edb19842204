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

from gateway.cli.access_brokers import RABBITMQ_MIRRORS
from tests import rights
from tests.brokers import eventually
from tests.e2e.house import Gateway
from tests.rabbit.nodes import Epmd, Node
from tests.rights import Person

pytestmark = [pytest.mark.rabbit, pytest.mark.timeout(1800)]

PATIENCE = 180.0
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


def audit_verb(node: Node) -> list[str]:
    return verb("audit", "--url", node.url, "--json", "--session", "audit")


def audit(node: Node, *options: str) -> tuple[int, dict[str, Any]]:
    """Goes on in one durable session of the broker's."""
    done = subprocess.run(
        [*audit_verb(node), *options], capture_output=True, text=True, timeout=600, check=False
    )
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
        status, before = audit(node, "--until-settled", "--for", "300")
        assert status == 0, before
        assert before["received"] > 0

        done = send(node, "true")
        assert done.stdout == "relay: done, now on\n", done.stderr
        assert send(node, "false").stdout == "relay: done, now off\n"

        node.kill()  # what it has acknowledged is on its disk, the consumer's session too
        node.start()
        node.await_ready()
        status, after = audit(node, "--until-settled", "--for", "300")
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
    nodes: list[Node] = []
    try:
        for number in (11, 12, 13):
            nodes.append(Node(epmd, tmp_path, number, joins=nodes[0] if nodes else None))
            nodes[-1].start()
            nodes[-1].await_ready()
        running_nodes = nodes[0].control("cluster_status", "--formatter", "json")
        assert len(json.loads(running_nodes)["running_nodes"]) == len(nodes)
        # Without it a durable session is at one node, and nobody has it while that one is down.
        nodes[0].control("set_policy", *RABBITMQ_MIRRORS)
        yield nodes
    finally:
        for node in nodes:
            node.kill()


def mirrored(cluster: list[Node]) -> bool:
    """Whether there is a durable session, and the other nodes have all that is in it."""
    columns = ["name", "synchronised_slave_pids", "--formatter", "json"]
    queues = json.loads(cluster[0].control("list_queues", *columns))
    rest = len(cluster) - 1
    return bool(queues) and all(len(one["synchronised_slave_pids"]) == rest for one in queues)


def test_the_node_of_the_gateways_session_is_killed(cluster: list[Node], tmp_path: Path) -> None:
    """The gateway goes on at another node, and has its session there; the consumer is at a node
    that stays."""
    with running(configured(tmp_path, *cluster)) as house:
        eventually(lambda: mirrored(cluster), "the gateway is in", PATIENCE)
        # A session's queue is made where its client is.
        home = next(node for node in cluster if clients_of(node))
        second, third = (node for node in cluster if node is not home)
        status, before = audit(second, "--until-settled", "--for", "300")
        assert status == 0, before
        assert clients_of(home) > 0, "the session is at the node that is killed"
        listening = subprocess.Popen(
            # For a shell's background job an interrupt is nothing.
            ["env", "--default-signal=INT", *audit_verb(second)],
            stdout=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: clients_of(second) > 0, "the consumer listens", PATIENCE)
        home.kill()
        eventually(lambda: clients_of(second) + clients_of(third) > 1, "it is back", PATIENCE)
        # Again where it comes before the new session: at another url the old one is ended first.
        done = "relay: done, now on\n"
        eventually(lambda: send(third, "true").stdout == done, "a command is carried out", PATIENCE)
        listening.send_signal(signal.SIGINT)
        said, _ = listening.communicate(timeout=PATIENCE)
        account = json.loads(said.splitlines()[-1])
        assert (listening.returncode, account["lost"]) == (0, 0), account

        status, account = audit(second, "--until-settled", "--for", "300")
        assert status == 0, account
        assert (account["lost"], account["missing"]) == (0, [])
        assert house.end(signal.SIGTERM) == 0
