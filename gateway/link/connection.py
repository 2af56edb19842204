"""One connection's life: CONNECT, SUBSCRIBE, then messages both ways until it is lost.

All of it runs in the link's thread. It decides nothing about what is sent: see sender.py.
"""

from __future__ import annotations

import logging
import ssl
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from paho.mqtt.client import ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.codecs.base import Publication
from gateway.link import mqtt5
from gateway.link.client import MAX_PACKET, MQTT_5, WiredClient
from gateway.link.express import Express
from gateway.link.flights import Half
from gateway.link.hello import Hello, Limits, Lost
from gateway.link.pulse import Pulse, keepalive_of
from gateway.link.subscriptions import Subscriptions
from gateway.link.tls import in_words
from gateway.link.wire import Wire

log = logging.getLogger(__name__)
F = TypeVar("F", bound=Callable[..., None])

CONNACK_TIMEOUT = 5.0
SUBACK_TIMEOUT = 10.0


class Connection:
    """answers: (message id, reason code) of publications, in order; the link empties it.

    patience: seconds that a ping may stay unanswered. on_message is called for each message that
    comes in; on_bug with words when a callback fails. reads: see Express.
    """

    def __init__(
        self,
        wire: Wire,
        hello: Hello,
        now: float,
        patience: float,
        on_message: Callable[[MQTTMessage], None],
        on_bug: Callable[[str], None],
        reads: Callable[[bytes], bool] = lambda topic: True,
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
        self.session = "" if hello.clean_session else f"{hello.url} {hello.client_id}"
        """The broker's memory of us; empty for none."""
        self._now = now
        self._patience = patience
        self._pulse = Pulse(hello.keepalive, patience, now)
        self._waiting: tuple[str, float] | None = ("CONNECT", now + CONNACK_TIMEOUT)
        self._five = hello.protocol == MQTT_5
        self.subscriptions = Subscriptions(hello.filters, self._five)
        self.client = WiredClient(wire, hello.client_id, hello.protocol, hello.clean_session)
        self._express = Express(wire, self._five, reads)
        self.client.on_other_puback = self._express_answered
        self._prepare(self.client)
        self.client.connect(
            "wire",
            keepalive=hello.keepalive,
            # paho takes a bool beside its own constant for 3.1.1, and nothing else for 5.
            clean_start=hello.clean_session if self._five else 3,
            properties=mqtt5.of_connect(hello) if self._five else None,
        )

    def _prepare(self, client: WiredClient) -> None:
        hello, will = self._hello, self._hello.will
        if hello.username:
            client.username_pw_set(hello.username, hello.password)
        given = mqtt5.of_will(will) if self._five else None
        client.will_set(will.topic, will.payload, will.qos, will.retain, given)
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

    # Callbacks of paho, in the link's thread.

    def _connected(
        self, client: Any, userdata: Any, flags: ConnectFlags, reason: ReasonCode, given: Properties
    ) -> None:
        if self._waiting is None or self._waiting[0] != "CONNECT":
            self._lost = Lost("the broker sent a second CONNACK")
            return
        if reason.is_failure:
            self._lost = Lost(
                mqtt5.words(reason, given), reason.value, by_broker=True, refused=True
            )
            return
        self.limits = mqtt5.limits_of(given, flags.session_present)
        if self._hello.only_to_forget:
            self._lost = Lost("", forgotten=True)
            return
        keepalive = keepalive_of(self._hello.keepalive, self.limits.keepalive)
        self._pulse = Pulse(keepalive, self._patience, self._now)
        self._subscribe()

    def _subscribe(self) -> None:
        if self.subscriptions.ask(self.client):
            self._waiting = ("SUBSCRIBE", self._now + SUBACK_TIMEOUT)
        else:
            self._waiting, self.open = None, True

    def _subscribed(
        self, client: Any, userdata: Any, mid: int, reasons: list[ReasonCode], given: Properties
    ) -> None:
        # Without commands the readings still are worth sending: a refusal is told, not fatal.
        if self.subscriptions.answered(reasons, self._now):
            self._waiting, self.open = None, True
        else:
            self._lost = Lost("the broker's SUBACK does not answer our SUBSCRIBE")

    def _published(
        self, client: Any, userdata: Any, mid: int, reason: ReasonCode, given: Properties
    ) -> None:
        self.proven = True
        self.answers.append((mid, reason.value))

    def _express_answered(self, mid: int, code: int) -> None:
        if self._express.answered(mid):
            self.proven = True
            self.answers.append((mid, code))

    def _received(self, client: Any, userdata: Any, message: MQTTMessage) -> None:
        self._on_message(message)

    def _disconnected(
        self, client: Any, userdata: Any, flags: DisconnectFlags, reason: ReasonCode, given: Any
    ) -> None:
        # paho calls this a second time when the socket closes behind a DISCONNECT.
        if self._lost is None and flags.is_disconnect_packet_from_server:
            code = reason.value if reason is not None else None
            self._lost = Lost(mqtt5.words(reason, given), code, by_broker=True)

    # What the link does with it.

    def fileno(self) -> int:
        return self._wire.fileno()

    @property
    def wants_write(self) -> bool:
        return self._wire.unsent > 0 or self.client.want_write()

    @property
    def unsent(self) -> int:
        """Bytes that the socket has not taken yet."""
        return self._wire.unsent

    @property
    def traffic(self) -> tuple[int, int, int, int]:
        """Bytes out and in, and in how many goes."""
        return self._wire.sent, self._wire.received, self._wire.writes, self._wire.reads

    def read(self, now: float) -> None:
        """Takes in all that has come. Lost."""
        self._now = now
        while self._wire.fill():
            if self.client.between_packets and self._express.read(self.answers):
                self.proven = self.proven or bool(self.answers)
                if not self._wire.unread:
                    return
            code = self.client.loop_read()
            if code != MQTTErrorCode.MQTT_ERR_SUCCESS or self._lost is not None:
                raise self._ended(code)
            if self.client.announced_length > MAX_PACKET:
                raise Lost(f"the broker sent a packet of {self.client.announced_length} bytes")
            if not self._wire.unread:
                return

    def write(self) -> bool:
        """Sends what waits, in one go; whether the system has taken all of it. Lost."""
        try:
            return self.push()
        except OSError as error:
            if isinstance(error, ConnectionError | ssl.SSLError):
                self.read(self._now)  # the broker's last words: a DISCONNECT, an alert of TLS
            raise Lost(f"the connection broke: {in_words(error)}") from error

    def push(self) -> bool:
        """As `write`, for who may not take in what the broker says to it. OSError."""
        if self.client.want_write():
            self.client.loop_write()
        self._wire.flush()
        return not self._wire.unsent

    def tick(self, now: float, deadlines: bool) -> None:
        """Notes what went to and fro, for the keep-alive, and looks at the deadlines. Lost."""
        self._now, wire = now, self._wire
        self._pulse.observe(now, wire.sent, wire.received, self.client.pongs, wire.unsent)
        if not deadlines:
            return
        if self._waiting is not None and now > self._waiting[1]:
            what = self._waiting[0]
            raise Lost(f"the broker does not answer {what}", refused=what == "CONNECT")
        if self._pulse.stopped(now):
            raise Lost("the broker does not answer pings")
        if self.subscriptions.due(now):
            self._subscribe()
        if self.open and self._pulse.due(now):
            self.client.ping()
            self._pulse.pinged(now)

    def wait(self, now: float) -> float:
        """Seconds until `tick` has something to do."""
        deadline = float("inf") if self._waiting is None else self._waiting[1] - now
        return max(0.0, min(self._pulse.wait(now), deadline))

    def publish(self, publication: Publication, qos: int, wall: float) -> int | None:
        """Queues one message; its id, or None when paho would not take it: it is still ours."""
        topic, payload = publication.topic, publication.payload
        retain = publication.retain and self.limits.retain
        given = mqtt5.of_publish(publication, wall) if self._five else None
        if qos < 2 and given is None:
            if self.client.want_write():
                self.client.loop_write()  # what paho has queued came before
            return self._express.publish(topic, payload, qos, retain)
        info = self.client.publish(topic, payload, qos, retain, given)
        return info.mid if info.rc == MQTTErrorCode.MQTT_ERR_SUCCESS else None

    def resume(self, half: Half, publication: Publication, wall: float) -> None:
        retain = publication.retain and self.limits.retain
        given = mqtt5.of_publish(publication, wall) if self._five else None
        self.client.resume(half, publication.topic, publication.payload, retain, given)

    def acknowledge(self, mid: int, qos: int) -> None:
        self.client.ack(mid, qos)

    def farewell(self, with_will: bool) -> None:
        """DISCONNECT. with_will: the broker publishes our will although we say goodbye (MQTT 5)."""
        reason = None
        if self._five and with_will:
            reason = ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message")
        elif with_will:
            return  # in 3.1.1 only a connection that breaks off has a will
        self.client.disconnect(reason)
        self.client.loop_write()
        try:
            self._wire.flush()
        except OSError:
            log.debug("the broker was gone before the goodbye")

    def close(self) -> None:
        if self._hello.only_to_forget:
            self.farewell(with_will=False)
        self._wire.close()

    def _ended(self, code: MQTTErrorCode) -> Lost:
        if self._lost is not None:
            return self._lost
        at = self._waiting[0] if self._waiting is not None else ""
        refused = at == "CONNECT"
        if code == MQTTErrorCode.MQTT_ERR_PROTOCOL:
            return Lost("the broker sent something that is not MQTT", refused=refused)
        if isinstance(self._wire.trouble, ssl.SSLError | TimeoutError):
            return Lost(f"the connection broke: {in_words(self._wire.trouble)}", refused=refused)
        words = f"the broker closed the connection{at and f' at {at}'}"
        return Lost(words, by_broker=True, refused=refused)


def _no_action(client: Any, userdata: Any, sock: Any) -> None:
    """The link writes at the end of each turn."""
