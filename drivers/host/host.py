"""The machine itself: load, memory, disk, temperature, supply, Wi-Fi, clock, from /proc and /sys.

proc(5) for loadavg and meminfo, Documentation/ABI/testing/sysfs-class-thermal for the temperature.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from drivers.base import BusMissing, Channel, CorruptData, Option, Reading
from drivers.host import pi

CPU_ZONES = ("cpu-thermal", "cpu_thermal", "x86_pkg_temp", "acpitz")
"""Thermal zone types that mean the processor, the best first: Pi (new and old kernels), PC."""

THROTTLED = "sys/devices/platform/soc*/soc*firmware/get_throttled"
LIFE_TIME = "sys/block/mmcblk*/device/life_time"
"""Where the kernel shows them, on those machines and memories that have them."""


class Host:
    """Reads this machine. What it does not have (Wi-Fi, a CPU temperature) is left out."""

    channels: Sequence[Channel] = (
        Channel("load", "load", digits=2),
        Channel("memory", "ratio", digits=1),
        Channel("disk", "ratio", digits=1),
        Channel("cpu_temperature", "temperature", digits=1),
        Channel("under_voltage", "state"),
        Channel("throttled", "state"),
        Channel("wifi_signal", "signal_strength", digits=0),
        Channel("storage_worn", "ratio", digits=0),
        Channel("clock_synchronised", "state"),
        Channel("uptime", "duration", digits=0),
    )

    def __init__(
        self,
        *,
        disk: Annotated[str, Option("any path on the file system to watch")] = "/",
        root: Annotated[str, Option("where proc and sys are mounted, for use in a container")] = (
            "/"
        ),
    ) -> None:
        self._disk = disk
        self._root = Path(root)
        self._proc = Path(root, "proc")
        self._thermal = Path(root, "sys/class/thermal")
        self._zone: Path | None = None

    def start(self) -> None:
        self._zone = find_zone(self._thermal)

    def read(self) -> Sequence[Reading]:
        readings = [
            Reading("load", decode_load(_text(self._proc / "loadavg"))),
            Reading("memory", decode_memory(_text(self._proc / "meminfo"))),
            Reading("disk", disk_used(self._disk)),
        ]
        if self._zone is not None:
            readings.append(Reading("cpu_temperature", decode_thermal(_text(self._zone / "temp"))))
        return [*readings, *self._optional()]

    def _optional(self) -> Iterator[Reading]:
        throttled = _first(self._root, THROTTLED)
        if throttled is not None:
            for name, state in pi.decode_throttled(throttled).items():
                yield Reading(name, state)
        wireless = _first(self._root, "proc/net/wireless")
        signal = None if wireless is None else pi.decode_wireless(wireless)
        life_time = _first(self._root, LIFE_TIME)
        worn = None if life_time is None else pi.decode_life_time(life_time)
        uptime = _first(self._root, "proc/uptime")
        for name, value in (
            ("wifi_signal", signal),
            ("storage_worn", worn),
            ("clock_synchronised", pi.synchronised()),
            ("uptime", None if uptime is None else decode_uptime(uptime)),
        ):
            if value is not None:
                yield Reading(name, value)

    def close(self) -> None:
        pass


def decode_load(loadavg: str) -> float:
    """Runnable tasks, mean over one minute: `0.20 0.18 0.12 1/80 11206`."""
    try:
        return float(loadavg.split()[0])
    except (IndexError, ValueError) as error:
        raise CorruptData(f"loadavg reads {loadavg!r}") from error


def decode_uptime(uptime: str) -> float:
    """Seconds since the start: `350735.47 234388.90`."""
    try:
        return float(uptime.split()[0])
    except (IndexError, ValueError) as error:
        raise CorruptData(f"uptime reads {uptime!r}") from error


def decode_memory(meminfo: str) -> float:
    """Per cent of memory in use: what MemAvailable leaves of MemTotal."""
    fields = dict(line.split(":", 1) for line in meminfo.splitlines() if ":" in line)
    try:
        total, available = (int(fields[name].split()[0]) for name in ("MemTotal", "MemAvailable"))
        return 100 * (1 - available / total)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise CorruptData("meminfo has no usable MemTotal and MemAvailable") from error


def decode_thermal(temp: str) -> float:
    """°C from a zone's `temp`, which is in thousandths."""
    try:
        return int(temp) / 1000
    except ValueError as error:
        raise CorruptData(f"thermal zone reads {temp!r}") from error


def disk_used(path: str) -> float:
    """Per cent in use of what ordinary users may fill, as df prints it."""
    try:
        stat = os.statvfs(path)
    except FileNotFoundError as error:
        raise BusMissing(f"{path} does not exist") from error
    used = stat.f_blocks - stat.f_bfree
    return 100 * used / max(1, used + stat.f_bavail)


def find_zone(thermal: Path) -> Path | None:
    """The thermal zone of the processor; None where the kernel shows none."""
    zones = {_text(zone / "type").strip(): zone for zone in sorted(thermal.glob("thermal_zone*"))}
    known = (zones[name] for name in CPU_ZONES if name in zones)
    return next(known, next(iter(zones.values()), None))


def _first(root: Path, pattern: str) -> str | None:
    """The text of the first file there that can be read; None without one."""
    for path in sorted(root.glob(pattern)):
        try:
            return path.read_text()
        except OSError:
            continue  # the next one; a machine without any leaves the channel out
    return None


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except FileNotFoundError as error:
        raise BusMissing(f"{path} does not exist") from error


DRIVER = Host
