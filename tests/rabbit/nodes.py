"""RabbitMQ with its MQTT plug-in, as Debian has it: nodes of our own on loopback, by hand.

Nothing of it touches an installed service: every node has its own folder, ports and name, and all
of them an epmd of their own. Nothing of it outlives the tests, however these end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import pytest

from gateway.cli.demo_broker import free_port
from tests.brokers import eventually

READY = 300.0
"""Seconds until a node speaks MQTT: 5 to 23 on a quiet machine of two cores."""
HOST = "127.0.0.1"
ROOTS = (Path(sys.prefix, "rabbitmq"), Path("/"))
"""Where it may be: unpacked by `make rabbitmq`, or installed."""
ERLANG = "usr/lib/erlang"
# "localhost" is known without the machine's help: a bare root file system has no /etc/hosts.
NAMES = '{lookup, [file, native]}.\n{host, {127,0,0,1}, ["localhost"]}.\n'
# Everything that it started goes when its standard input ends, and so when the tests are killed.
GUARD = 'exec 3<&0 </dev/null; { cat <&3 >/dev/null; kill -KILL 0; } & exec "$@" 3<&-'


def root() -> Path:
    """The folder with usr/lib/rabbitmq and usr/lib/erlang."""
    found = [one for one in ROOTS if _versions(one) and (one / ERLANG / "bin/epmd").exists()]
    if not found:
        pytest.fail("there is no RabbitMQ: make rabbitmq")
    version = _versions(found[0])[-1].name.partition("-")[2]
    if not version.startswith("3."):
        pytest.skip(f"RabbitMQ {version}: these tests are for 3, which mirrors queues")
    return found[0]


def _versions(folder: Path) -> list[Path]:
    return sorted((folder / "usr/lib/rabbitmq/lib").glob("rabbitmq_server-*"))


def scripts() -> Path:
    """Where the server's own scripts are; the wrappers in /usr/sbin change to another user."""
    return _versions(root())[-1] / "sbin"


def erlang() -> dict[str, str]:
    """An environment in which its programs are found."""
    folder = root() / ERLANG
    path = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "ERL_ROOTDIR": str(folder)}


def guarded(
    command: Sequence[str], environment: Mapping[str, str], log: int | IO[bytes]
) -> subprocess.Popen[bytes]:
    """In a process group of its own."""
    return subprocess.Popen(
        ["sh", "-c", GUARD, "sh", *command],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        start_new_session=True,
    )


def end(process: subprocess.Popen[bytes]) -> None:
    """At once and without a word, with everything that it started."""
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(60)
    assert process.stdin is not None
    process.stdin.close()


def listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex((HOST, port)) == 0


class Epmd:
    """Erlang's port mapper, on a port of its own so that no other one is disturbed."""

    def __init__(self) -> None:
        self.port = free_port()
        own = {"ERL_EPMD_PORT": str(self.port), "ERL_EPMD_ADDRESS": HOST}
        self.environment: Mapping[str, str] = {**erlang(), **own}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it listens: a node that finds none would leave a daemon behind."""
        self._process = guarded(["epmd"], self.environment, subprocess.DEVNULL)
        eventually(lambda: listens(self.port), "epmd listens", 60)

    def names(self) -> str:
        """What it knows of nodes that run."""
        command = ["epmd", "-names"]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        ).stdout

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)


class Node:
    """One node. `folder` is shared by the nodes of a cluster: the cookie is in it. joins: a node
    that runs, whose cluster it is to join when it starts; one after the other, for three that start
    at once find no leader for the plug-in's record of client ids."""

    def __init__(
        self, epmd: Epmd, folder: Path, number: int = 1, joins: Node | None = None
    ) -> None:
        self.name = f"tide{number}-{epmd.port}@localhost"
        self.port = free_port()
        self._scripts = scripts()
        self._epmd = epmd
        self._own = folder / f"node{number}"
        self._config = self._own / "rabbit.conf"
        self._process: subprocess.Popen[bytes] | None = None
        self._environment = self._prepare(epmd, folder)
        if joins is not None:
            with self._config.open("a") as config:
                config.write(
                    "cluster_formation.peer_discovery_backend = classic_config\n"
                    f"cluster_formation.classic_config.nodes.1 = {joins.name}\n"
                )

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
        names = self._own / "inetrc"
        names.write_text(NAMES)
        self._config.write_text(
            f"mqtt.listeners.tcp.1 = {HOST}:{self.port}\n"
            "mqtt.allow_anonymous = true\n"
            "mqtt.default_user = guest\n"
            "mqtt.default_pass = guest\n"
            "cluster_partition_handling = ignore\n"
            "log.file.level = warning\n"
        )
        return {
            **epmd.environment,
            "HOME": str(folder),
            "ERL_INETRC": str(names),
            "ERL_CRASH_DUMP": str(self._own / "erl_crash.dump"),
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_PORT": str(free_port()),
            "RABBITMQ_NODE_IP_ADDRESS": HOST,
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._own / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._own),
            "RABBITMQ_PID_FILE": str(self._own / "pid"),
            "RABBITMQ_CONFIG_FILE": str(self._config),
            "RABBITMQ_CONF_ENV_FILE": os.devnull,
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            # The server is this process then, not a child of a script that waits for it.
            "RABBITMQ_ALLOW_INPUT": "1",
            # One scheduler that does not spin: the tests' machine has other work.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "-noinput -kernel inet_dist_use_interface {127,0,0,1} +S 1:1 +sbwt none"
            ),
        }

    def start(self) -> None:
        """Begins to start; `await_ready` waits for the end of it."""
        command = [str(self._scripts / "rabbitmq-server")]
        with (self._own / "console.log").open("ab") as log:
            self._process = guarded(command, self._environment, log)

    def await_ready(self) -> None:
        deadline = time.monotonic() + READY
        while not self.listening:
            assert self._process is not None
            assert self._process.poll() is None, self.log
            assert time.monotonic() < deadline, f"RabbitMQ is not ready: {self.log}"
            time.sleep(0.1)

    @property
    def listening(self) -> bool:
        return listens(self.port)

    def control(self, *arguments: str) -> str:
        """rabbitmqctl for this node."""
        command = [str(self._scripts / "rabbitmqctl"), "-n", self.name, *arguments]
        done = subprocess.run(
            command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=READY,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}\n{self.log}"
        return done.stdout

    def kill(self) -> None:
        """At once and without a word, with everything that it started; returns when it is gone."""
        if self._process is None:
            return
        end(self._process)
        self._process = None
        name = self.name.partition("@")[0]
        eventually(
            lambda: not self.listening and name not in self._epmd.names(), "the node is gone", READY
        )
