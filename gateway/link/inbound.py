"""Commands on their way in: from paho's message to the callback, and the acknowledgement back."""

from __future__ import annotations

import hashlib
import logging
import queue
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from paho.mqtt.client import MQTTMessage

from gateway.clock import Clock
from gateway.codecs.base import Dialect, Inbound
from gateway.link.flood import Flood
from gateway.model import Command, Heard, Result

log = logging.getLogger(__name__)

COMMANDS = ("/set", "/command")
"""How the topics end on which a flood may come; what others tell is not counted."""
REMEMBERED = 1000
"""Unacknowledged messages whose ids are kept, over connections."""


@dataclass(frozen=True, slots=True)
class AckToken:
    """Names one message of one connection. QoS 0 needs none, and acknowledging it does nothing."""

    connection: int
    mid: int
    qos: int


OnCommand = Callable[[Command | Result | Heard, AckToken], None]


class Acknowledging(Protocol):
    def acknowledge(self, mid: int, qos: int) -> None: ...


class Inbox:
    def __init__(self, dialect: Dialect, clock: Clock, on_command: OnCommand) -> None:
        self._dialect = dialect
        self._clock = clock
        self._on_command = on_command
        self._acks: queue.SimpleQueue[AckToken] = queue.SimpleQueue()
        self._ids: OrderedDict[int, tuple[bytes, str]] = OrderedDict()
        self._flood = Flood()
        self.connection = 0

    def received(self, message: MQTTMessage) -> None:
        """In the link's thread. What the callback does not acknowledge, the broker sends again."""
        token = AckToken(self.connection, message.mid, message.qos)
        if self._is_too_much(_topic(message)):
            self.acknowledge(token)
            return
        self._on_command(self._dialect.command(self._inbound(message)), token)

    def reads(self, topic: bytes) -> bool:
        """Before a message at QoS 0 is taken apart: whether anybody will look at it."""
        name, now = topic.decode("utf-8", "replace"), self._clock.monotonic()
        if not name.endswith(COMMANDS) or not self._flood.drops(name, now):
            return True
        self._tell_flood(now)
        return False

    def _is_too_much(self, topic: str) -> bool:
        now = self._clock.monotonic()
        if not topic.endswith(COMMANDS) or self._flood.passes(topic, now):
            return False
        self._tell_flood(now)
        return True

    def _tell_flood(self, now: float) -> None:
        report = self._flood.report(now)
        if report:
            log.warning("%s", report)

    def _inbound(self, message: MQTTMessage) -> Inbound:
        topic = _topic(message)
        message_id, known = self._id_of(message, topic)
        given = message.properties
        expiry = getattr(given, "MessageExpiryInterval", None)
        return Inbound(
            topic=topic,
            payload=bytes(message.payload),
            received=self._clock.stamp(),
            message_id=message_id,
            retain=message.retain,
            redelivered=message.dup and not known,
            expiry=expiry,
            response_topic=getattr(given, "ResponseTopic", ""),
            correlation=bytes(getattr(given, "CorrelationData", b"")),
        )

    def _id_of(self, message: MQTTMessage, topic: str) -> tuple[str, bool]:
        """An id for the message, and whether it was given before the message came again."""
        digest = hashlib.sha256(topic.encode() + b"\0" + bytes(message.payload)).digest()
        if message.dup and message.mid in self._ids:
            seen, known = self._ids[message.mid]
            if seen == digest:
                return known, True
        fresh = f"m-{secrets.token_hex(8)}"
        if message.qos > 0:
            self._ids[message.mid] = (digest, fresh)
            while len(self._ids) > REMEMBERED:
                self._ids.popitem(last=False)
        return fresh, False

    def acknowledge(self, token: AckToken) -> None:
        """From any thread; the PUBACK goes out with the link's next turn."""
        self._acks.put(token)

    def send_acks(self, connection: Acknowledging) -> None:
        while not self._acks.empty():
            token = self._acks.get()
            # That of an older connection is void: the broker has sent the message again.
            if token.connection == self.connection and token.qos > 0:
                connection.acknowledge(token.mid, token.qos)
                self._ids.pop(token.mid, None)


def _topic(message: MQTTMessage) -> str:
    try:
        return message.topic
    except UnicodeDecodeError:
        return ""
