"""The gateway's own state, gathered for the `health` message: the effects are reads of /proc.

What this machine cannot tell is None, not zero.
"""

from __future__ import annotations

import os
from pathlib import Path

from gateway.codecs.base import HostHealth

THROTTLED = Path("sys/devices/platform/soc/soc:firmware/get_throttled")
"""Raspberry Pi firmware: bits 0 to 3 say what holds now, 16 to 19 what happened since boot."""
THERMAL = Path("sys/class/thermal/thermal_zone0/temp")


def host_health(state: Path, root: Path = Path("/")) -> HostHealth:
    """state: a path on the disk that holds the journal. root: where proc and sys are."""
    temperature = _number(root / THERMAL, 10)
    throttled = _number(root / THROTTLED, 16)
    memory = _meminfo(root / "proc/meminfo")
    return HostHealth(
        memory_used=_resident(root / "proc/self/statm"),
        memory_free=memory,
        disk_free=_disk_free(state),
        cpu_temperature=None if temperature is None else temperature / 1000,
        load=_load(root / "proc/loadavg"),
        throttled=None if throttled is None else bool(throttled & 0xF),
    )


def _disk_free(state: Path) -> int | None:
    """None where there is no such path: a disk that fails, or that was not mounted at the start."""
    try:
        disk = os.statvfs(state)
    except OSError:
        return None
    return disk.f_bavail * disk.f_frsize


def _text(path: Path) -> str:
    """A file of the kernel's; empty where this kernel or board has it not."""
    try:
        return path.read_text("ascii")
    except OSError:
        return ""


def _number(path: Path, base: int) -> int | None:
    text = _text(path).strip()
    return int(text, base) if text else None


def _load(path: Path) -> float | None:
    words = _text(path).split()
    return float(words[0]) if words else None


def _resident(path: Path) -> int | None:
    """Resident bytes of this process: the second field of statm is in pages (proc(5))."""
    words = _text(path).split()
    return int(words[1]) * os.sysconf("SC_PAGESIZE") if len(words) > 1 else None


def _meminfo(path: Path) -> int | None:
    """Bytes available to new work without swapping (proc(5), MemAvailable in KiB)."""
    for line in _text(path).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
