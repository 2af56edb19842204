"""What the bench's subscriber makes of Tidegate's messages: [(sequence number, when due)].

It runs in the bench's own Python, so it knows the message contract (docs/messages.md) and nothing
of the product.
"""

from __future__ import annotations

import json
import zlib
from datetime import datetime
from itertools import accumulate

MS = 1_000_000
"""Nanoseconds."""


def decode(topic: bytes, payload: bytes) -> list[tuple[int, int]]:
    """Readings of `data` and `history` topics; everything else holds none."""
    if topic.endswith(b"/data"):
        return [_live(payload)]
    if topic.endswith(b"/history"):
        return _history(payload)
    return []


def _live(payload: bytes) -> tuple[int, int]:
    """Searched rather than parsed: the subscriber shares two cores with the gateway."""
    number = payload.index(b'"number":') + 9
    due = payload.index(b'"due":') + 6
    return int(payload[number : payload.index(b",", number)]), int(
        payload[due : payload.index(b",", due)]
    )


def _history(payload: bytes) -> list[tuple[int, int]]:
    rows = []
    for series in json.loads(zlib.decompress(payload))["series"]:
        values, epoch = series["values"], series["epoch"]
        order = [(epoch, number) for number in accumulate(series["seq"])]
        due = values.get("due") or [ms * MS for ms in accumulate(series["time"])]
        rows += zip(order, values["number"], due, strict=True)
    return [(number, due) for _, number, due in sorted(rows)]


def lean(topic: bytes, payload: bytes) -> list[tuple[int, int]]:
    """As `decode`, of the adapter that has the reading's own time as the sample's."""
    if not topic.endswith(b"/data"):
        return decode(topic, payload)
    time = payload.index(b'"time":') + 8
    number = payload.index(b'"number":') + 9
    return [(int(payload[number : payload.index(b",", number)]), _ns(payload[time : time + 24]))]


def lean_msgpack(topic: bytes, payload: bytes) -> list[tuple[int, int]]:
    """The same in MessagePack, of one by one: a text of 24 bytes, and an integer."""
    if not topic.endswith(b"/data"):
        return []
    time = payload.index(b"\xa4time\xb8") + 6
    number = payload.index(b"\xa6number") + 7
    first = payload[number]
    size = {0xCC: 1, 0xCD: 2, 0xCE: 4}.get(first, 0)
    value = int.from_bytes(payload[number + 1 : number + 1 + size]) if size else first
    return [(value, _ns(payload[time : time + 24]))]


def _ns(text: bytes) -> int:
    return round(datetime.fromisoformat(text.decode()).timestamp() * 1000) * MS
