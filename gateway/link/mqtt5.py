"""MQTT 5's properties: what goes into our packets, and what a CONNACK says. paho packs them."""

from __future__ import annotations

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.codecs.base import Publication
from gateway.link.client import MAX_PACKET, properties
from gateway.link.hello import Hello, Limits
from gateway.link.reasons import BAD_VERSION, in_plain, reason_text

INBOUND_MAXIMUM = 50
"""Commands that the broker may send before the first is acknowledged."""
_FOUR_BYTES = 0xFFFFFFFF


def of_connect(hello: Hello) -> Properties:
    given = properties(PacketTypes.CONNECT)
    if not hello.clean_session:
        given.SessionExpiryInterval = min(int(hello.session_expiry), _FOUR_BYTES)
    given.ReceiveMaximum = INBOUND_MAXIMUM
    given.MaximumPacketSize = MAX_PACKET
    return given


def of_will(will: Publication) -> Properties | None:
    if not will.user:
        return None
    given = properties(PacketTypes.WILLMESSAGE)
    given.UserProperty = list(will.user)
    return given


def of_publish(publication: Publication, wall: float) -> Properties | None:
    """wall: now, from which the rest of the message's life counts. None where there are none."""
    p = publication
    if not (p.expires or p.correlation or p.content_type or p.user):
        return None  # packing even an empty set takes longer than the rest of publish()
    given = properties(PacketTypes.PUBLISH)
    if p.expires:
        given.MessageExpiryInterval = max(1, min(int(p.expires - wall), _FOUR_BYTES))
    if p.correlation:
        given.CorrelationData = p.correlation
    if p.content_type:
        given.ContentType = p.content_type
    if p.user:
        given.UserProperty = list(p.user)
    return given


def limits_of(given: Properties | None, session_present: bool) -> Limits:
    """What a CONNACK allows: MQTT 5.0, 3.2.2.3."""
    return Limits(
        receive_maximum=getattr(given, "ReceiveMaximum", None),
        packet_size=getattr(given, "MaximumPacketSize", None),
        qos=getattr(given, "MaximumQoS", 2),
        retain=bool(getattr(given, "RetainAvailable", 1)),
        keepalive=getattr(given, "ServerKeepAlive", None),
        client_id=getattr(given, "AssignedClientIdentifier", ""),
        session_present=session_present,
    )


def words(reason: ReasonCode | None, given: Properties | None) -> str:
    """Why the broker refused us or ended the connection."""
    if reason is None:
        return "the broker ended the connection"
    text = reason_text(reason.value)
    if reason.value == BAD_VERSION:
        return text
    said = [getattr(given, name, "") for name in ("ReasonString", "ServerReference")]
    more = in_plain(", ".join(filter(None, said)))
    return f"the broker says: {text}" + (f" ({more})" if more else "")
