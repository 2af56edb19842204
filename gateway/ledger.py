"""A row of the command ledger: an intent while it is open, a result when it is concluded. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.model import Command, Outcome, Result, Stamp

SELECT = (
    "select device, id, received, boot, boot_id, deadline, value, source, reply, outcome, result"
    " from ledger"
)


@dataclass(frozen=True, slots=True)
class Intent:
    """A command whose act was begun and whose end is not known: the process died in between."""

    command: Command
    deadline: float | None
    """Wall seconds after which it must not run any more."""


Row = tuple[
    str, str, float, float, str, float | None, str, str, str, str | None, str | None
]  # as in SELECT


def parse(row: Row, stamp: Stamp) -> Result | Intent:
    """stamp: of now, for what a result of an earlier run has none of."""
    device, command_id, wall, boot, boot_id, deadline, value, source, reply, outcome, result = row
    topic, correlation, *synchronised = json.loads(reply)
    if outcome is None:
        then = Stamp(wall, boot, boot_id, synchronised=synchronised == [True])
        command = Command(
            id=command_id,
            device=device,
            value=json.loads(value),
            received=then,
            expires=deadline,
            source=source,
            response_topic=topic,
            correlation=bytes.fromhex(correlation),
        )
        return Intent(command, deadline)
    reason, state = json.loads(result or '["", null]')
    return Result(
        id=command_id,
        device=device,
        stamp=stamp,
        outcome=Outcome(outcome),
        reason=reason,
        state=state,
        source=source,
        asked=json.loads(value),
    )
