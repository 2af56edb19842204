"""The promise, end to end: the broker is away, the gateway is killed meanwhile, and the account at
the far end closes."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Listener, Mosquitto, eventually
from tests.e2e.house import PATIENCE, Gateway, audit, configure, kept_on_disk

COMMIT_WINDOW = 0.5
RATE = 20
"""Readings a second, of two devices together."""
STOP = 15.0
"""Seconds that systemd gives it; 5 are enough where nothing else runs."""
OUTAGE = int(os.environ.get("TIDEGATE_OUTAGE", "4")) * RATE
"""Readings that are taken while the broker is away; the gateway is killed in the middle."""


@pytest.fixture
def lasting_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that keeps sessions over its own restart, as a consumer of worth has one."""
    options = ("persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0")
    mosquitto = Mosquitto(tmp_path, *options, "user root" if os.getuid() == 0 else "")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.mark.parametrize("store", ["sqlite", "ring"])
def test_killed_in_an_outage_nothing_is_missing_without_a_word(
    lasting_broker: Mosquitto, tmp_path: Path, store: str
) -> None:
    """Case 1, and 17 in small."""
    broker, state = lasting_broker, tmp_path / "state"
    config = configure(tmp_path, broker.url, store=store, rate=RATE, commit_every=COMMIT_WINDOW)
    gateway = Gateway(config)
    gateway.start()
    status, before = audit(broker, "--until-settled", "--for", str(PATIENCE))
    assert status == 0, before

    broker.stop()
    for count in (OUTAGE // 2, OUTAGE):
        eventually(lambda n=count: kept_on_disk(state, store) >= n, f"{count} on disk", PATIENCE)  # type: ignore[misc]
        if count < OUTAGE:
            gateway.end(signal.SIGKILL)
            gateway.start()
    broker.start()
    status, after = audit(broker, "--until-settled", "--for", str(PATIENCE))
    assert gateway.end(signal.SIGTERM) == 0
    assert status == 0, after
    assert after["missing"] == [], after
    explained = after["explained"]
    assert isinstance(explained, dict)
    # What the kill took is what had not been committed: a window's worth, and a margin for the
    # machine, which is not quiet.
    assert sum(explained.values()) <= RATE * COMMIT_WINDOW * 8, after
    received = after["received"]
    assert isinstance(received, int)
    assert received >= OUTAGE, after


def test_sigterm_leaves_nothing_behind(lasting_broker: Mosquitto, tmp_path: Path) -> None:
    """Case 2: in time, all at the broker or on disk, offline said, and no crash next time."""
    broker = lasting_broker
    config = configure(tmp_path, broker.url, store="ring", rate=RATE, commit_every=COMMIT_WINDOW)
    listener = Listener(broker.port, "tidegate/#")
    gateway = Gateway(config)
    for _ in range(2):
        gateway.start()
        eventually(lambda: listener.of("tidegate/g/status")[-1:] == [b"online"], "online", PATIENCE)
        there = len(listener.of("tidegate/g/cellar/data"))
        listener.wait_for("tidegate/g/cellar/data", there + RATE)
        began = time.monotonic()
        assert gateway.end(signal.SIGTERM) == 0
        assert time.monotonic() - began < STOP
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
