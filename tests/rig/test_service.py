"""The service on a real kernel under a real systemd: it works, and it comes back by itself.

The tests are one story on one machine, in this order; the audit at the far end runs through all of
it and closes the account at the end. TIDEGATE_CUTS: how often the plug is pulled (default 2).
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from drivers.simulated.bme280 import Bme280
from gateway.version import VERSION
from tests.brokers import Listener, Mosquitto
from tests.rig.conftest import CHECKOUT, Audit, Board, BoardChip, Meter, install, rig_modules

CUTS = int(os.environ.get("TIDEGATE_CUTS", "2"))
EXPOSURE = 1.6
MEMORY = 36 << 20
WATCHDOG = "/etc/systemd/system.conf.d/tidegate-watchdog.conf"


@pytest.fixture(scope="module")
def audit(far_end: Mosquitto) -> Iterator[Audit]:
    audit = Audit(far_end)
    yield audit
    audit.kill()


@pytest.fixture(scope="module")
def board(package: Path, far_end: Mosquitto, audit: Audit) -> Iterator[Board]:
    rig, i2cbus = rig_modules()
    chip = BoardChip(Bme280(temperature=lambda: 21.5), i2cbus.Nak)
    meter = Meter()
    with i2cbus.I2CBus({0x76: chip}) as bus, rig.Guest() as guest:
        board = Board(guest, bus, meter, far_end)
        board.wire()
        install(board, package, "ring")
        yield board
        meter.close()


def fresh(consumer: Listener, device: str = "climate") -> float:
    """Seconds until a reading comes that was not there."""
    topic = f"tidegate/rig/{device}/data"
    began, known = time.monotonic(), len(consumer.of(topic))
    consumer.wait_for(topic, known + 1)
    return time.monotonic() - began


def switch_on(board: Board) -> None:
    board.wait(lambda: board.send("relay", "on").get("outcome") == "done", "the relay goes on")
    assert board.relay() == 1


def test_readings_of_every_bus_arrive(board: Board, consumer: Listener) -> None:
    for device in ("climate", "meter", "machine"):
        consumer.wait_for(f"tidegate/rig/{device}/data", 2)
    assert b'"temperature":21.5' in consumer.of("tidegate/rig/climate/data")[-1]


def test_a_command_moves_the_line_and_is_read_back(board: Board) -> None:
    assert board.relay() == 0
    switch_on(board)
    assert board.send("relay", "off")["state"] is False
    assert board.relay() == 0


def test_it_is_closed_and_small(
    board: Board, record_property: Callable[[str, object], None]
) -> None:
    said = board.run("systemd-analyze security tidegate --no-pager | tail -1")
    exposure = float(said.split("tidegate.service:")[1].split()[0])
    assert exposure <= EXPOSURE
    listening = board.run("ss -Hltnp")
    assert "tidegate" not in listening
    assert "python" not in listening
    used = board.status()["host"]["memory_used"]
    record_property("exposure", exposure)
    record_property("memory", used)
    print(f"exposure {exposure}, resident {used / 1024:.0f} KiB")
    assert used <= MEMORY


def test_killed_with_an_output_on(board: Board, consumer: Listener) -> None:
    switch_on(board)
    restarts = int(board.show("NRestarts"))
    board.run("systemctl kill -s KILL tidegate")
    print(f"off after {board.wait(lambda: board.relay() == 0, 'the relay goes off'):.1f} s")
    board.wait(lambda: int(board.show("NRestarts")) > restarts, "systemd starts it again")
    fresh(consumer)


def test_hung_with_an_output_on(board: Board, consumer: Listener) -> None:
    switch_on(board)
    board.run("kill -STOP $(systemctl show tidegate -P MainPID)")
    print(f"off after {board.wait(lambda: board.relay() == 0, 'the relay goes off', 180):.1f} s")
    fresh(consumer)
    assert "Watchdog timeout" in board.run("journalctl -u tidegate --no-pager | grep Watchdog")


def test_the_cable_is_pulled_and_put_in_again(board: Board, consumer: Listener) -> None:
    board.guest.link(False)
    board.wait(lambda: board.status().get("link", {}).get("connected") is False, "it is offline")
    board.guest.link(True)
    consumer.wait_for("tidegate/rig/history")


def test_a_kernel_that_hangs_is_reset(board: Board, consumer: Listener) -> None:
    switch_on(board)
    boots = board.guest.console_log.read_bytes().count(b"RIG-READY")
    # systemd freezes, as the kernel would, and feeds no watchdog. On a machine that is busy enough
    # the watchdog has bitten before that: it is not asked how the commands ended.
    board.guest.run(
        f"mkdir -p {Path(WATCHDOG).parent} && cp /usr/share/tidegate/watchdog.conf {WATCHDOG} && "
        "sync && systemctl daemon-reexec; kill -SEGV 1"
    )

    def reset() -> bool:
        board.guest.qmp("query-status")
        return any(event["event"] == "WATCHDOG" for event in board.guest.qmp.events)

    print(f"reset after {board.wait(reset, 'the watchdog bites'):.0f} s")
    board.guest._end_ssh()
    board.guest.wait_ready(boots + 1)
    # What follows is about other things, and an emulated machine may stand still for a while.
    board.run(f"rm {WATCHDOG}; systemctl daemon-reexec")
    assert board.relay() == 0
    board.wire()
    fresh(consumer)


@pytest.mark.parametrize("seed", range(CUTS))
def test_the_plug_is_pulled(board: Board, consumer: Listener, seed: int) -> None:
    switch_on(board)
    time.sleep(random.Random(seed).uniform(0.0, 5.0))
    began = time.monotonic()
    board.cut_and_boot()
    assert board.relay() == 0
    fresh(consumer)
    print(f"boot to the first publication {time.monotonic() - began:.0f} s")
    assert board.show("ActiveState") == "active"


def test_the_account_at_the_far_end_closes(board: Board, consumer: Listener, audit: Audit) -> None:
    """Whatever was done to it above."""
    fresh(consumer)
    board.run("systemctl stop tidegate")
    board.run("systemctl start tidegate")
    fresh(consumer)
    board.wait(lambda: board.status().get("outbox", {}).get("kept") == 0, "the queue is empty")
    status, account = audit.end()
    print(account)
    assert status == 0, account


def test_upgrade_downgrade_and_purge(board: Board, package: Path, consumer: Listener) -> None:
    newer = package.with_name("tidegate_9.9.9_all.deb")
    build = [sys.executable, str(CHECKOUT / "deploy/debian/build.py")]
    subprocess.run([*build, "--version", "9.9.9", "--output", str(package.parent)], check=True)
    board.guest.push(package.parent, "/package")
    config = board.run("sha256sum /etc/tidegate/gateway.toml")
    for file, version in ((newer, "9.9.9"), (package, VERSION)):
        board.run(f"dpkg -i /package/{file.name}", timeout=300)
        assert f"Version: {version}" in board.run("dpkg -s tidegate")
        fresh(consumer)
    assert board.run("sha256sum /etc/tidegate/gateway.toml") == config
    # The guest leaves documentation out: what the package says of itself, and the byte code.
    said = board.run("dpkg-query -f '${Installed-Size}' -W tidegate")
    compiled = board.run("find /usr/lib/tidegate -name '*.pyc' -exec du -k {} +").split()[::2]
    size = int(said) + sum(map(int, compiled))
    print(f"installed {size / 1024:.1f} MiB with byte code")
    assert size <= 60 * 1024
    board.run("dpkg --remove tidegate", timeout=300)
    assert board.guest.run("systemctl is-active tidegate").stdout.strip() != "active"
    assert board.relay() == 0
    board.run("test -f /etc/tidegate/gateway.toml && test -d /var/lib/tidegate")
    board.run("dpkg --purge tidegate", timeout=300)
    board.run(
        "! test -e /var/lib/tidegate && ! test -e /etc/tidegate && ! test -e /usr/lib/tidegate"
    )
