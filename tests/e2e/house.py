"""A real daemon for the tests: started, killed, and judged from the far end by `tidegate audit`."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

from gateway.journal import JournalFault
from gateway.journal_disk import RealDisk
from gateway.journal_open import open_ring
from tests.brokers import Mosquitto

PATIENCE = 60.0
"""Seconds for what takes a second or two on a quiet machine."""

SIZE = 4 << 20

CONFIG = """
[gateway]
id = "g"
state = "{state}"
health_every = "1s"

[upstream]
url = "{url}"

[outbox]
commit_every = {commit_every}
store = "{store}"
size = {size}

[[bus]]
name = "i2c"
kind = "simulated-i2c"
chips = ["bme280@0x76", "bme280@0x77"]

[[device]]
name = "cellar"
driver = "bme280"
bus = "i2c"
interval = {interval}
address = 0x76

[[device]]
name = "attic"
driver = "bme280"
bus = "i2c"
interval = {interval}
address = 0x77
"""


def configure(
    folder: Path,
    url: str,
    *,
    store: str,
    rate: float,
    commit_every: float,
    state: Path | None = None,
) -> Path:
    """A configuration file for two devices; rate: readings a second of both together."""
    path = folder / "gateway.toml"
    values = {"state": state or folder / "state", "url": url, "store": store, "size": SIZE}
    path.write_text(CONFIG.format(**values, interval=2 / rate, commit_every=commit_every))
    return path


class Gateway:
    def __init__(self, config: Path) -> None:
        self._config = config
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gateway", "run", str(self._config)]
        self._process = subprocess.Popen(command)

    def end(self, number: signal.Signals) -> int:
        """The exit status; as minus the signal's number where that ended it."""
        assert self._process is not None
        self._process.send_signal(number)
        return self._process.wait(PATIENCE)

    def kill(self) -> None:
        """If it runs at all."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE)

    @property
    def status(self) -> int | None:
        """None while it runs."""
        assert self._process is not None
        return self._process.poll()


def audit(broker: Mosquitto, *options: str) -> tuple[int, dict[str, object]]:
    """Exit status and the last account of `tidegate audit`, which goes on in the same session."""
    command = [sys.executable, "-m", "gateway", "audit", "--url", broker.url, "--json"]
    command += ["--gateway", "g", "--session", "audit", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert lines, done.stderr
    return done.returncode, json.loads(lines[-1])


def kept_on_disk(state: Path, store: str) -> int:
    """Entries in the journal of a gateway, which may be running; 0 before it is there."""
    try:
        if store == "ring":
            return open_ring(RealDisk(state / "journal"), SIZE, 0, lambda _: None).usage().kept
        with sqlite3.connect(f"file:{state / 'journal.db'}?mode=ro", uri=True) as db:
            (count,) = db.execute("select count(*) from record").fetchone()
        return int(count)
    except (JournalFault, OSError, sqlite3.OperationalError):
        return 0
