"""Time zones, with as little of the standard library in memory as they need."""

from __future__ import annotations

import os
from datetime import UTC, tzinfo
from pathlib import Path

LOCALTIME = Path("/etc/localtime")
DIRECTORIES = "/usr/share/zoneinfo:/usr/lib/zoneinfo:/usr/share/lib/zoneinfo:/etc/zoneinfo"
"""Where zoneinfo looks on Linux. It would ask sysconfig, which takes 200 kB for good."""


def zone_of(name: str) -> tzinfo:
    """`Europe/Berlin`; "" is the zone of this machine. KeyError, ValueError, OSError: no such."""
    os.environ.setdefault("PYTHONTZPATH", DIRECTORIES)
    import zoneinfo

    if name:
        return zoneinfo.ZoneInfo(name)
    try:
        with LOCALTIME.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file, key="localtime")
    except OSError:
        return UTC
