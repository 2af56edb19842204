"""What on this machine stands in the way of a configuration, each with the command that mends it.

Everything is read below `root`, so that tests can make a machine up; nothing is written.
"""

from __future__ import annotations

import importlib.util
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.header import clashes, uses
from gateway.config_wiring import chain
from gateway.settings import BusSettings, Settings

OK, WARN, FAIL = "ok", "warn", "FAIL"

STRETCHING = {"scd30": "30 ms"}
"""Drivers whose chips hold the clock; the controller of a Pi before the Pi 5 does not wait."""

FREE_AT_LEAST = 64 << 20
UNDER_VOLTAGE_SINCE_START, UNDER_VOLTAGE = 0x10000, 0x1


@dataclass(frozen=True, slots=True)
class Finding:
    """level: ok, warn or FAIL; mend: the command or the line that mends it, "" for none."""

    level: str
    what: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where things are: a root to look below, and questions that tests answer themselves."""

    root: Path = Path("/")
    access: Callable[[str, int], bool] = os.access
    has_library: Callable[[str], bool] = lambda name: importlib.util.find_spec(name) is not None
    synchronised: Callable[[], bool] | None = None

    def path(self, absolute: str) -> Path:
        return self.root / absolute.lstrip("/")

    def text(self, absolute: str) -> str:
        """ "" where it cannot be read."""
        try:
            return self.path(absolute).read_text(errors="replace").strip("\0\n ")
        except OSError:
            return ""


def machine_findings(settings: Settings, machine: Machine) -> Iterator[Finding]:
    for sentence in clashes(uses(settings)):
        yield Finding(FAIL, sentence, "give one of them another pin: tidegate wiring")
    for bus in settings.bus:
        yield from _bus(bus, machine)
    yield from _chips(settings, machine)
    yield from _one_wire(settings, machine)
    yield from _clock(machine)
    yield from _disk(settings, machine)
    yield from _supply(machine)


_ENABLE = {
    "i2c": "sudo raspi-config nonint do_i2c 0",
    "spi": "sudo raspi-config nonint do_spi 0",
    "serial": "ls /dev/serial/by-id",
    "gpio": "uname -r   # a kernel with GPIO controllers",
}
_GROUPS = {"i2c": "i2c", "spi": "spi", "serial": "dialout", "gpio": "gpio"}
_LIBRARIES = {"spi": ("spidev", "python3-spidev"), "gpio": ("lgpio", "python3-lgpio")}


def _bus(bus: BusSettings, machine: Machine) -> Iterator[Finding]:
    device = bus.device
    if bus.kind == "gpio":
        device = device if device.startswith("/dev/") else "/dev/gpiochip0"
    if bus.kind not in _GROUPS or bus.device == "mock" or "://" in device:
        return
    what = f"bus {bus.name}: {device}"
    library, package = _LIBRARIES.get(bus.kind, ("", ""))
    if library and not machine.has_library(library):
        yield Finding(FAIL, f"{what} needs the library {library}", f"sudo apt install {package}")
    if not machine.path(device).exists():
        mend = _ENABLE[bus.kind]
        if bus.kind == "i2c" and not device.endswith("-1"):
            mend = "dtoverlay=i2c-gpio,bus=N,... in /boot/firmware/config.txt, or plug it in"
        yield Finding(FAIL, f"{what} does not exist", mend)
    elif not machine.access(str(machine.path(device)), os.R_OK | os.W_OK):
        mend = f"sudo adduser $USER {_GROUPS[bus.kind]}   # then log in again"
        yield Finding(FAIL, f"{what}: no permission", mend)
    else:
        yield Finding(OK, what)
    if bus.kind == "serial" and re.search(r"(serial0|ttyAMA0|ttyS0)$", device):
        yield from _console(what, machine)


def _console(what: str, machine: Machine) -> Iterator[Finding]:
    if re.search(r"console=(serial0|ttyAMA0|ttyS0)", machine.text("/proc/cmdline")):
        mend = "sudo raspi-config nonint do_serial_cons 1 && sudo reboot"
        yield Finding(FAIL, f"{what}: the kernel's console talks on it", mend)


def _chips(settings: Settings, machine: Machine) -> Iterator[Finding]:
    """Addresses that a kernel driver has, and chips that hold the clock."""
    named = {bus.name: bus for bus in settings.bus}
    pi5 = "Raspberry Pi 5" in machine.text("/proc/device-tree/model")
    for device in settings.device:
        bus = named.get(device.bus)
        adapter = None if bus is None else chain(bus, named)[-1]
        if bus is None or adapter is None or adapter.kind != "i2c":
            continue
        number = adapter.device.rpartition("-")[2]
        address = device.options.get("address")
        if bus is adapter and isinstance(address, int):
            owner = machine.path(f"/sys/bus/i2c/devices/{number}-{address:04x}/driver")
            if owner.exists():
                name = owner.resolve().name
                yield Finding(
                    FAIL,
                    f"{device.name}: the kernel's driver {name} has 0x{address:02x}",
                    f'take its dtoverlay out of config.txt, or use driver = "iio" ({name})',
                )
        if device.driver in STRETCHING and number in ("0", "1") and not pi5:
            yield Finding(
                WARN,
                f"{device.name}: this chip holds the clock for {STRETCHING[device.driver]}, and "
                "the Pi's own controller does not wait",
                "dtoverlay=i2c-gpio,bus=3,i2c_gpio_sda=23,i2c_gpio_scl=24 in config.txt",
            )


def _one_wire(settings: Settings, machine: Machine) -> Iterator[Finding]:
    addresses = [
        (device.name, device.options["address"])
        for device in settings.device
        if device.driver in ("ds18b20", "ds2413", "ds2413_output")
    ]
    folder = machine.path("/sys/bus/w1/devices")
    if addresses and not folder.is_dir():
        mend = "dtoverlay=w1-gpio in /boot/firmware/config.txt, then sudo reboot"
        yield Finding(FAIL, "1-Wire: the kernel has no such bus", mend)
        return
    for name, address in addresses:
        if (folder / address).is_dir():
            yield Finding(OK, f"{name}: {address} is on the 1-Wire bus")
        else:
            yield Finding(FAIL, f"{name}: {address} is not on the 1-Wire bus", "tidegate scan")


def _clock(machine: Machine) -> Iterator[Finding]:
    if machine.synchronised is not None:
        if machine.synchronised():
            yield Finding(OK, "the clock is synchronised")
        else:
            mend = "sudo timedatectl set-ntp true"
            yield Finding(WARN, "the clock is not synchronised: readings say so", mend)
    if not machine.path("/sys/class/rtc/rtc0").exists():
        what = (
            "no battery clock: after power-up the time is that of the last stop until NTP answers"
        )
        yield Finding(WARN, what, "hardware/ds3231.md; on a Pi 5 a battery at J5")


def _disk(settings: Settings, machine: Machine) -> Iterator[Finding]:
    state = machine.path(settings.gateway.state)
    there = next(path for path in (state, *state.parents) if path.exists())
    if state.exists() and not machine.access(str(state), os.W_OK | os.X_OK):
        mend = f"sudo chown $USER {settings.gateway.state}"
        yield Finding(FAIL, f"{settings.gateway.state} cannot be written by this user", mend)
    elif not state.exists() and not machine.access(str(there), os.W_OK | os.X_OK):
        mend = f"sudo install -d -o $USER {settings.gateway.state}"
        yield Finding(FAIL, f"{settings.gateway.state} does not exist and cannot be made", mend)
    free = os.statvfs(there)
    left, wanted = free.f_bavail * free.f_frsize, settings.outbox.size + FREE_AT_LEAST
    if left < wanted:
        what = f"{left >> 20} MiB are free for the journal of {settings.outbox.size >> 20} MiB"
        yield Finding(FAIL, what, "sudo apt clean; or a smaller size in [outbox]")
    else:
        yield Finding(OK, f"disk: {left >> 20} MiB are free at {settings.gateway.state}")


def _supply(machine: Machine) -> Iterator[Finding]:
    for path in machine.root.glob("sys/devices/platform/soc*/soc*firmware/get_throttled"):
        bits = int(path.read_text(), 16)
        if bits & (UNDER_VOLTAGE | UNDER_VOLTAGE_SINCE_START):
            when = "now" if bits & UNDER_VOLTAGE else "since the start"
            mend = "a supply of 5.1 V and 3 A (Pi 5: 5 A), and a short thick cable"
            yield Finding(WARN, f"the supply was too low {when}: cards die of it", mend)
        else:
            yield Finding(OK, "the supply was never too low since the start")
