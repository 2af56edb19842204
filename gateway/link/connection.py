"""One connection's life: CONNECT, SUBSCRIBE, then messages both ways until it is lost.

All of it runs in the link's thread. It decides nothing about what is sent: see sender.py.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from gateway.codecs.base import Publication
from gateway.link.client import MAX_PACKET, MQTT_5, WiredClient, properties
from gateway.link.hello import Hello, Limits, Lost
from gateway.link.reasons import BAD_VERSION, reason_text
from gateway.link.wire import Wire

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., None])

CONNACK_TIMEOUT = 5.0
SUBACK_TIMEOUT = 10.0
INBOUND_MAXIMUM = 50
"""Commands that the broker may send before the first is acknowledged (MQTT 5)."""
NO_RETAINED = 2
"""Retain handling: a retained command is not even sent (MQTT 5, 3.8.3.1)."""


class Connection:
    """answers: (message id, reason code) of publications, in order; the link empties it.

    on_message is called for each message that comes in, and must not raise.
    """

    def __init__(
        self,
        wire: Wire,
        hello: Hello,
        now: float,
        on_message: Callable[[MQTTMessage], None],
        on_bug: Callable[[str], None],
    ) -> None:
        self.answers: deque[tuple[int, int]] = deque()
        self.limits = Limits()
        self.open = False
        self.opened = now
        self.proven = False
        """The broker has acknowledged a publication."""
        self._wire = wire
        self._hello = hello
        self._on_message = on_message
        self._on_bug = on_bug
        self._lost: Lost | None = None
        self._waiting: tuple[str, float] | None = ("CONNECT", now + CONNACK_TIMEOUT)
        self._client = WiredClient(wire, hello.client_id, hello.protocol, hello.clean_session)
        self._prepare(self._client)
        self._client.connect(
            "wire",
            keepalive=hello.keepalive,
            # paho takes a bool beside its own constant for 3.1.1, and nothing else for 5.
            clean_start=hello.clean_session if hello.protocol == MQTT_5 else 3,
            properties=self._connect_properties(),
        )

    def _prepare(self, client: WiredClient) -> None:
        hello, will = self._hello, self._hello.will
        if hello.username:
            client.username_pw_set(hello.username, hello.password)
        client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._guard(self._connected)
        client.on_subscribe = self._guard(self._subscribed)
        client.on_publish = self._guard(self._published)
        client.on_message = self._guard(self._received)
        client.on_disconnect = self._guard(self._disconnected)
        # Without this callback paho would write each packet at once, inside publish().
        client.on_socket_register_write = _no_action

    def _guard(self, callback: F) -> Callable[..., None]:
        """An exception in a callback would end paho's loop: it is counted and logged here."""

        def guarded(*args: Any) -> None:
            try:
                callback(*args)
            except Exception as error:
                log.exception("a callback of the link failed")
                self._on_bug(f"{callback.__name__}: {error!r}")

        return guarded

    def _connect_properties(self) -> Properties | None:
        if self._hello.protocol != MQTT_5:
            return None
        given = properties(PacketTypes.CONNECT)
        if not self._hello.clean_session:
            given.SessionExpiryInterval = min(int(self._hello.session_expiry), 0xFFFFFFFF)
        given.ReceiveMaximum = INBOUND_MAXIMUM
        given.MaximumPacketSize = MAX_PACKET
        return given

    # Callbacks of paho, in the link's thread.

    def _connected(
        self, client: Any, userdata: Any, flags: ConnectFlags, reason: ReasonCode, given: Properties
    ) -> None:
        if reason.is_failure:
            self._lost = Lost(_words(reason, given), reason.value, by_broker=True, refused=True)
            return
        self.limits = Limits(
            receive_maximum=getattr(given, "ReceiveMaximum", None),
            packet_size=getattr(given, "MaximumPacketSize", None),
            qos=getattr(given, "MaximumQoS", 2),
            retain=bool(getattr(given, "RetainAvailable", 1)),
            wildcards=bool(getattr(given, "WildcardSubscriptionAvailable", 1)),
            client_id=getattr(given, "AssignedClientIdentifier", ""),
            session_present=flags.session_present,
        )
        self._subscribe()

    def _subscribe(self) -> None:
        filters: list[Any] = list(self._hello.filters)
        if not filters:
            self._waiting, self.open = None, True
            return
        if self._hello.protocol == MQTT_5:
            filters = [
                (topic, SubscribeOptions(qos, retainHandling=NO_RETAINED)) for topic, qos in filters
            ]
        self._client.subscribe(filters)
        self._waiting = ("SUBSCRIBE", self._waiting[1] + SUBACK_TIMEOUT if self._waiting else 0.0)

    def _subscribed(
        self, client: Any, userdata: Any, mid: int, reasons: list[ReasonCode], given: Properties
    ) -> None:
        for (topic, _), reason in zip(self._hello.filters, reasons, strict=False):
            if reason.is_failure:
                # Without commands the readings still are worth sending: told, not fatal.
                self._on_bug(f"the broker refuses the subscription to {topic}: {reason}")
        self._waiting, self.open = None, True

    def _published(
        self, client: Any, userdata: Any, mid: int, reason: ReasonCode, given: Properties
    ) -> None:
        self.proven = True
        self.answers.append((mid, reason.value))

    def _received(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        self._on_message(message)

    def _disconnected(
        self, client: Any, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, given: Any
    ) -> None:
        if self._lost is None and flags.is_disconnect_packet_from_server:
            code = reason.value if reason is not None else None
            self._lost = Lost(_words(reason, given), code, by_broker=True)

    # What the link does with it.

    def fileno(self) -> int:
        return self._wire.fileno()

    @property
    def wants_write(self) -> bool:
        return self._wire.unsent > 0 or self._client.want_write()

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._wire.unsent

    @property
    def sent(self) -> int:
        """Bytes of this connection, out."""
        return self._wire.sent

    @property
    def received(self) -> int:
        return self._wire.received

    def read(self) -> None:
        """Takes in all that has come. Lost."""
        while True:
            code = self._client.loop_read()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._lost is not None:
                raise self._ended(code)
            if self._client.announced_length > MAX_PACKET:
                raise Lost(f"the broker sent a packet of {self._client.announced_length} bytes")
            if not self._wire.unread:
                return

    def write(self) -> None:
        """Sends what waits, in one go. Lost."""
        self._client.loop_write()
        try:
            self._wire.flush()
        except OSError as error:
            raise Lost(f"the connection broke: {error}") from error

    def tick(self, now: float) -> None:
        """Keep-alive and deadlines. Lost."""
        if self._waiting is not None and now > self._waiting[1]:
            what = self._waiting[0]
            raise Lost(f"the broker does not answer {what}", refused=what == "CONNECT")
        if self._client.loop_misc() != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise Lost("the broker does not answer pings")

    def publish(self, publication: Publication, qos: int, wall: float) -> int | None:
        """Queues one message; its id, or None when paho would not take it: it is still ours."""
        info = self._client.publish(
            publication.topic,
            publication.payload,
            qos,
            publication.retain and self.limits.retain,
            self._properties(publication, wall),
        )
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def _properties(self, publication: Publication, wall: float) -> Properties | None:
        p = publication
        if self._hello.protocol != MQTT_5:
            return None
        if not (p.expires or p.correlation or p.content_type or p.user):
            return None  # packing even an empty set takes longer than the rest of publish()
        given = properties(PacketTypes.PUBLISH)
        if p.expires:
            given.MessageExpiryInterval = max(1, min(int(p.expires - wall), 0xFFFFFFFF))
        if p.correlation:
            given.CorrelationData = p.correlation
        if p.content_type:
            given.ContentType = p.content_type
        if p.user:
            given.UserProperty = list(p.user)
        return given

    def acknowledge(self, mid: int, qos: int) -> None:
        self._client.ack(mid, qos)

    def farewell(self, with_will: bool) -> None:
        """DISCONNECT. with_will: the broker publishes our will although we say goodbye (MQTT 5)."""
        reason = None
        if self._hello.protocol == MQTT_5 and with_will:
            reason = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
        elif with_will:
            return  # in 3.1.1 only a connection that breaks off has a will
        self._client.disconnect(reason)
        self._client.loop_write()
        try:
            self._wire.flush()
        except OSError:
            log.debug("the broker was gone before the goodbye")

    def close(self) -> None:
        self._wire.close()

    def _ended(self, code: MQTTErrorCode) -> Lost:
        if self._lost is not None:
            return self._lost
        refused = self._waiting is not None and self._waiting[0] == "CONNECT"
        if code == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return Lost("the broker sent something that is not MQTT", refused=refused)
        return Lost("the broker closed the connection", by_broker=True, refused=refused)


def _words(reason: ReasonCode | None, given: Properties | None) -> str:
    if reason is None:
        return "the broker ended the connection"
    said = getattr(given, "ReasonString", "")
    text = reason_text(reason.value)
    if reason.value == BAD_VERSION:
        return text
    return f"the broker says: {text}" + (f" ({said})" if said else "")


def _no_action(client: Any, userdata: Any, sock: Any) -> None:
    """The link writes at the end of each turn."""
