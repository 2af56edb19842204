"""Readings that come in parts are put together: what the dialect plain spreads over its topics."""

from __future__ import annotations

from gateway.cli.consumer import Arrived
from gateway.cli.messages import Fact, Numbered, Part, read

HELD = 10_000
"""Incomplete readings that are waited for; when there are more, the oldest is given up, and an
audit will miss its number."""


class Assembler:
    """Messages to facts, as `messages.read`, but an entry in parts is one fact when all are here.

    A part without a number is passed on as it is: nobody can say what it belongs to.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._open: dict[tuple[str, str, int, int], dict[str, Part]] = {}

    def read(self, event: Arrived) -> list[Fact]:
        found = read(self._root, event.topic, event.payload, event.retained, event.user)
        return [whole for fact in found if (whole := self._whole(fact)) is not None]

    def _whole(self, fact: Fact) -> Fact | None:
        if not isinstance(fact, Part) or fact.number is None:
            return fact
        key = (fact.gateway, fact.device, *fact.number)
        parts = self._open.setdefault(key, {})
        parts[fact.channel] = fact
        if len(parts) < fact.parts:
            if len(self._open) > HELD:
                del self._open[next(iter(self._open))]
            return None
        del self._open[key]
        fields = {name: value for part in parts.values() for name, value in part.fields.items()}
        return Numbered(
            fact.gateway, fact.device, fact.kind, "live", *fact.number, fact.retained, fields
        )
