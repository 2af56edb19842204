"""An MQTT client for the command line: it hears messages, and may send one.

Everything that paho's thread tells is put into one queue, so a verb is a plain loop.
"""

from __future__ import annotations

import queue
import ssl
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.cli.login import Login
from gateway.link import tls

CONNECT_TIMEOUT = 10.0
"""Seconds for the first connection, with its subscriptions."""
SESSION_EXPIRY = 7 * 24 * 3600
"""Seconds for which a broker keeps what a durable consumer has not fetched."""
UNSUPPORTED_PROTOCOL_VERSION = 0x84
PROTOCOLS = {
    "auto": (MQTTProtocolVersion.MQTTv5, MQTTProtocolVersion.MQTTv311),
    "5": (MQTTProtocolVersion.MQTTv5,),
    "3.1.1": (MQTTProtocolVersion.MQTTv311,),
}


class Unreachable(Exception):
    """The first connection failed; the message says where and why."""


class Refused(Unreachable):
    """The broker answered, with a refusal."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message, and when it came by the monotonic clock."""

    topic: str
    payload: bytes
    retained: bool
    at: float
    correlation: bytes = b""
    user: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Connected:
    """Connected and subscribed. resumed: the broker kept our session, so nothing was missed."""

    resumed: bool


@dataclass(frozen=True, slots=True)
class Gone:
    """The connection is lost; it is tried again until close."""

    reason: str


Event: TypeAlias = Arrived | Connected | Gone


@dataclass(slots=True)
class Consumer:
    """Subscribes to filters at QoS 1. client_id "": a random one and a session that ends with us;
    else a durable session under that name.
    """

    login: Login
    filters: Sequence[str]
    client_id: str = ""
    _events: queue.SimpleQueue[Event] = field(default_factory=queue.SimpleQueue)
    _first_events: deque[Event] = field(default_factory=deque)
    _client: paho.Client | None = None
    _resumed: bool = False

    def connect(self, timeout: float = CONNECT_TIMEOUT) -> None:
        """Returns when the broker has confirmed the subscriptions. Unreachable."""
        versions = PROTOCOLS[self.login.protocol]
        for version in versions:
            try:
                self._first(version, time.monotonic() + timeout)
            except Refused:
                raise
            except Unreachable:
                # A broker that knows no MQTT 5 often just hangs up.
                if version is versions[-1]:
                    raise
            else:
                return

    def _first(self, version: MQTTProtocolVersion, deadline: float) -> None:
        self._events = queue.SimpleQueue()
        client = self._client = self._make(version)
        where = self.login.endpoint.url
        try:
            client.connect(
                self.login.endpoint.host,
                self.login.endpoint.port,
                clean_start=not self.client_id
                if version == 5
                else paho.MQTT_CLEAN_START_FIRST_ONLY,
                properties=self._session(version),
            )
        except ssl.SSLError as error:
            reason = tls.explain(error, self.login.endpoint.host, lambda: time.strftime("%c"))
            raise Refused(f"{where}: {reason}") from None
        except (OSError, ValueError) as error:
            raise Refused(f"{where}: {getattr(error, 'strerror', None) or error}") from None
        client.loop_start()
        try:
            self._await_first(where, deadline)
        except Unreachable:
            self.close()
            raise

    def _await_first(self, where: str, deadline: float) -> None:
        while True:
            try:
                event = self._events.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise Unreachable(f"{where}: no answer to MQTT's CONNECT") from None
            if isinstance(event, Gone):
                break
            # A durable session's backlog may come before the SUBACK.
            self._first_events.append(event)
            if isinstance(event, Connected):
                return
        if event.reason.startswith("refused"):
            raise Refused(f"{where}: {event.reason}")
        raise Unreachable(f"{where}: {event.reason}")

    def _make(self, version: MQTTProtocolVersion) -> paho.Client:
        endpoint = self.login.endpoint
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=self.client_id,
            clean_session=None if version == 5 else not self.client_id,
            protocol=version,
            transport=endpoint.transport,
        )
        if self.login.username:
            client.username_pw_set(self.login.username, self.login.password)
        if endpoint.tls:
            client.tls_set_context(tls.Trust(self.login.files).context())
        if endpoint.transport == "websockets":
            client.ws_set_options(endpoint.path)
        client.reconnect_delay_set(1, 30)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_message = self._on_message
        return client

    def _session(self, version: MQTTProtocolVersion) -> Properties | None:
        if version != MQTTProtocolVersion.MQTTv5:
            return None
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = SESSION_EXPIRY if self.client_id else 0
        return properties

    # Called in paho's thread: they put into the queue and do nothing else.

    def _on_connect(
        self, client: paho.Client, user: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        if reason.is_failure:
            word = "cannot" if reason.value == UNSUPPORTED_PROTOCOL_VERSION else "refused"
            self._events.put(Gone(f"{word}: {reason}"))
            return
        self._resumed = bool(flags.session_present)
        client.subscribe([(name, 1) for name in self.filters])

    def _on_subscribe(
        self, client: paho.Client, user: Any, mid: int, reasons: list[ReasonCode], properties: Any
    ) -> None:
        refused = [name for name, r in zip(self.filters, reasons, strict=False) if r.is_failure]
        if refused:
            self._events.put(Gone(f"refused: subscription to {', '.join(refused)}"))
        else:
            self._events.put(Connected(self._resumed))

    def _on_disconnect(
        self, client: paho.Client, user: Any, flags: Any, reason: ReasonCode, properties: Any
    ) -> None:
        self._events.put(Gone(f"the connection was closed ({reason})"))

    def _on_message(self, client: paho.Client, user: Any, message: paho.MQTTMessage) -> None:
        properties = message.properties
        self._events.put(
            Arrived(
                message.topic,
                bytes(message.payload),
                message.retain,
                time.monotonic(),
                getattr(properties, "CorrelationData", b""),
                dict(getattr(properties, "UserProperty", ())),
            )
        )

    def publish(self, topic: str, payload: bytes, properties: Properties | None = None) -> None:
        """At QoS 1. MQTT 5 properties are left out over 3.1.1."""
        assert self._client is not None, "connect first"
        self._client.publish(topic, payload, 1, properties=properties if self.mqtt5 else None)

    def refusal(self, topic: str, payload: bytes, seconds: float) -> str | None:
        """Publishes at QoS 1; why the broker does not take it, "" if it does, None where it does
        not say: over MQTT 3.1.1, or in time."""
        assert self._client is not None, "connect first"
        reasons: queue.SimpleQueue[ReasonCode] = queue.SimpleQueue()

        def published(client: Any, user: Any, mid: int, reason: ReasonCode, rest: Any) -> None:
            reasons.put(reason)

        self._client.on_publish = published
        self.publish(topic, payload)
        try:
            reason = reasons.get(timeout=seconds)
        except queue.Empty:
            return None
        if not self.mqtt5:
            return None
        return str(reason) if reason.is_failure else ""

    @property
    def mqtt5(self) -> bool:
        return self._client is not None and self._client.protocol == MQTTProtocolVersion.MQTTv5

    def events(self, seconds: float) -> Iterator[Event]:
        """What comes within so many seconds; ends when they are over."""
        deadline = time.monotonic() + seconds
        while self._first_events:
            yield self._first_events.popleft()
        while (left := deadline - time.monotonic()) > 0:
            try:
                yield self._events.get(timeout=left)
            except queue.Empty:
                return

    def close(self) -> None:
        if self._client is not None:
            self._client.disconnect()
            self._client.loop_stop()
            self._client = None
