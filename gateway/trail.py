"""The line of the log for one decision: who, what, verdict, reason. Pure.

The same is an entry of the outbox, durable and numbered; this is the copy for who sits at the
machine. It is JSON in ASCII, so nothing that came over the network can begin a line, forge a field
or move a terminal's cursor.
"""

from __future__ import annotations

import json

from gateway.model import Result

LONGEST = 200
"""Characters of a text that go into the log."""


def line(result: Result) -> str:
    fields = {
        "who": result.source,
        "device": result.device or "-",
        "value": _short(result.asked),
        "id": result.id,
        "verdict": result.outcome.value,
        "reason": _short(result.reason),
    }
    return json.dumps({name: value for name, value in fields.items() if value not in ("", None)})


def _short(value: object) -> object:
    return value[:LONGEST] if isinstance(value, str) else value
