"""Signed commands and a wipe, on the real daemon and a real broker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import wiping
from tests.brokers import Listener, Mosquitto, eventually
from tests.e2e.house import PATIENCE

PATIENTLY = ("--timeout", "45")

CONFIG = """
[gateway]
id = "g"
state = "{folder}/state"
allow = ["lock", "unlock", "wipe"]
signed_by = ["admin"]

[upstream]
url = "{url}"
username = "g"
password_file = "{folder}/password"

[outbox]
size = "4MiB"

[[bus]]
name = "pins"
kind = "gpio"
device = "mock"

[[device]]
name = "pump"
driver = "relay"
bus = "pins"
pin = 17
signed_by = ["operator"]

[[device]]
name = "lamp"
driver = "dimmer"
bus = "pins"
pin = 18
"""


def tidegate(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


@pytest.fixture
def keys(tmp_path: Path) -> dict[str, str]:
    """Role to private key's file; the configuration is in gateway.toml beside them."""
    return {role: str(tmp_path / f"{role}.key") for role in ("operator", "admin")}


@pytest.fixture
def daemon(
    tmp_path: Path, broker: Mosquitto, listener: Listener, keys: dict[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    text = CONFIG.format(folder=tmp_path, url=broker.url)
    for role, file in keys.items():
        text += tidegate("keygen", f"the-{role}", "--out", file, "--role", role).stdout
    (tmp_path / "password").write_text("x")
    config = tmp_path / "gateway.toml"
    config.write_text(text)
    process = subprocess.Popen([sys.executable, "-m", "gateway", "run", str(config)])
    try:
        listener.wait_for("tidegate/g/pump/state")
        listener.wait_for("tidegate/g/session")
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def last(listener: Listener, topic: str) -> dict[str, Any]:
    return dict(json.loads(listener.of(topic)[-1]))


def test_who_signs_commands_and_who_does_not_is_refused(
    daemon: subprocess.Popen[bytes],
    broker: Mosquitto,
    listener: Listener,
    keys: dict[str, str],
    tmp_path: Path,
) -> None:
    def send(device: str, value: str, *more: str) -> tuple[int, str]:
        done = tidegate("send", "g", device, value, "--url", broker.url, *PATIENTLY, *more)
        return done.returncode, (done.stdout + done.stderr).strip()

    assert send("pump", "on") == (3, "pump: refused (only a signed command is taken here)")
    assert send("pump", "on", "--key", keys["operator"]) == (0, "pump: done, now on")
    status, said = send("pump", "off", "--key", keys["admin"])
    assert (status, said) == (3, "pump: refused (the-admin may not: it takes one of operator)")
    assert send("lamp", "40") == (0, "lamp: done, now 40")
    assert send("lamp", "140")[0] == 3

    recorded = bytes(listener.of("tidegate/g/pump/set")[1])  # the signed one, as it went by
    listener.publish("tidegate/g/pump/set", recorded)
    listener.wait_for("tidegate/g/pump/result", 4)
    acted = [json.loads(payload) for payload in listener.of("tidegate/g/pump/state")]
    assert [state["value"] for state in acted][-1] is True
    results = [json.loads(payload) for payload in listener.of("tidegate/g/pump/result")]
    assert results[1]["source"] == "mqtt the-operator"
    assert results[3]["id"] == results[1]["id"]

    assert send("-", "wipe g", "--key", keys["operator"])[0] == 3
    status, said = send("-", "wipe g", "--key", keys["admin"])
    assert (status, said.split(" (")[0]) == (0, "g: done")
    assert daemon.wait(PATIENCE) == 78
    assert [path.name for path in (tmp_path / "state").iterdir()] == [wiping.WIPED]
    assert not (tmp_path / "password").exists()
    eventually(lambda: last(listener, "tidegate/g/pump/state")["cause"] in ("lock", "stop"))
    assert last(listener, "tidegate/g/pump/state")["value"] is False
    again = tidegate("run", str(tmp_path / "gateway.toml"))
    assert again.returncode == 78
