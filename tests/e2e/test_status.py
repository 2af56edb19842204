"""`tidegate status` beside a gateway that runs, while no broker is there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import local_page
from gateway.cli.demo_broker import free_port
from tests.brokers import PATIENCE, eventually

CONFIG = """
[gateway]
id = "g"
state = "{state}"

[upstream]
url = "mqtt://127.0.0.1:{port}"

[outbox]
size = "4MiB"

[[device]]
name = "machine"
driver = "host"
interval = "200ms"

[[bus]]
name = "none"
kind = "i2c"
device = "/dev/i2c-99"

[[device]]
name = "attic"
driver = "bme280"
bus = "none"
"""


def tidegate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gateway.toml"
    path.write_text(CONFIG.format(state=tmp_path / "state", port=free_port()))
    return path


def test_status_shows_the_queue_without_a_broker(config: Path, tmp_path: Path) -> None:
    nobody = tidegate("status", str(config))
    assert nobody.returncode == 1
    assert "no gateway answers here" in nobody.stderr
    gateway = subprocess.Popen([sys.executable, "-m", "gateway", "run", str(config)])
    try:
        document = _with_readings(tmp_path / "state" / "status.sock")
        books = document["outbox"]
        balance = books["accepted"] + sum(books["dropped"].values()) + books["kept"]
        assert books["recorded"] + books["inherited"] == balance + books["shelved"]
        assert document["devices"]["attic"]["online"] is False
        assert "/dev/i2c-99 does not exist" in document["devices"]["attic"]["reason"]
        shown = tidegate("status", str(config))
        assert shown.returncode == 1  # it is offline
        assert "OFFLINE" in shown.stdout
        assert json.loads(tidegate("status", str(config), "--json").stdout)["gateway"] == "g"
        second = tidegate("run", str(config))
        assert second.returncode == 78
        assert "in use by another gateway" in second.stderr
    finally:
        gateway.send_signal(signal.SIGTERM)
        assert gateway.wait(PATIENCE) == 0


def _with_readings(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def ready() -> bool:
        try:
            found.update(local_page.status(path))
        except local_page.NoAnswer:
            return False
        return found["outbox"]["kept"] > 0 and found["devices"]["attic"]["online"] is False

    eventually(ready)
    return found
