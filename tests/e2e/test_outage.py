"""The promise, end to end: the broker is away, the gateway is killed meanwhile, and the account at
the far end closes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Listener, Mosquitto, eventually

OUTAGE = float(os.environ.get("TIDEGATE_OUTAGE", "4"))
"""Seconds without the broker; the gateway is killed in the middle."""
COMMIT_WINDOW = 0.5
RATE = 20
"""Readings a second, of two devices together."""

CONFIG = f"""
[gateway]
id = "g"
state = "{{state}}"
health_every = "1s"

[upstream]
url = "{{url}}"

[outbox]
commit_every = {COMMIT_WINDOW}
store = "{{store}}"

[[bus]]
name = "i2c"
kind = "simulated-i2c"
chips = ["bme280@0x76", "bme280@0x77"]

[[device]]
name = "cellar"
driver = "bme280"
bus = "i2c"
interval = {2 / RATE}
address = 0x76

[[device]]
name = "attic"
driver = "bme280"
bus = "i2c"
interval = {2 / RATE}
address = 0x77
"""


@pytest.fixture
def lasting_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that keeps sessions over its own restart, as a consumer of worth has one."""
    options = ("persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0")
    mosquitto = Mosquitto(tmp_path, *options, "user root" if os.getuid() == 0 else "")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


class Gateway:
    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway", "run", str(self._config)]
        self._process = subprocess.Popen(command)

    def end(self, number: signal.Signals) -> int:
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(15)


def audit(broker: Mosquitto, *options: str) -> tuple[int, dict[str, object]]:
    """Exit status and the last account of `tidegate audit`."""
    command = [sys.executable, "-m", "gateway", "audit", "--url", broker.url, "--json"]
    command += ["--gateway", "g", "--session", "audit", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr
    return done.returncode, json.loads(lines[-1])


@pytest.mark.parametrize("store", ["sqlite", "ring"])
def test_killed_in_an_outage_nothing_is_missing_without_a_word(
    lasting_broker: Mosquitto, tmp_path: Path, store: str
) -> None:
    broker = lasting_broker
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(state=tmp_path / "state", url=broker.url, store=store))
    gateway = Gateway(config)
    gateway.start()
    status, before = audit(broker, "--for", "3")
    assert status == 0, before

    broker.stop()
    time.sleep(OUTAGE / 2)
    gateway.end(signal.SIGKILL)
    gateway.start()
    time.sleep(OUTAGE / 2)
    broker.start()
    status, after = audit(broker, "--until-settled", "--for", "60")
    assert gateway.end(signal.SIGTERM) == 0
    assert status == 0, after
    assert after["missing"] == [], after
    explained = after["explained"]
    assert isinstance(explained, dict)
    # What the kill took is what had not been committed: a window's worth, and a margin for the
    # machine, which is not quiet.
    assert sum(explained.values()) <= RATE * COMMIT_WINDOW * 4, after
    received = after["received"]
    assert isinstance(received, int)
    assert received >= RATE * OUTAGE * 0.5, after


def test_sigterm_leaves_nothing_behind(lasting_broker: Mosquitto, tmp_path: Path) -> None:
    """Case 2: within 5 s, all at the broker or on disk, offline said, and no crash next time."""
    broker = lasting_broker
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG.format(state=tmp_path / "state", url=broker.url, store="sqlite"))
    listener = Listener(broker.port, "tidegate/#")
    gateway = Gateway(config)
    for _ in range(2):
        gateway.start()
        eventually(lambda: listener.of("tidegate/g/status")[-1:] == [b"online"], "online")
        time.sleep(1.0)
        began = time.monotonic()
        assert gateway.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < 5.0
        eventually(lambda: listener.of("tidegate/g/status")[-1:] == [b"offline"], "offline")
    assert listener.of("tidegate/g/gap") == []
    about = json.loads(listener.of("tidegate/g/about")[-1])
    numbers = [
        json.loads(payload)["seq"]
        for device in ("cellar", "attic")
        for payload in listener.of(f"tidegate/g/{device}/data")
        if json.loads(payload)["epoch"] == about["previous"]["epoch"]
    ]
    assert max(numbers) <= about["previous"]["durable_seq"]
