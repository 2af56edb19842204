"""What we listen to: asked for at every connection, and what is refused once more now and then."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

AGAIN = 300.0
"""Seconds until a refused subscription is tried again: rights are given while we are connected."""
COMMANDS: Any = {"retainHandling": 2, "retainAsPublished": True}
"""A retained command is not even sent, and one that is retained just now says so (3.8.3.1)."""


class Subscriber(Protocol):
    def subscribe(self, topic: Any) -> object: ...


class Subscriptions:
    """denied: filters that the broker refuses, and the reason codes. Times: monotonic seconds."""

    def __init__(self, filters: Sequence[tuple[str, int]], mqtt5: bool) -> None:
        self._filters = dict(filters)
        self._five = mqtt5
        self._asked: list[str] = []
        self._again = float("inf")
        self.denied: dict[str, int] = {}

    def ask(self, client: Subscriber) -> bool:
        """For all, or for what was denied so far. False if there is nothing to ask for."""
        self._again = float("inf")
        self._asked = [topic for topic in self._filters if not self.denied or topic in self.denied]
        if not self._asked:
            return False
        wanted = [(topic, self._filters[topic]) for topic in self._asked]
        if self._five:
            client.subscribe([(topic, SubscribeOptions(qos, **COMMANDS)) for topic, qos in wanted])
        else:
            client.subscribe(wanted)
        return True

    def answered(self, reasons: Sequence[ReasonCode], now: float) -> bool:
        """A SUBACK. False if it is none for what was asked last."""
        if len(reasons) != len(self._asked):
            return False
        answers = zip(self._asked, reasons, strict=True)
        self.denied = {topic: reason.value for topic, reason in answers if reason.is_failure}
        self._again = now + AGAIN if self.denied else float("inf")
        return True

    def due(self, now: float) -> bool:
        """What was denied is to be asked for again."""
        return now >= self._again
