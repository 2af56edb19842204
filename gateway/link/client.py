"""paho's Client on a wire of ours, with five of its methods replaced. Why each:

- `_create_socket`: paho connects by itself, without proxies, socket options or a time-out for the
  resolver, and reads byte by byte. It gets a `Wire` that is connected already.
- `_handle_connack`: a 3.1.1 broker that refuses the version is looked past for MQTT 3.1, and
  nobody is told.
- `_handle_pingresp`: counted, for a keep-alive that is ours.
- `_handle_pubackcomp`, `_mid_generate`: PUBACKs of messages that went past paho are handed over
  where they are not plain, and paho's packet identifiers stay below theirs (express.py).
- `_handle_pubrec`: paho 2.2.0 answers a PUBREC that refuses with PUBREL, and reports success
  (eclipse-paho/paho.mqtt.python #895).

The tests in `tests/gateway/link/` run through all of them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Literal

from paho.mqtt import client as paho
from paho.mqtt.enums import (
    CallbackAPIVersion,
    MessageState,
    MQTTErrorCode,
    MQTTProtocolVersion,
)
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.link import express
from gateway.link.flights import Half
from gateway.link.reasons import BAD_VERSION, NOT_FOUND
from gateway.link.wire import Wire

MQTT_5 = MQTTProtocolVersion.MQTTv5
MQTT_311 = MQTTProtocolVersion.MQTTv311
MAX_PACKET = 1 << 16
"""No command is near it; a longer packet ends the connection instead of filling memory."""


def properties(packet_type: int) -> Properties:
    """An empty set of MQTT 5 properties; paho's own class has no types."""
    return Properties(packet_type)  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Answer:
    """A reason code. paho's own class takes a broker for mad that uses a code of the standard where
    the standard does not have it; here that is the reasons' to judge."""

    value: int


_answer: Any = functools.cache(Answer)
_REFUSED_VERSION = 1
"""CONNACK's return code: MQTT 3.1.1, 3.2.2.3."""
_EMPTY = properties(PacketTypes.PUBACK)


class WiredClient(paho.Client):
    def __init__(
        self, wire: Wire, client_id: str, protocol: MQTTProtocolVersion, clean_session: bool
    ) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if protocol == MQTT_5 else clean_session,
            protocol=protocol,
            reconnect_on_failure=False,
            manual_ack=True,
        )
        self.wire = wire
        self.on_other_puback = _no_action
        self.inherited = False
        """The broker's session is older than we: it may hold identifiers that we do not know."""
        self.pongs = 0
        """PINGRESPs so far."""
        # The window is ours. With a limit of its own paho looks through all messages at each
        # PUBACK for one that it held back.
        self.max_inflight_messages_set(0)

    def _create_socket(self) -> Wire:
        return self.wire

    def ping(self) -> None:
        self._send_pingreq()

    def _handle_pingresp(self) -> MQTTErrorCode:
        self.pongs += 1
        return super()._handle_pingresp()

    @property
    def announced_length(self) -> int:
        """Bytes of the packet that is being read."""
        return self._in_packet["remaining_length"]

    def _handle_connack(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if self._protocol == MQTT_311 and len(packet) == 2 and packet[1] == _REFUSED_VERSION:
            reason = ReasonCode(PacketTypes.CONNACK, identifier=BAD_VERSION)
            callback: Any = self.on_connect
            callback(self, None, paho.ConnectFlags(False), reason, None)
            return MQTTErrorCode.MQTT_ERR_CONN_REFUSED
        return super()._handle_connack()

    @property
    def between_packets(self) -> bool:
        """Nothing of the next packet has been read."""
        return self._in_packet["command"] == 0

    def _mid_generate(self) -> int:
        self._last_mid = self._last_mid % (express.FIRST - 1) + 1
        return self._last_mid

    def _handle_pubackcomp(self, cmd: Literal["PUBACK", "PUBCOMP"]) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        code = packet[2] if len(packet) > 2 else 0
        mid = packet[0] << 8 | packet[1] if len(packet) > 1 else 0
        if cmd == "PUBCOMP" and len(packet) > 1:
            if not self.is_released(mid):
                # Of a PUBREL that only cleared the identifier, or that nobody waits for.
                return MQTTErrorCode.MQTT_ERR_SUCCESS
            # "Packet identifier not found": an earlier PUBREL did it.
            return self._settle(mid, 0 if code == NOT_FOUND else code)
        # Without a reason it is a success (MQTT 5, 3.4.2.1), and in 3.1.1 there is none.
        # Anything longer has properties, perhaps malformed: paho looks at those.
        if len(packet) not in (2, 3):
            end = super()._handle_pubackcomp(cmd)
        else:
            end = self._settle(mid, code)
        if cmd == "PUBACK" and end == MQTTErrorCode.MQTT_ERR_SUCCESS:
            self.on_other_puback(mid, code)
        return end

    def _handle_pubrec(self) -> MQTTErrorCode:
        packet = self._in_packet["packet"]
        if len(packet) > 2 and packet[2] >= 0x80:
            return self._settle(packet[0] << 8 | packet[1], packet[2])
        return super()._handle_pubrec()

    # QoS 2 over a lost connection: see exact.py.

    @property
    def last_mid(self) -> int:
        return self._last_mid

    def count_on(self, last_mid: int) -> None:
        """Identifiers go on behind those of an earlier connection."""
        self._last_mid = max(self._last_mid, last_mid)

    def is_released(self, mid: int) -> bool:
        """PUBREC has come, and PUBREL went out."""
        message = self._out_messages.get(mid)
        return message is not None and message.state == MessageState.MQTT_MS_WAIT_FOR_PUBCOMP

    def resume(
        self, half: Half, topic: str, payload: bytes, retain: bool, given: Properties | None
    ) -> None:
        message = paho.MQTTMessage(half.mid, topic.encode())
        message.payload, message.qos, message.retain, message.dup = payload, 2, retain, True
        message.properties = given
        with self._out_message_mutex:
            self._out_messages[half.mid] = message
            self._inflight_messages += 1
            if half.released:
                message.state = MessageState.MQTT_MS_WAIT_FOR_PUBCOMP
                self._send_pubrel(half.mid)
            else:
                message.state = MessageState.MQTT_MS_WAIT_FOR_PUBREC
                encoded, info = topic.encode(), message.info
                self._send_publish(half.mid, encoded, payload, 2, retain, True, info, given)

    def _send_publish(
        self, mid: int, topic: bytes, payload: Any = b"", qos: int = 0, *rest: Any, **more: Any
    ) -> MQTTErrorCode:
        dup = rest[1] if len(rest) > 1 else more.get("dup", False)
        if qos == 2 and self.inherited and not dup:
            self._send_pubrel(mid)
        return super()._send_publish(mid, topic, payload, qos, *rest, **more)

    def _settle(self, mid: int, code: int) -> MQTTErrorCode:
        with self._out_message_mutex:
            if mid in self._out_messages:
                return self._do_on_publish(mid, _answer(code), _EMPTY)
        return MQTTErrorCode.MQTT_ERR_SUCCESS


def _no_action(mid: int, code: int) -> None:
    """Nobody else sends on this wire."""
