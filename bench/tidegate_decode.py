"""What the bench's subscriber makes of Tidegate's messages: [(sequence number, when due)].

It runs in the bench's own Python, so it knows the message contract (docs/messages.md) and nothing
of the product.
"""

from __future__ import annotations

import json
import zlib


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
        values, number = series["values"], 0
        order = []
        for step in series["seq"]:
            number += step
            order.append((series["epoch"], number))
        rows += zip(order, values["number"], values["due"], strict=True)
    return [(number, due) for _, number, due in sorted(rows)]
