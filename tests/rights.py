"""What people and gateways may do at a broker, tried out: by what arrives, not by what is answered.

Brokers refuse in different ways: with a reason code, silently, by hanging up. So each attempt is
followed by one that is allowed, and when that has arrived, the first has, or never will.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from gateway.cli.main import main
from tests.brokers import PATIENCE, eventually

BASE = "tidegate/shed"
LOGINS = {"shed-gw": "gw-pass", "anna": "anna-pass", "bert": "bert:pass", "carl": "carl-pass"}
CONFIG = """
[gateway]
id = "shed"
state = "{state}"
health_every = "1s"
[upstream]
url = "{url}"
username = "shed-gw"
password_file = "{secret}"
session_expiry = 0
[[bus]]
name = "pins"
kind = "gpio"
device = "mock"
[[device]]
name = "pump"
driver = "relay"
bus = "pins"
pin = 17
[[device]]
name = "valve"
driver = "relay"
bus = "pins"
pin = 27
[[device]]
name = "host"
driver = "host"
interval = 0.2
[[people]]
name = "owners"
members = ["anna"]
command = ["*"]
operate = true
[[people]]
name = "operators"
members = ["bert"]
command = ["pump"]
[[people]]
name = "tenants"
members = ["carl"]
read = ["host"]
"""

READS = [
    # login, subscription, topic, whether it arrives
    ("anna", f"{BASE}/#", "valve/data", True),
    ("anna", f"{BASE}/health", "health", True),
    ("bert", f"{BASE}/+/data", "valve/data", True),
    ("carl", f"{BASE}/host/#", "host/data", True),
    ("carl", f"{BASE}/#", "valve/data", False),
    ("carl", f"{BASE}/+/data", "valve/data", False),
    ("carl", f"{BASE}/history", "history", False),
    ("carl", "#", "health", False),
]
COMMANDS = [
    # login, topic, whether the gateway hears it
    ("anna", "pump/set", True),
    ("anna", "command", True),
    ("bert", "pump/set", True),
    ("bert", "valve/set", False),
    ("bert", "command", False),
    ("carl", "pump/set", False),
    ("shed-gw", "pump/set", False),
]
SPEECH = [
    # login, topic, whether anna hears it: nobody but the gateway speaks for it
    ("shed-gw", "pump/state", True),
    ("shed-gw", "reply/a1/b2", True),
    ("anna", "pump/state", False),
    ("bert", "status", False),
]


class Person:
    """A client with a login. heard: (topic, payload) of all that came."""

    def __init__(
        self,
        port: int,
        login: str,
        password: str,
        protocol: MQTTProtocolVersion,
        client_id: str = "",
    ) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.refused = threading.Event()
        self._connected = threading.Event()
        self._answered = threading.Event()
        client = paho.Client(CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        client.username_pw_set(login, password)
        client.on_connect = self._on_connect
        client.on_subscribe = lambda *_: self._answered.set()
        client.on_disconnect = self._on_disconnect
        client.on_message = lambda _, __, m: self.heard.append((m.topic, bytes(m.payload)))
        client.reconnect_delay_set(1, 1)
        self.client = client
        client.connect("127.0.0.1", port)
        client.loop_start()

    def _on_connect(self, _: Any, __: Any, ___: Any, reason: Any, *____: Any) -> None:
        (self.refused if reason.is_failure else self._connected).set()

    def _on_disconnect(self, *_: Any) -> None:
        self._connected.clear()
        self._answered.set()

    def subscribe(self, one: str) -> None:
        """Answered, or refused by hanging up, as RabbitMQ does; then the next connection is up."""
        assert self._connected.wait(PATIENCE)
        self._answered.clear()
        self.client.subscribe(one, 1)
        assert self._answered.wait(PATIENCE)
        assert self._connected.wait(PATIENCE)

    def say(self, topic: str, payload: str) -> None:
        """Below BASE, at QoS 0: whether a refusal is answered is the broker's affair."""
        assert self._connected.wait(PATIENCE)
        self.client.publish(f"{BASE}/{topic}", payload, 0)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Company:
    """Everybody at one broker."""

    def __init__(self, port: int, protocol: MQTTProtocolVersion) -> None:
        self._port, self._protocol = port, protocol
        self._open: list[Person] = []

    def gateway(self) -> Person:
        """By its own client id: RabbitMQ lets a gateway have no other queue."""
        return self.person("shed-gw", "tidegate-shed")

    def person(self, login: str, client_id: str = "") -> Person:
        found = Person(self._port, login, LOGINS[login], self._protocol, client_id)
        self._open.append(found)
        return found

    def close(self) -> None:
        for one in self._open:
            one.close()
        self._open.clear()

    def check(self) -> None:
        """Every line of the tables. AssertionError names the one that does not hold."""
        for login, wanted, topic, allowed in READS:
            reader, gateway = self.person(login), self.gateway()
            reader.subscribe(wanted)
            reader.subscribe(f"{BASE}/status")
            gateway.say(topic, "x")
            self._compare(reader, gateway, "status", topic, allowed, f"{login} reads by {wanted}")
        for login, topic, allowed in COMMANDS:
            sender, gateway, owner = self.person(login), self.gateway(), self.person("anna")
            gateway.subscribe(f"{BASE}/+/set")
            gateway.subscribe(f"{BASE}/command")
            sender.say(topic, "x")
            self._compare(gateway, owner, "valve/set", topic, allowed, f"{login} commands")
        for login, topic, allowed in SPEECH:
            speaker, gateway, owner = self.person(login), self.gateway(), self.person("anna")
            owner.subscribe(f"{BASE}/#")
            speaker.say(topic, "x")
            self._compare(owner, gateway, "host/state", topic, allowed, f"{login} says")

    def _compare(
        self, hearer: Person, other: Person, end: str, topic: str, allowed: bool, what: str
    ) -> None:
        """Whether it was heard by the time that what `other` says at the end is heard."""

        def ended() -> bool:
            other.say(end, "end")  # again if it was lost with a connection that the broker cut
            time.sleep(0.02)
            return (f"{BASE}/{end}", b"end") in hearer.heard

        eventually(ended, f"{what}: the end is heard")
        if allowed:
            eventually(lambda: (f"{BASE}/{topic}", b"x") in hearer.heard, f"{what} {topic}")
        else:
            assert (f"{BASE}/{topic}", b"x") not in hearer.heard, f"{what} {topic}"
        self.close()


def write_config(folder: Path, url: str) -> Path:
    secret = folder / "secret"
    secret.write_text(LOGINS["shed-gw"] + "\n")
    config = folder / "gateway.toml"
    config.write_text(CONFIG.format(state=folder / "state", url=url, secret=secret))
    return config


def write_rights(folder: Path, config: Path, broker: str) -> Path:
    """The folder with the broker's files."""
    people = folder / "people.txt"
    people.write_text("".join(f"{name}:{word}\n" for name, word in LOGINS.items()))
    out = folder / "rights"
    arguments = ["broker-acl", str(config), "--broker", broker, "--out", str(out)]
    assert main([*arguments, "--passwords", str(people)]) == 0
    return out
