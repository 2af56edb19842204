"""What goes over MQTT, and the contract of a dialect: entries and notices to messages, and back.

A dialect is pure: it decides topics, payloads, QoS and retain, and knows neither the network nor
the clock. Sending, windows, limits and acknowledgements are the link's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Protocol

from gateway.model import Action, Channel, Command, Entry, Heard, OutboxStats, Result, Stamp


class Publication(NamedTuple):
    """One MQTT message to send.

    expires: wall seconds after which nobody wants it; becomes the MQTT 5 message expiry when it is
    sent, not before. correlation, content_type and user: MQTT 5 properties, left out over 3.1.1.
    reply: somebody who asked chose the topic. What the broker says to that is no fault of the
    entry's, which has arrived elsewhere.
    """

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    expires: float | None = None
    correlation: bytes = b""
    content_type: str = ""
    user: tuple[tuple[str, str], ...] = ()
    reply: bool = False


@dataclass(frozen=True, slots=True)
class Inbound:
    """One MQTT message that came in.

    message_id: made by the link, the same when the broker delivers the message again.
    redelivered: the broker says that it sent it before, and the link does not remember it.
    expiry: what is left of the MQTT 5 message expiry, in seconds.
    """

    topic: str
    payload: bytes
    received: Stamp
    message_id: str
    retain: bool = False
    redelivered: bool = False
    expiry: int | None = None
    response_topic: str = ""
    correlation: bytes = b""


class LinkState(StrEnum):
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"


@dataclass(frozen=True, slots=True)
class LinkStatus:
    """How the link is, for health and for people.

    since: wall seconds of the last change. reason: why it is down, in words; empty while up.
    drops: connections that ended without our asking. refused: entries that the broker will not
    take. returned: messages that came back from a lost connection. bytes_*: TCP payload since the
    start of the UTC day. budget: bytes a day, 0 for none. shed: what the budget holds back.
    certificate_days: days until the client's certificate ends, None without one;
    broker_certificate_days: the broker's, None before the first handshake.
    """

    connected: bool
    since: float
    url: str
    protocol: str
    reason: str = ""
    connects: int = 0
    drops: int = 0
    refused: int = 0
    returned: int = 0
    callback_errors: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    budget: int = 0
    shed: str = ""
    in_flight: int = 0
    window: int = 0
    certificate_days: float | None = None
    broker_certificate_days: float | None = None
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class DeviceAbout:
    """A device as `about` describes it. interval: seconds. action: None for a sensor.

    units: the unit of each channel's quantity, from `drivers.quantities`.
    """

    name: str
    driver: str
    channels: tuple[Channel, ...]
    units: tuple[str, ...]
    interval: float = 0.0
    action: Action | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an earlier epoch ended: entries above durable_seq that never arrived are lost."""

    epoch: int
    durable_seq: int


@dataclass(frozen=True, slots=True)
class About:
    """What this gateway is. previous: None at the very first start."""

    version: str
    epoch: int
    started: Stamp
    devices: tuple[DeviceAbout, ...]
    previous: Settlement | None = None
    description: str = ""
    allow: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HostHealth:
    """The machine. Bytes, °C, seconds; None where this machine cannot tell."""

    memory_used: int | None = None
    memory_free: int | None = None
    disk_free: int | None = None
    cpu_temperature: float | None = None
    load: float | None = None
    throttled: bool | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """Everything that `health` tells. uptime: seconds of this run."""

    stamp: Stamp
    uptime: float
    epoch: int
    outbox: OutboxStats
    link: LinkStatus
    host: HostHealth = field(default_factory=HostHealth)
    devices_offline: tuple[str, ...] = ()
    buses_held: tuple[str, ...] = ()
    """I2C buses that a chip holds, of those that `recover` watches."""
    faults: Mapping[str, str] = field(default_factory=dict)
    """What is wrong with a part of the gateway itself, by its name."""
    events: Mapping[str, int] = field(default_factory=dict)
    """Counters of what went wrong and was mended, by name."""


@dataclass(frozen=True, slots=True)
class Session:
    """One connection: the nonce that a fresh command quotes. ended: why there is none any more."""

    stamp: Stamp
    nonce: str | None
    epoch: int
    health_every: float
    ended: str = ""


class Dialect(Protocol):
    """Topics and payloads. One file a dialect."""

    name: str

    def live(self, entry: Entry) -> list[Publication]:
        """The messages of one entry. It counts as accepted when all of them are."""
        ...

    def history(self, entries: Sequence[Entry]) -> list[Publication]:
        """Samples of the backlog together, as few messages as the dialect can. Samples only."""
        ...

    def status(self, online: bool, reason: str = "") -> Publication:
        """The gateway's own status; `status(False)` is the will."""
        ...

    def session(self, session: Session) -> Publication: ...

    def about(self, about: About) -> Publication: ...

    def health(self, health: Health) -> Publication: ...

    def device_status(self, device: str, online: bool, reason: str = "") -> Publication: ...

    def filters(self) -> list[tuple[str, int]]:
        """What to subscribe to, with the highest QoS to be delivered with."""
        ...

    def listen(self, devices: Iterable[str]) -> None:
        """From now on `filters` has the data of these devices of other gateways too."""
        ...

    def command(self, inbound: Inbound) -> Command | Result | Heard:
        """What a message asks for or tells, or the answer that refuses it.

        Raises nothing on any bytes.
        """
        ...
