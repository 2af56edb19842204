"""What another gateway says of its devices, read without trust. Pure.

Loaded only where a rule listens to another gateway.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gateway.codecs import sniff
from gateway.codecs.base import Inbound
from gateway.codecs.commands import check_depth
from gateway.model import Heard, Key, Quality, Reading, Stamp

MAX_BYTES = 1 << 16
HEAD = frozenset({"epoch", "seq", "time", "clock"})
QUALITY = "_quality"


def parse(device: str, inbound: Inbound) -> Heard:
    """device: `gateway/device`. What cannot be read has no readings; nothing is raised."""
    nothing = Heard(device, Key(0, 0), inbound.received, ())
    if inbound.retain or len(inbound.payload) > MAX_BYTES:
        return nothing  # a gateway retains no data, so nobody knows how old that is
    try:
        check_depth(inbound.payload)
        fields = sniff.loads(inbound.payload)
        if not isinstance(fields, Mapping):
            return nothing
        key = Key(_whole(fields.get("epoch")), _whole(fields.get("seq")))
        wall = _wall(fields.get("time"))
    except (ValueError, OverflowError, OSError, RecursionError):
        return nothing
    stamp = Stamp(wall, 0.0, "", synchronised="clock" not in fields)
    return Heard(device, key, stamp, tuple(_readings(fields)))


def _whole(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("not a number of an entry")
    return value


def _wall(written: Any) -> float:
    moment = datetime.fromisoformat(str(written))
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment.timestamp()


def _readings(fields: Mapping[Any, Any]) -> list[Reading]:
    found = []
    for name, value in fields.items():
        if not isinstance(name, str) or name in HEAD or name.endswith(QUALITY):
            continue
        quality = fields.get(name + QUALITY, Quality.GOOD.value)
        usable = isinstance(value, bool | int | str) or (
            isinstance(value, float) and math.isfinite(value)
        )
        good = usable and quality == Quality.GOOD.value
        found.append(
            Reading(name, value if usable else None, Quality.GOOD if good else Quality.BAD)
        )
    return found
