"""What is under way: which message carries which entries, and when an entry is settled. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.codecs.base import Publication
from gateway.link.reasons import Verdict, verdict
from gateway.link.suspects import Message, Name
from gateway.model import Key, Lane


@dataclass(slots=True)
class Cargo:
    """Entries that share their messages: they are settled when the last message is answered.

    code: the reason of the first message that was not accepted, 0 while all were.
    """

    keys: tuple[Key, ...]
    left: int
    code: int = 0

    def done(self, code: int, topic: str, settled: Settled) -> None:
        """One of its messages was answered."""
        if code >= 0x80 and not self.code:
            self.code = code
        self.left -= 1
        if self.left:
            return
        outcome = verdict(self.code)
        if outcome is Verdict.ACCEPTED:
            settled.accepted.extend(self.keys)
            return
        refusals = settled.retry if outcome is Verdict.RETRY else settled.shelved
        refusals.extend((key, self.code, topic) for key in self.keys)


@dataclass(frozen=True, slots=True)
class Half:
    """A handshake of QoS 2 that was interrupted. released: only PUBREL is left."""

    mid: int
    released: bool


@dataclass(slots=True)
class Item:
    """A message to be published. cargo: None for a notice."""

    publication: Publication
    cargo: Cargo | None
    lane: Lane = Lane.LIVE
    half: Half | None = None


@dataclass(slots=True)
class Flight:
    """One message in flight. cargo: None for a notice. sent: monotonic seconds. reply: see
    Publication."""

    topic: str
    sent: float
    cargo: Cargo | None = None
    lane: Lane = Lane.LIVE
    reply: bool = False


@dataclass(slots=True)
class Settled:
    """What one pass over the answers gives: keys for good, keys to retry, refusals with why.

    notices: those that were answered, with the reason code.
    """

    accepted: list[Key] = field(default_factory=list)
    retry: list[tuple[Key, int, str]] = field(default_factory=list)
    shelved: list[tuple[Key, int, str]] = field(default_factory=list)
    notices: list[tuple[str, int]] = field(default_factory=list)

    def names(self) -> list[Name]:
        """Everything that was answered, whatever the answer."""
        refused = (key for key, _, _ in [*self.retry, *self.shelved])
        return [*self.accepted, *refused, *(topic for topic, _ in self.notices)]


class Flights(dict[int, Flight]):
    """By packet identifier, in the order in which they were sent."""

    def __init__(self) -> None:
        super().__init__()
        self._lanes = dict.fromkeys(Lane, 0)
        self.progress = 0.0
        """When something was last answered or first sent, monotonic seconds."""

    def sent(self, mid: int, flight: Flight) -> None:
        if not self:
            self.progress = flight.sent
        self[mid] = flight
        self._lanes[flight.lane] += 1

    def of_lane(self, lane: Lane) -> int:
        return self._lanes[lane]

    def answered(self, mid: int, code: int, now: float, settled: Settled) -> Flight | None:
        """A PUBACK, PUBCOMP or refusing PUBREC came. One that nobody waits for is ignored."""
        flight = self.pop(mid, None)
        if flight is None:
            return None
        self.progress = now
        self._lanes[flight.lane] -= 1
        if flight.cargo is not None:
            flight.cargo.done(0 if flight.reply else code, flight.topic, settled)
        else:
            settled.notices.append((flight.topic, code))
        return flight

    def silent_since(self) -> float | None:
        """Since when nothing has been answered, None when nothing waits for an answer."""
        return self.progress if self else None

    def oldest(self) -> float | None:
        """When the longest-waiting message was sent."""
        return next(iter(self.values())).sent if self else None

    def messages(self) -> list[Message]:
        """What is under way, message by message."""
        return [
            (flight.topic,) if flight.cargo is None else flight.cargo.keys
            for flight in self.values()
        ]

    def entries(self) -> list[Key]:
        """Entries that are not settled, in the order in which they were sent."""
        cargoes = [f.cargo for f in self.values() if f.cargo is not None]
        return list(dict.fromkeys(key for cargo in cargoes for key in cargo.keys))
