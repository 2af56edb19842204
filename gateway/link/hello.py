"""How a connection begins and ends: what we say, what the broker allows, and why it is over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from paho.mqtt.enums import MQTTProtocolVersion

from gateway.codecs.base import Publication


class Lost(Exception):
    """The connection is over. code: an MQTT 5 reason, if one was given.

    by_broker: it closed, rather than we or the network. refused: there never was one. forgotten:
    we ended it ourselves, the broker having forgotten our session.
    """

    def __init__(
        self,
        reason: str,
        code: int | None = None,
        by_broker: bool = False,
        refused: bool = False,
        forgotten: bool = False,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code
        self.by_broker = by_broker
        self.refused = refused
        self.forgotten = forgotten


@dataclass(frozen=True, slots=True)
class Hello:
    """Who we are, for CONNECT. session_expiry in seconds; password None for none. only_to_forget:
    the broker is to forget our session, and that is all (`Dialer.hello`)."""

    client_id: str
    protocol: MQTTProtocolVersion
    keepalive: int
    clean_session: bool
    session_expiry: float
    will: Publication
    filters: Sequence[tuple[str, int]]
    username: str = ""
    password: str | None = None
    url: str = ""
    only_to_forget: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the broker's CONNACK allows; the defaults are MQTT 5's, 3.2.2.3."""

    receive_maximum: int | None = None
    packet_size: int | None = None
    qos: int = 2
    retain: bool = True
    keepalive: int | None = None
    client_id: str = ""
    session_present: bool = False
