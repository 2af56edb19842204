"""What a driver promises, and what it is given: the contracts between chips, buses and the gateway.

A driver is one class in one file. Its constructor takes the bus first, then keyword-only options;
the options' types, defaults and `Option` notes are the configuration schema, so nothing is said
twice. A constructor checks its arguments and touches no hardware; `start` does, and runs again
after every failure, so a chip that lost its power gets its configuration back.

A driver owns no thread, no timer and no retry: the worker of its bus does. A step that has to wait
for the chip (a conversion, a boot time) is written as a generator that yields the seconds to wait;
the worker serves the other devices of the bus meanwhile.

This module imports nothing of ours, and a driver imports nothing of ours but this module.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias, TypeVar, runtime_checkable

T = TypeVar("T")

Value = bool | int | float | str
"""What a channel or an output can hold."""

Steps: TypeAlias = Generator[float, None, T] | T
"""Either the answer at once, or a generator that yields seconds to wait and returns the answer."""


class Quality(StrEnum):
    """How far a value can be believed. A bad value never drives an output."""

    GOOD = "good"
    UNCERTAIN = "uncertain"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Channel:
    """One thing a device measures. `quantity` is a row of `drivers.quantities`, which has the unit.

    counter: the value is a count since the driver started; the gateway adds the total that it
        keeps over restarts, and never lets the sum run backwards.
    offset: of a counter: what the meter showed at 0 counts, which the gateway adds.
    digits: decimal places that carry information; more are noise and bytes.
    rising: the meter's own register, which only counts up; one that goes back is looked at.
    """

    name: str
    quantity: str
    counter: bool = False
    digits: int = 3
    offset: float = 0.0
    rising: bool = False


class Reading(NamedTuple):
    """One value of one channel, in the unit of the channel's quantity.

    value is None only with quality BAD: the device answered, but not with a number.
    code is the protocol's own identity of the value, such as the OBIS code `1-0:1.8.0*255`.
    quantity is given where the driver's `channels` cannot list the channel beforehand (a meter's
    own register), so that the value keeps its unit.
    """

    channel: str
    value: Value | None
    quality: Quality = Quality.GOOD
    code: str = ""
    quantity: str = ""


@dataclass(frozen=True, slots=True)
class Telegram:
    """One complete, checked message of a device that speaks by itself, and where it began."""

    offset: int
    readings: tuple[Reading, ...]


@dataclass(frozen=True, slots=True)
class Corrupt:
    """Bytes that were no telegram: where in the stream, how many, and what is wrong with them."""

    offset: int
    length: int
    reason: str


class Decoder(Protocol):
    """Bytes in; telegrams or errors out; an empty list means more bytes are needed. No I/O.

    The buffer is capped. After noise the decoder finds the next telegram by itself.
    """

    def feed(self, data: bytes) -> list[Telegram | Corrupt]: ...

    def close(self) -> list[Telegram | Corrupt]:
        """End of input: what is left in the buffer is a truncated telegram, or nothing."""


class DriverError(Exception):
    """Base of everything a driver or a bus raises."""


class BusMissing(DriverError, FileNotFoundError):
    """The bus, port or pin controller does not exist (unplugged, not enabled, wrong name)."""


class BusFault(DriverError, OSError):
    """The bus itself failed: arbitration lost, line stuck, adapter error."""


class NoAnswer(DriverError, TimeoutError):
    """The device did not acknowledge its address, or was silent for longer than it may be."""


class WrongDevice(DriverError, ValueError):
    """Something answered, but its identity is that of another chip."""


class CorruptData(DriverError, ValueError):
    """A checksum failed, a frame is malformed, or a value cannot be."""


class OptionError(DriverError, ValueError):
    """A driver's options contradict each other; the message names them and says what to do."""


class I2CBus(Protocol):
    """Three verbs. Addresses are 7 bits (0x08 to 0x77), as printed by `i2cdetect`. NoAnswer when
    the address is not acknowledged, BusMissing when the adapter is gone, BusFault for the rest."""

    def read(self, address: int, count: int) -> bytes: ...

    def write(self, address: int, data: bytes) -> None: ...

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        """Write, then read after a repeated start: no other master gets in between."""


class SPIBus(Protocol):
    """One chip select of an SPI controller. mode: 0 to 3; hertz: fastest clock."""

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        """Sends these bytes, gives as many that came in meanwhile. BusMissing, BusFault."""
        ...


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How a serial line is spoken: `9600 8N1` is LineSettings(9600)."""

    baudrate: int
    bytesize: int = 8
    parity: str = "N"
    stopbits: float = 1


class SerialPort(Protocol):
    """A serial line. It is opened by `open` and reopened by the worker after a failure."""

    def open(self, line: LineSettings) -> None:
        """Open, or change the settings of the open port. BusMissing, BusFault."""

    def receive(self) -> bytes:
        """What has come so far, perhaps nothing; never waits. BusMissing when unplugged."""

    def read(self, count: int, timeout: float) -> bytes:
        """Up to count bytes; fewer when timeout (seconds) ran out first."""

    def write(self, data: bytes) -> None: ...

    def discard(self) -> None:
        """Forget what has come and was not read."""

    def fileno(self) -> int | None:
        """For select; None where the transport has no descriptor (then it is polled)."""

    def close(self) -> None: ...  # the next `open` opens it anew


@runtime_checkable
class Sensor(Protocol):
    """A device that is asked. One call of `read` is one look at all its channels."""

    @property
    def channels(self) -> Sequence[Channel]:
        """Everything that `read` may return, known from the options alone."""

    def start(self) -> Steps[None]: ...

    def read(self) -> Steps[Sequence[Reading]]: ...

    def close(self) -> None: ...


@runtime_checkable
class Watched(Protocol):
    """A Sensor that also knows when to look: a contact, a button. It is read at each change."""

    def watch(self, changed: Callable[[], None]) -> None:
        """Called once, before start. The driver may call changed from any thread, often."""


@runtime_checkable
class Exclusive(Protocol):
    """A device whose steps hold its bus: nothing may be said between its request and its answer."""

    exclusive: bool


@runtime_checkable
class Stream(Protocol):
    """A device that speaks by itself (most meters). The worker calls `receive` when bytes wait.

    silence: seconds without a good telegram after which the device counts as offline.
    """

    silence: float

    @property
    def channels(self) -> Sequence[Channel]: ...

    def start(self) -> Steps[None]: ...

    def receive(self) -> Sequence[Telegram | Corrupt]: ...

    def fileno(self) -> int | None: ...

    def close(self) -> None: ...


class Action(StrEnum):
    """What a command does to an output. A set may be repeated; a pulse never."""

    SET = "set"
    PULSE = "pulse"


@runtime_checkable
class Actuator(Protocol):
    """An output. Absolute values only: there is no toggle."""

    action: Action

    @property
    def channels(self) -> Sequence[Channel]:
        """One channel: the state that `state` reads back."""

    def parse(self, value: Value) -> Value:
        """The value in the form `set` takes. ValueError says which values there are. Pure."""

    def start(self, value: Value | None) -> Steps[None]:
        """Claim the output with direction and level in one step, so that nothing clicks.

        value None: leave the level as it is found.
        """

    def set(self, value: Value) -> Steps[None]: ...

    def state(self) -> Steps[Value]:
        """Read back from the hardware, not from memory."""

    def close(self) -> None: ...


@runtime_checkable
class Moving(Protocol):
    """An Actuator whose `set` takes long and gives way to the next one: a motor. Closing the steps
    ends the movement. off makes it safe, and is no state: it stops where it is."""

    off: Value


@runtime_checkable
class Safeguarded(Protocol):
    """An Actuator that a few steps bring to a value when this process is dead; gateway/safe.py."""

    def safeguard(self, value: Value) -> Sequence[str]:
        """Steps as gateway/safe.py lists them, without the bus or port that some name first; empty
        where it cannot be done. No I/O; called when all devices of a configuration are made."""


@dataclass(frozen=True, slots=True)
class Option:
    """A note beside an option's type: `address: Annotated[int, Option("I2C address", low=8)]`.

    low and high are inclusive, in `unit`. choices is exhaustive. secret values are never printed.
    example: for the block of `tidegate drivers NAME`, where no limit or choice gives one.
    """

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[Value, ...] = ()
    secret: bool = False
    example: Value | None = None
