"""Faults of a real network, in namespaces of its own: vanishing packets, missing families.

Needs root, ip and iptables; skipped elsewhere. Nothing of the machine's own network is touched.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from tests.brokers import PATIENCE, eventually
from tests.gateway.link.parts import LinkRig, sample
from tests.scripted_broker import ScriptedBroker

T = TypeVar("T")

CLONE_NEWNET = 0x40000000
"""setns(2)."""


def run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


class Island:
    """A namespace that is joined to this machine's by one cable. here and there: the addresses."""

    def __init__(self) -> None:
        number = os.getpid()
        self.name, self.cable, far = f"tg{number}", f"tg{number}a", f"tg{number}b"
        net = f"10.{number % 200 + 20}.{number // 200 % 250}"
        self.here, self.there = f"{net}.1", f"{net}.2"
        self.there6 = f"fd{number % 256:02x}:{number // 256 % 65536:x}::2"
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", self.cable, "type", "veth", "peer", "name", far)
        run("ip", "link", "set", far, "netns", self.name)
        self.far = far
        for where, cable, last in (((), self.cable, "1"), (("-n", self.name), far, "2")):
            run("ip", *where, "addr", "add", f"{net}.{last}/30", "dev", cable)
            six = self.there6[:-1] + last + "/64"
            run("ip", *where, "-6", "addr", "add", six, "dev", cable, "nodad")
            run("ip", *where, "link", "set", cable, "up")

    def inside(self, make: Callable[[], T]) -> T:
        """Calls it in a thread that lives there: sockets stay where they were made, and so do the
        threads that it starts."""
        made: list[T] = []
        failed: list[BaseException] = []

        def work() -> None:
            try:
                with open(f"/run/netns/{self.name}") as namespace:
                    if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                made.append(make())
            except BaseException as error:
                failed.append(error)
                raise

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert not failed, failed
        return made[0]

    def filter(self, *rule: str) -> None:
        """A rule of iptables, at the far end."""
        run("ip", "netns", "exec", self.name, "iptables", *rule)

    def remove(self) -> None:
        run("ip", "link", "del", self.cable)
        run("ip", "netns", "del", self.name)


@pytest.fixture
def island() -> Iterator[Island]:
    if os.getuid() != 0 or not (shutil.which("ip") and shutil.which("iptables")):
        pytest.skip("needs root, ip and iptables")
    try:
        made = Island()
    except subprocess.CalledProcessError as error:
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    yield made
    made.remove()


@pytest.fixture
def far(island: Island) -> Iterator[ScriptedBroker]:
    with island.inside(lambda: ScriptedBroker(host=island.there)) as broker:
        yield broker


def test_packets_that_vanish_are_noticed_by_the_kernel(
    island: Island, far: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P12, case 19: TCP_USER_TIMEOUT, long before any deadline of ours; 10 s outside of tests."""
    monkeypatch.setattr("gateway.link.connector.USER_TIMEOUT", 2.0)
    with LinkRig(far.url, insecure=True, ack_timeout=300) as rig:
        eventually(lambda: rig.settled)
        island.filter("-I", "INPUT", "-j", "DROP")
        began = time.monotonic()
        key = rig.outbox.append(sample())
        eventually(lambda: not rig.up)
        assert "nothing that was sent has arrived" in rig.link.status().reason
        assert time.monotonic() - began > 1.5
        island.filter("-F", "INPUT")
        eventually(lambda: rig.outbox.done == [key])


def test_a_silent_line_that_is_gone_is_noticed_by_the_kernel(
    island: Island, far: ScriptedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P12, case 19: idle, with nothing on its way and no ping due; 11 s outside of tests."""
    monkeypatch.setattr("gateway.link.connector.USER_TIMEOUT", 2.0)
    monkeypatch.setattr("gateway.link.connector.PROBE_AFTER", 1)
    monkeypatch.setattr("gateway.link.wire.PROBE_AGAIN", 1)
    with LinkRig(far.url, insecure=True) as rig:
        # The keep-alive is by a clock that stands still.
        now = rig.clock.monotonic()
        monkeypatch.setattr(rig.clock, "monotonic", lambda: now)
        eventually(lambda: rig.settled)
        island.filter("-I", "INPUT", "-j", "DROP")
        eventually(lambda: not rig.up)
        assert "nothing that was sent has arrived" in rig.link.status().reason
        assert far.pings == 0
        island.filter("-F", "INPUT")
        monkeypatch.undo()
        eventually(lambda: rig.up)


def test_every_third_packet_is_lost(island: Island, far: ScriptedBroker) -> None:
    """Slow, and nothing else: TCP sends again, and no deadline is missed."""
    island.filter(
        "-I", "INPUT", "-m", "statistic", "--mode", "random", "--probability", "0.3", "-j", "DROP"
    )
    with LinkRig(far.url, insecure=True, history_batch=0, ack_timeout=60) as rig:
        keys = [rig.outbox.append(sample(value)) for value in range(200)]
        eventually(lambda: sorted(rig.outbox.done) == keys)
        island.filter("-F", "INPUT")


def test_a_thin_line(island: Island, far: ScriptedBroker) -> None:
    """Case 20: bytes that leave slowly are progress; a deadline shorter than the queue is kept."""
    if shutil.which("tc") is None:
        pytest.skip("needs tc")
    shape = ("root", "tbf", "rate", "160kbit", "burst", "4kb", "latency", "200ms")
    run("tc", "qdisc", "add", "dev", island.cable, *shape)
    with LinkRig(far.url, insecure=True, history_batch=0, ack_timeout=5, window=500) as rig:
        eventually(lambda: rig.settled)
        keys = [rig.outbox.append(sample(value, device="d" * 60)) for value in range(500)]
        eventually(lambda: sorted(rig.outbox.done) == keys)
        assert rig.link.status().drops == 0


def test_a_network_of_ipv6_alone(island: Island) -> None:
    """Case 30: the IPv4 addresses are taken away; the broker is found by the other."""
    run("ip", "addr", "del", f"{island.here}/30", "dev", island.cable)
    broker = island.inside(lambda: ScriptedBroker(family=socket.AF_INET6, host=island.there6))
    with broker, LinkRig(broker.url, insecure=True) as rig:
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])
    with LinkRig(f"mqtt://{island.there}:{broker.port}", insecure=True) as rig:
        eventually(lambda: rig.link.status().reason not in ("", "not connected yet"))
        assert not rig.up


def test_no_network_at_all(island: Island) -> None:
    """Case 30: in a place without any route it is said which kind of network is missing."""
    for host, family in (("192.0.2.1", "IPv4"), ("[2001:db8::1]", "IPv6")):
        rig = LinkRig(f"mqtt://{host}:1883", insecure=True)
        island.inside(rig.start)
        words = f"this machine has no {family} network now"
        eventually(lambda: words in rig.link.status().reason)  # noqa: B023
        assert rig.link.stop(PATIENCE)


def test_a_cable_that_is_pulled_and_put_back(island: Island, far: ScriptedBroker) -> None:
    """Case 18: the interface goes down and comes up; what was recorded meanwhile arrives."""
    with LinkRig(far.url, insecure=True) as rig:
        eventually(lambda: rig.settled)
        for number in range(3):
            run("ip", "link", "set", island.cable, "down")
            rig.outbox.append(sample(number))
            rig.until(lambda: not rig.up)
            run("ip", "link", "set", island.cable, "up")
            rig.until(lambda: not rig.outbox.kept)
        assert len(rig.outbox.done) == 3
