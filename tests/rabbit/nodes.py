"""RabbitMQ with its MQTT plug-in, as Debian has it: nodes of our own on loopback, by hand.

Nothing of it touches an installed service: every node has its own folder, ports and name, and all
of them an epmd of their own.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.cli.demo_broker import free_port
from tests.brokers import eventually

READY = 120.0
"""Seconds until a node speaks MQTT: 13 to 23 on a quiet machine of two cores."""
HOST = "127.0.0.1"


def scripts() -> Path:
    """Where the server's own scripts are; the wrappers in /usr/sbin change to another user."""
    found = sorted(Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*/sbin"))
    if not found or shutil.which("epmd") is None:
        pytest.skip("RabbitMQ is not installed: apt-get install rabbitmq-server")
    return found[-1]


class Epmd:
    """Erlang's port mapper, on a port of its own so that no other one is disturbed."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        return {"ERL_EPMD_PORT": str(self.port), "ERL_EPMD_ADDRESS": HOST}

    def start(self) -> None:
        self._process = subprocess.Popen(["epmd"], env={**os.environ, **self.environment})

    def names(self) -> str:
        """What it knows of nodes that run."""
        environment = {**os.environ, **self.environment}
        command = ["epmd", "-names"]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=30, check=False
        ).stdout

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)


class Node:
    """One node. `folder` is shared by the nodes of a cluster: the cookie is in it."""

    def __init__(self, epmd: Epmd, folder: Path, number: int = 1) -> None:
        self.name = f"tide{number}-{epmd.port}@localhost"
        self.port = free_port()
        self._scripts = scripts()
        self._epmd = epmd
        self._own = folder / f"node{number}"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = self._prepare(epmd, folder)

    @property
    def url(self) -> str:
        return f"mqtt://{HOST}:{self.port}"

    @property
    def log(self) -> str:
        texts = [path.read_text("utf-8", "replace") for path in self._own.glob("*.log")]
        return "\n".join(text[-3000:] for text in texts)

    def _prepare(self, epmd: Epmd, folder: Path) -> Mapping[str, str]:
        self._own.mkdir()
        plugins = self._own / "plugins"
        plugins.write_text("[rabbitmq_mqtt].\n")
        (self._own / "rabbit.conf").write_text(
            f"mqtt.listeners.tcp.1 = {HOST}:{self.port}\n"
            "mqtt.allow_anonymous = true\n"
            "mqtt.default_user = guest\n"
            "mqtt.default_pass = guest\n"
            "cluster_partition_handling = ignore\n"
            "log.file.level = warning\n"
        )
        return {
            **os.environ,
            **epmd.environment,
            "HOME": str(folder),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_PORT": str(free_port()),
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._own / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._own),
            "RABBITMQ_PID_FILE": str(self._own / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self._own / "rabbit.conf"),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            # One scheduler that does not spin: the tests' machine has other work.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
            ),
        }

    def start(self) -> None:
        """Begins to start; `await_ready` waits for the end of it."""
        with (self._own / "console.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(self._scripts / "rabbitmq-server")],
                env=self._environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY
        while not self.listening:
            assert self._process is not None
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, f"RabbitMQ is not ready: {self.log}"
            time.sleep(0.1)

    @property
    def listening(self) -> bool:
        with socket.socket() as sock:
            return sock.connect_ex((HOST, self.port)) == 0

    def control(self, *arguments: str) -> str:
        """rabbitmqctl for this node."""
        command = [str(self._scripts / "rabbitmqctl"), "-n", self.name, *arguments]
        done = subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=READY,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.log}"
        return done.stdout

    def join(self, other: Node) -> None:
        """To a cluster, one node after the other: three that start at once find no leader for the
        plug-in's record of client ids."""
        for arguments in (["stop_app"], ["reset"], ["join_cluster", other.name], ["start_app"]):
            self.control(*arguments)

    def kill(self) -> None:
        """At once and without a word, with everything that it started; returns when it is gone."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        self._process = None
        name = self.name.partition("@")[0]
        eventually(
            lambda: not self.listening and name not in self._epmd.names(), "the node is gone", READY
        )
