"""SIGKILL at random moments, also of a start, while the broker comes and goes: the account at the
far end closes, and the gateway starts every time (traps.md, cases 1, 17 and 18).

`TIDEGATE_KILLS=1000` for a long run.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from gateway import crashes
from tests.brokers import Mosquitto
from tests.e2e.house import PATIENCE, Gateway, audit, configure

KILLS = int(os.environ.get("TIDEGATE_KILLS", "50"))
BATCH = 50
"""Kills with one broker and one audit: the audit's queue at the broker must not grow for ever."""
RATE = 50.0
COMMIT_WINDOW = 0.1


class Flapping:
    """A broker that keeps its sessions, and is there now and then."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        folder.mkdir()
        options = ("persistence true", f"persistence_location {folder}/", "max_queued_messages 0")
        self.broker = Mosquitto(folder, *options, "user root" if os.getuid() == 0 else "")
        self._rng = rng
        self._up = False

    def up(self, wanted: bool) -> None:
        if wanted != self._up:
            (self.broker.start if wanted else self.broker.stop)()
            self._up = wanted

    def flap(self) -> None:
        if self._rng.random() < 0.4:
            self.up(not self._up)
        if self._rng.random() < 0.2:
            self.up(False)
            self.up(True)


def kill_again_and_again(
    gateway: Gateway, state: Path, flapping: Flapping, rng: random.Random, kills: int, start: float
) -> int:
    """start: seconds that a start takes here. How many starts were refused."""
    refused = 0
    for _ in range(kills):
        flapping.flap()
        time.sleep(rng.uniform(0.2 * start, start + 0.6))
        refused += gateway.status is not None
        gateway.end(signal.SIGKILL)
        (state / crashes.FILE).unlink(missing_ok=True)  # safe mode would take no device up
        gateway.start()
    return refused


def batch(folder: Path, number: int, kills: int) -> Counter[str]:
    """One broker, one state directory for all batches."""
    rng = random.Random(number)
    flapping = Flapping(folder / f"broker-{number}", rng)
    flapping.up(True)
    broker, state = flapping.broker, folder / "state"
    config = configure(
        folder, broker.url, store="ring", rate=RATE, commit_every=COMMIT_WINDOW, state=state
    )
    gateway = Gateway(config)
    began = time.monotonic()
    gateway.start()
    try:
        status, account = audit(broker, "--until-settled", "--for", str(PATIENCE))
        assert status == 0, account
        start = min(5.0, (time.monotonic() - began) / 2)
        refused = kill_again_and_again(gateway, state, flapping, rng, kills, start)
        flapping.up(True)
        status, account = audit(broker, "--until-settled", "--for", str(2 * PATIENCE))
        assert gateway.end(signal.SIGTERM) == 0
    finally:
        gateway.kill()
        flapping.up(False)
    explained = account["explained"]
    assert isinstance(explained, dict)
    assert status == 0, account
    assert account["missing"] == [], account
    found = Counter({str(reason): int(count) for reason, count in explained.items()})
    found.update(refused=refused, kills=kills, received=int(str(account["received"])))
    return found


@pytest.mark.timeout(120 + 10 * KILLS)
def test_cases_1_and_18_killed_again_and_again(tmp_path: Path) -> None:
    total: Counter[str] = Counter()
    for number, first in enumerate(range(0, KILLS, BATCH)):
        total += batch(tmp_path, number, min(BATCH, KILLS - first))
        print(dict(total), flush=True)
    assert total["refused"] == 0
    assert total["received"] > KILLS
    # Only what a kill took before it was committed; nothing on disk was damaged or given up.
    assert total["crash"] <= KILLS * RATE * (COMMIT_WINDOW + 0.5), total
    assert set(total) <= {"crash", "kills", "received"}
