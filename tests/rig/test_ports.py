"""Serial ports of a real kernel: a UART and its settings, an FTDI adapter that is pulled out.

The guest has no package here, only the drivers: a port is tried, and a meter's driver on it.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.demo_player import telegrams
from tests.rig.conftest import METER, rig_modules

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT = 300

LISTEN = """\
import sys, time
sys.path.insert(0, "/src")
from drivers.base import BusMissing, Telegram
from drivers.ports import TtyPort
from drivers.serial.sml import Sml

meter = Sml(TtyPort(sys.argv[1]))

def until_heard(limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            meter.start()
            while time.monotonic() < end:
                if any(isinstance(one, Telegram) for one in meter.receive()):
                    return True
                time.sleep(0.05)
        except BusMissing as error:
            print("missing", flush=True)
            time.sleep(0.5)
    return False

def until_missing(limit):
    end = time.monotonic() + limit
    while time.monotonic() < end:
        try:
            meter.receive()
        except BusMissing:
            return True
        time.sleep(0.05)
    return False

print("heard" if until_heard(100) else "silent", flush=True)
if "unplug" in sys.argv:
    print("gone" if until_missing(100) else "still there", flush=True)
    print("heard again" if until_heard(100) else "silent", flush=True)
"""

SETTINGS = """\
import subprocess, sys
sys.path.insert(0, "/src")
from drivers.base import BusFault, LineSettings
from drivers.ports import TtyPort
port = TtyPort(sys.argv[1])
for line in (LineSettings(300, 7, "E"), LineSettings(2400, 8, "E"), LineSettings(115200)):
    port.open(line)
    told = subprocess.run(["stty", "-F", sys.argv[1]], capture_output=True, text=True)
    print(told.stdout.split("\\n")[0])
try:
    TtyPort(sys.argv[1]).open(LineSettings(9600))
except BusFault as error:
    print("in use" in str(error))
"""


@pytest.fixture(scope="module")
def guest() -> Iterator[Any]:
    rig, _ = rig_modules()
    with rig.Guest() as guest:
        guest.push(f"{CHECKOUT}")
        yield guest


@contextmanager
def speaking(name: str) -> Iterator[None]:
    """A recorded telegram four times a second at the far end of a line."""
    recorded = telegrams(METER.read_bytes())
    line = os.open(name, os.O_RDWR | os.O_NOCTTY)
    tty.setraw(line)
    stopping = threading.Event()

    def play() -> None:
        while not stopping.wait(0.25):
            try:
                os.write(line, recorded[0])
            except OSError:
                return  # the adapter is out

    thread = threading.Thread(target=play)
    thread.start()
    try:
        yield
    finally:
        stopping.set()
        thread.join()
        os.close(line)


def test_a_uart_takes_the_line_s_settings_and_is_locked(guest: Any) -> None:
    done = guest.run(["python3", "-c", SETTINGS, "/dev/rig/meter0"], check=True, timeout=LIMIT)
    speeds = [row.split(";")[0] for row in done.stdout.splitlines()]
    assert speeds == ["speed 300 baud", "speed 2400 baud", "speed 115200 baud", "True"]


def test_a_meter_on_a_uart_is_heard(guest: Any) -> None:
    with speaking(guest.serial("meter0")):
        done = guest.run(["python3", "-c", LISTEN, "/dev/rig/meter0"], check=True, timeout=LIMIT)
    assert done.stdout.split() == ["heard"]


def test_an_adapter_is_pulled_out_and_plugged_in_again(guest: Any) -> None:
    """By its stable name, which the kernel gives again, whatever ttyUSB number it gets."""
    line = guest.plug_usb_serial()
    command = f"python3 -c {shlex.quote(LISTEN)} /dev/rig/usb-meter unplug"
    process = guest.popen(command, stdout=subprocess.PIPE, text=True)
    said = iter(process.stdout.readline, "")
    with speaking(line):
        assert "heard" in next(word for row in said if (word := row.strip()) != "missing")
    guest.unplug_usb_serial()
    assert next(said).strip() == "gone"
    with speaking(guest.plug_usb_serial()):
        assert next(word for row in said if (word := row.strip()) != "missing") == "heard again"
    assert process.wait(LIMIT) == 0
