"""A new configuration by SIGHUP, and the safe mode after crashes, on the real daemon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gateway.cli import local_page
from gateway.crashes import LIMIT
from tests.brokers import Listener, Mosquitto, eventually
from tests.e2e.house import PATIENCE

CONFIG = """
[gateway]
id = "g"
state = "{state}"
description = "{description}"

[upstream]
url = "{url}"

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
{more}
[[device]]
name = "lamp"
driver = "relay"
bus = "pins"
pin = {lamp}
"""


class House:
    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.config = folder / "gateway.toml"
        self._state = folder / "state"
        self._broker = broker
        self.write()

    def write(self, description: str = "old", more: str = "", lamp: int = 27) -> None:
        text = CONFIG.format(state=self._state, url=self._broker.url, description=description,
                             more=more, lamp=lamp)  # fmt: skip
        self.config.write_text(text)

    def status(self) -> dict[str, Any]:
        try:
            return dict(local_page.status(self._state / "status.sock"))
        except local_page.NoAnswer:
            return {}

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        with self.starting() as process:
            eventually(lambda: self.status().get("link", {}).get("connected") is True)
            yield process

    @contextmanager
    def starting(self) -> Iterator[subprocess.Popen[str]]:
        command = [sys.executable, "-m", "gateway", "run", str(self.config)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(PATIENCE)


def states(listener: Listener, device: str) -> list[tuple[bool, str]]:
    messages = [json.loads(payload) for payload in listener.of(f"tidegate/g/{device}/state")]
    return [(message["value"], message["cause"]) for message in messages]


def switched_on(listener: Listener, device: str) -> None:
    listener.publish(f"tidegate/g/{device}/set", "ON")
    eventually(lambda: [value for value, _ in states(listener, device)][-1:] == [True])


def test_reload_takes_the_new_one_and_leaves_unchanged_outputs_alone(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    house = House(tmp_path, broker)
    with house.running() as process:
        for device in ("pump", "lamp"):
            switched_on(listener, device)
        epoch = house.status()["epoch"]
        house.write("new", lamp=22)
        process.send_signal(signal.SIGHUP)
        eventually(lambda: house.status().get("epoch", 0) > epoch, "it has started over")
        listener.wait_for("tidegate/g/about", 2)
        eventually(lambda: b'"description":"new"' in listener.of("tidegate/g/about")[-1])
        assert "stop" not in [cause for _, cause in states(listener, "pump")]
        eventually(lambda: "stop" in [cause for _, cause in states(listener, "lamp")])
        assert process.poll() is None


def test_a_bad_new_one_is_refused_and_the_old_one_runs_on(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    house = House(tmp_path, broker)
    with house.running() as process:
        epoch = house.status()["epoch"]
        house.write(more="pim = 4")
        process.send_signal(signal.SIGHUP)
        assert process.stderr is not None
        said = ""
        while "pim" not in said:
            line = process.stderr.readline()
            assert line, said
            said += line
        assert "the old one runs on" in said
        assert house.status()["epoch"] == epoch


def test_after_five_crashes_it_comes_up_without_devices(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    house = House(tmp_path, broker)
    for _ in range(LIMIT):
        with house.running() as process:
            os.kill(process.pid, signal.SIGKILL)
    with house.running():
        assert house.status()["devices"] == {}
        alarm = json.loads(listener.wait_for("tidegate/g/alarm/safe-mode")[-1])
        assert alarm["state"] == "raised"
        assert "5 crashes" in alarm["text"]
    with house.running():
        eventually(lambda: "pump" in house.status()["devices"])
        eventually(lambda: b"cleared" in listener.of("tidegate/g/alarm/safe-mode")[-1])
