"""The values that travel through the house: frozen, no behaviour, no I/O.

Those of which every reading needs one are tuples, which are made in a quarter of the time.

Readings come from drivers, so their type is the drivers' (`drivers.base`); everything that the
gateway adds to them is defined here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import NamedTuple

from drivers.base import Action, Channel, Quality, Reading, Value

__all__ = [
    "Act",
    "Acted",
    "Action",
    "Alarm",
    "AlarmState",
    "Channel",
    "Command",
    "Entry",
    "Gap",
    "GapReason",
    "Heard",
    "Key",
    "Klass",
    "Lane",
    "OutboxStats",
    "Outcome",
    "Proof",
    "Quality",
    "Reading",
    "Recorded",
    "Result",
    "Sample",
    "Stamp",
    "State",
    "Value",
]


class Stamp(NamedTuple):
    """When something was seen, by both clocks.

    wall: seconds since 1970 by the system clock, which may have been wrong.
    boot: CLOCK_BOOTTIME seconds, which never jumps but means nothing after a reboot.
    boot_id: the first 8 hex digits of the kernel's boot id.
    synchronised: whether the kernel called the clock synchronised then.
    """

    wall: float
    boot: float
    boot_id: str
    synchronised: bool


class Sample(NamedTuple):
    """What one look at one device gave."""

    device: str
    stamp: Stamp
    readings: Sequence[Reading]
    counter: bool = False
    """It carries a total that only this gateway knows (a pulse counter): synced at once."""


class Outcome(StrEnum):
    """What became of a command."""

    ACCEPTED = "accepted"
    DONE = "done"
    REFUSED = "refused"
    EXPIRED = "expired"
    FAILED = "failed"
    INDETERMINATE = "indeterminate"


@dataclass(frozen=True, slots=True)
class Proof:
    """Who signed a command: the commander's name, the signature, and the bytes that it is over."""

    commander: str
    signature: bytes
    message: bytes


@dataclass(frozen=True, slots=True)
class Command:
    """A wish that came in and could be parsed. value is absolute, never a toggle.

    id: the sender's, or one made here where it gave none. expires: wall seconds, None if unsaid.
    received: when the broker handed it over. source: "mqtt", "mqtt NAME" of a commander whose
    signature was checked, "rule NAME", "local".
    response_topic and correlation: MQTT 5 request and response, empty where not used.
    uncertain: delivered again without an id of its own, so that it may have run before.
    proof: None where it was not signed; not checked yet.
    """

    id: str
    device: str
    value: Value
    received: Stamp
    expires: float | None = None
    nonce: str | None = None
    source: str = "mqtt"
    response_topic: str = ""
    correlation: bytes = b""
    uncertain: bool = False
    proof: Proof | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What another gateway said of a device. device: `gateway/device`; stamp: the other's clock."""

    device: str
    key: Key
    stamp: Stamp
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """The answer to a command, with the state read back where there is one.

    asked: the value that was asked for, None where it could not be read. Who (source), what (device
    and asked), verdict and reason: these entries are the trail of all that was decided.
    """

    id: str
    device: str
    stamp: Stamp
    outcome: Outcome
    reason: str = ""
    state: Value | None = None
    source: str = "mqtt"
    response_topic: str = ""
    correlation: bytes = b""
    asked: Value | None = None


@dataclass(frozen=True, slots=True)
class Act:
    """An order to the worker that owns an output. command is None for limits and stops.

    until: monotonic seconds after which it must not be begun any more, None for never.
    """

    device: str
    value: Value
    cause: str
    command: Command | None = None
    until: float | None = None


@dataclass(frozen=True, slots=True)
class Acted:
    """What came of an Act: the state read back, or the error in words.

    expired: it was never begun, because its time had run out before the output was free.
    """

    act: Act
    stamp: Stamp
    state: Value | None
    error: str = ""
    expired: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """An output's state as read back, and what brought it there: a command's id, "stop"..."""

    device: str
    stamp: Stamp
    value: Value
    cause: str


class AlarmState(StrEnum):
    RAISED = "raised"
    ACKNOWLEDGED = "acknowledged"
    CLEARED = "cleared"


@dataclass(frozen=True, slots=True)
class Alarm:
    name: str
    stamp: Stamp
    state: AlarmState
    text: str


class GapReason(StrEnum):
    """Why entries are not coming."""

    EXPIRED = "expired"
    THINNED = "thinned"
    OLDEST = "oldest"
    CORRUPT = "corrupt"
    CRASH = "crash"
    STORAGE = "storage"
    REFUSED = "refused"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Gap:
    """Entries that were dropped: first_seq to last_seq of an epoch hold `count` of them.

    device is "" where several are concerned or it is not known. Times are wall seconds, 0.0 if
    unknown. last_seq is None for a crash: everything above first_seq that did not arrive is lost.
    """

    reason: GapReason
    stamp: Stamp
    epoch: int
    first_seq: int
    last_seq: int | None
    count: int
    device: str = ""
    first_time: float = 0.0
    last_time: float = 0.0


Recorded = Sample | Result | State | Alarm | Gap
"""What the outbox holds: things as recorded. Dialect, batching, clock correction come when sent."""


class Klass(IntEnum):
    """How dear an entry is: the lowest goes first when room is short, the highest is sent first."""

    TELEMETRY = 0
    COUNTER = 1
    RESULT = 2
    ALARM = 3
    GAP = 4


class Lane(StrEnum):
    LIVE = "live"
    HISTORY = "history"


class Key(NamedTuple):
    """An entry's name for ever: the run that recorded it, and its number in that run (from 1).

    A tuple, for it is compared and looked up more often than anything else in the house.
    """

    epoch: int
    seq: int


class Entry(NamedTuple):
    key: Key
    klass: Klass
    recorded: Recorded


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """The outbox's books. recorded = accepted + dropped + kept + shelved, at every moment.

    The counts are of this run, save `kept` which includes what earlier runs left and `inherited`,
    how many those were at the start: recorded + inherited is what must balance.
    oldest: wall seconds of the oldest kept entry, None when empty. bytes_*: on disk. room: bytes
    that readings may still have of it, before some have to go; mean: bytes of an entry there.
    rates are per second over the last minute.
    """

    epoch: int
    last_seq: int
    recorded: int
    inherited: int
    accepted: int
    dropped: dict[str, int]
    kept: int
    shelved: int
    in_flight: int
    bytes_used: int
    bytes_limit: int
    oldest: float | None
    written_today: int
    storage: str
    """"ok", or what is wrong with the disk, in words."""
    rate_in: float | None
    rate_out: float | None
    room: int
    mean: float
