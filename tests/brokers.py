"""mosquitto on a free loopback port: start, stop, kill, restart; and a client that listens."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.properties import Properties

from gateway.cli.demo_broker import free_port

PATIENCE = 45.0
"""Seconds that a test waits for something that takes milliseconds on a quiet machine."""


def eventually(condition: Callable[[], bool], what: str = "", within: float = PATIENCE) -> None:
    """Waits until the condition holds; fails with `what` when it does not come true."""
    deadline = time.monotonic() + within
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {within:g} s: {what or condition}")
        time.sleep(0.005)


def mosquitto_path() -> str | None:
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


class Mosquitto:
    """options: further lines of mosquitto.conf. With none, everybody may do everything."""

    def __init__(self, folder: Path, *options: str, anonymous: bool = True) -> None:
        program = mosquitto_path()
        if program is None:
            pytest.skip("mosquitto is not installed: apt-get install mosquitto")
        self.port = free_port()
        self._program = program
        self._config = folder / f"mosquitto-{self.port}.conf"
        self._log = folder / f"mosquitto-{self.port}.log"
        lines = [f"listener {self.port} 127.0.0.1", *options]
        if anonymous:
            lines.append("allow_anonymous true")
        self._config.write_text("\n".join(lines) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def configure(self, *options: str) -> None:
        """More lines of mosquitto.conf, for the next start."""
        with self._config.open("a") as config:
            config.writelines(f"{option}\n" for option in options)

    def configure_acl(self, *rules: str) -> None:
        path = self._config.with_suffix(".acl")
        path.write_text("\n".join(rules) + "\n")
        self.configure(f"acl_file {path}", *(["user root"] if os.getuid() == 0 else []))

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self._log.read_text("utf-8", "replace")

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "-v", "-c", str(self._config)], stdout=log, stderr=log
            )
        eventually(self._listening, "mosquitto listens")

    def _listening(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self, with_signal: int = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is None:
            return

        def ended() -> bool:
            # Again and again: mosquitto 2.0.11 forgets a signal that comes while it starts.
            process.send_signal(signal.SIGCONT)
            process.send_signal(with_signal)
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                return False
            return True

        eventually(ended, "mosquitto ends")

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running mosquitto with sessions and retained messages in memory."""
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


class Listener:
    """Subscribes to everything, and publishes. messages: all that came, in order."""

    def __init__(
        self,
        port: int,
        topic: str = "#",
        username: str = "",
        password: str = "",
        qos: int = 1,
        version: MQTTProtocolVersion = MQTTProtocolVersion.MQTTv5,
    ) -> None:
        self.messages: list[paho.MQTTMessage] = []
        self._subscribed: queue.SimpleQueue[bool] = queue.SimpleQueue()
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)

        def connected(*_: Any) -> None:
            client.subscribe(topic, qos)

        client.on_connect = connected
        client.on_subscribe = lambda *_: self._subscribed.put(True)
        client.on_message = lambda _, __, message: self.messages.append(message)
        if username:
            client.username_pw_set(username, password)
        client.connect("127.0.0.1", port)
        client.loop_start()
        self.client = client
        self._subscribed.get(timeout=PATIENCE)

    def of(self, topic: str) -> list[bytes]:
        """Payloads of one topic, or of those below it when it ends in a slash."""
        return [
            bytes(message.payload)
            for message in list(self.messages)
            if message.topic == topic or (topic.endswith("/") and message.topic.startswith(topic))
        ]

    def wait_for(self, topic: str, count: int = 1) -> list[bytes]:
        eventually(lambda: len(self.of(topic)) >= count, f"{count} messages of {topic}")
        return self.of(topic)

    def publish(
        self,
        topic: str,
        payload: bytes | str,
        qos: int = 1,
        retain: bool = False,
        properties: Properties | None = None,
    ) -> None:
        self.client.publish(topic, payload, qos, retain, properties).wait_for_publish(PATIENCE)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    client = Listener(broker.port)
    yield client
    client.close()
