"""Each dialect through a real broker: the account closes, the table has values, commands arrive."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.brokers import Listener, Mosquitto, eventually
from tests.e2e.house import Gateway, audit

CONFIG = """
[gateway]
id = "g"
state = "{state}"
health_every = "1s"

[upstream]
url = "{url}"
dialect = "{dialect}"
protocol = "{protocol}"

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
interval = 0.1
address = 0x76

[[device]]
name = "relay"
driver = "relay"
bus = "pins"
pin = 17
"""


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """Made, not started: the gateway is there first, and has a backlog when it comes."""
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


def begin(broker: Mosquitto, folder: Path, dialect: str, protocol: str = "auto") -> Gateway:
    config = folder / "gateway.toml"
    config.write_text(
        CONFIG.format(state=folder / "state", url=broker.url, dialect=dialect, protocol=protocol)
    )
    gateway = Gateway(config)
    gateway.start()
    return gateway


def tidegate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def watched(broker: Mosquitto, *kinds: str) -> list[dict[str, Any]]:
    """What is told in a few seconds, in which each of these has to come."""
    for _ in range(10):
        done = tidegate("watch", "--json", "--for", "3", "--url", broker.url)
        facts = [json.loads(line) for line in done.stdout.splitlines()]
        if {fact["kind"] for fact in facts} >= set(kinds):
            return facts
    pytest.fail(f"not all of {kinds} in {facts}")


@pytest.mark.parametrize("dialect", ["json", "plain", "msgpack", "cbor"])
def test_a_dialect_end_to_end(mosquitto: Mosquitto, tmp_path: Path, dialect: str) -> None:
    gateway = begin(mosquitto, tmp_path, dialect)
    mosquitto.start()
    listener = Listener(mosquitto.port)
    listener.wait_for("tidegate/g/cellar/", 3)

    send = tidegate("send", "g", "relay", "true", "--url", mosquitto.url, "--timeout", "60")
    assert send.stdout == "relay: done, now on\n", send.stderr
    facts = watched(mosquitto, "data", "state")
    (values,) = [fact["values"] for fact in facts if fact["kind"] == "data"][:1]
    assert set(values) == {"temperature", "pressure", "humidity"}
    assert all(isinstance(value, float) for value in values.values())
    states = [fact["value"] for fact in facts if fact["kind"] == "state"]
    assert states[0] is True
    assert not [fact for fact in facts if fact["kind"] == "unreadable"]

    mosquitto.stop()  # a second connection, and a backlog for the account
    mosquitto.start()
    status, account = audit(mosquitto, "--until-settled", "--for", "120")
    assert gateway.end(signal.SIGTERM) == 0
    assert status == 0, account
    assert (account["lost"], account["missing"]) == (0, [])
    received = account["received"]
    assert isinstance(received, int)
    assert received > 0
    listener.close()


def test_plain_over_3_1_1_shows_values_and_says_that_it_cannot_be_audited(
    mosquitto: Mosquitto, tmp_path: Path
) -> None:
    mosquitto.start()
    gateway = begin(mosquitto, tmp_path, "plain", protocol="3.1.1")
    listener = Listener(mosquitto.port)
    eventually(lambda: len(listener.of("tidegate/g/cellar/data/pressure")) > 2, "values")
    listener.close()
    facts = watched(mosquitto, "data")
    assert {"temperature"} in [set(fact.get("values", {})) for fact in facts]
    done = tidegate("audit", "--for", "5", "--url", mosquitto.url)
    assert gateway.end(signal.SIGTERM) == 0
    assert done.returncode == 1
    assert "g sends bare values without numbers" in done.stderr
    assert "MISSING" not in done.stdout
