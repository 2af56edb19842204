"""The warning before the queue is full, of a real gateway and as the far end sees it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from drivers.base import Reading
from gateway.cli import local_page
from gateway.cli.demo_broker import free_port
from gateway.journal_disk import RealDisk
from gateway.journal_open import open_ring
from gateway.model import Entry, Key, Klass, Sample, Stamp
from gateway.outbox_shelf import to_record
from tests.brokers import Listener, Mosquitto, eventually
from tests.e2e.house import PATIENCE, SIZE, configure
from tests.e2e.test_status import tidegate

ALARM = "tidegate/g/alarm/outbox_full"


def fill(state: Path, share: float) -> None:
    """A ring as an outage of an earlier run left it."""
    ring = open_ring(RealDisk(state / "journal"), SIZE, 0, lambda _: None)
    whole, seq = ring.usage().room, 0
    while ring.usage().room > (1 - share) * whole:
        group = []
        for _ in range(100):
            seq += 1
            stamp = Stamp(1795442400.0 + seq, float(seq), "0badcafe", True)
            sample = Sample("attic", stamp, (Reading("temperature", 20.0), Reading("humidity", 50)))
            group.append(to_record(Entry(Key(1, seq), Klass.TELEMETRY, sample)))
        ring.append(group)
    ring.close()


def alarms(listener: Listener) -> list[str]:
    return [json.loads(payload)["state"] for payload in listener.of(ALARM)]


def outbox(state: Path) -> dict[str, Any]:
    """What the running gateway says of it; nothing before it answers."""
    try:
        found: dict[str, Any] = local_page.status(state / "status.sock")["outbox"]
    except local_page.NoAnswer:
        return {}
    return found


class Logged:
    """A gateway whose log is read when it has ended."""

    def __init__(self, config: Path) -> None:
        command = [sys.executable, "-m", "gateway", "run", str(config)]
        self._log = config.with_suffix(".log")
        with self._log.open("wb") as file:
            self._process = subprocess.Popen(command, stderr=file)

    def end(self) -> list[str]:
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(PATIENCE) == 0
        return self._log.read_text().splitlines()


def test_case_13_a_queue_that_runs_full_is_told_and_cleared_when_it_drains(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    """A run without a broker warns; the next one has a broker, and delivers both."""
    state = tmp_path / "state"
    fill(state, 0.85)
    nowhere = f"mqtt://127.0.0.1:{free_port()}"
    gateway = Logged(configure(tmp_path, nowhere, store="ring", rate=20, commit_every=0.5))
    eventually(lambda: outbox(state).get("fill", 0.0) >= 0.8, "a queue that is filling", PATIENCE)
    eventually(lambda: outbox(state).get("last_seq", 0) > 40, "more readings", PATIENCE)
    shown = tidegate("status", "--socket", str(state / "status.sock")).stdout
    assert "% FULL: when it is full, old readings go" in shown, shown
    warnings = [line for line in gateway.end() if "of the queue is used" in line]
    assert len(warnings) == 1, warnings
    assert "old readings are thinned out" in warnings[0]
    assert "MiB (8" in warnings[0]

    gateway = Logged(configure(tmp_path, broker.url, store="ring", rate=20, commit_every=0.5))
    listener.wait_for(ALARM, 2)
    gateway.end()
    assert alarms(listener) == ["raised", "cleared"]
