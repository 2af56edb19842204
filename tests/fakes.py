"""Doubles for the contracts of drivers.base: scripted, simulated, and failing on purpose."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from drivers.base import I2CBus, LineSettings, Reading, Sensor, Value
from gateway.attached import steps_of

T = TypeVar("T")


class FakeClock:
    """A monotonic clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def finish(steps: Generator[float, None, T], clock: FakeClock | None = None) -> T:
    """Run a driver's steps to the end. The waits pass on the fake clock, none in real time."""
    while True:
        try:
            wait = next(steps)
        except StopIteration as stop:
            result: T = stop.value
            return result
        assert wait >= 0
        if clock is not None:
            clock.now += wait


def started_and_read(sensor: Sensor) -> Generator[float, None, Sequence[Reading]]:
    """The steps of a start and a first look."""
    yield from steps_of(sensor.start())
    readings: Sequence[Reading] = yield from steps_of(sensor.read())
    return readings


def values(readings: Iterable[Reading]) -> dict[str, Value | None]:
    return {reading.channel: reading.value for reading in readings}


@dataclass(frozen=True, slots=True)
class Transfer:
    """One expected transfer. With `answer` it reads; an exception is raised instead."""

    address: int
    written: bytes
    answer: bytes | Exception = b""


class ScriptedI2C:
    """An I2CBus that expects exactly these transfers, in this order; leaving them over fails."""

    def __init__(self, *script: Transfer) -> None:
        self._script = list(script)

    def __enter__(self) -> ScriptedI2C:
        return self

    def __exit__(self, kind: object, *rest: object) -> None:
        if kind is None:
            assert not self._script, f"not used up: {self._script}"

    def read(self, address: int, count: int) -> bytes:
        return self._next(address, b"", count)

    def write(self, address: int, data: bytes) -> None:
        self._next(address, data, 0)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        return self._next(address, data, count)

    def _next(self, address: int, written: bytes, count: int) -> bytes:
        assert self._script, f"unexpected transfer: 0x{address:02x} {written.hex()} read {count}"
        expected = self._script.pop(0)
        assert (address, written) == (expected.address, expected.written)
        if isinstance(expected.answer, Exception):
            raise expected.answer
        assert len(expected.answer) == count
        return expected.answer


class FailsOnce:
    """An I2CBus whose nth transfer (from 1) fails; the others reach the bus behind it."""

    def __init__(self, bus: I2CBus, error: Exception, nth: int = 1) -> None:
        self._bus = bus
        self._error = error
        self._left = nth

    def read(self, address: int, count: int) -> bytes:
        self._step()
        return self._bus.read(address, count)

    def write(self, address: int, data: bytes) -> None:
        self._step()
        self._bus.write(address, data)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        self._step()
        return self._bus.write_read(address, data, count)

    def _step(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise self._error


class FakePort:
    """A SerialPort: `incoming` is what the line brings, `sent` what the driver wrote.

    replies: what comes in after each write, in turn. error: raised by the next call of any verb.
    """

    def __init__(self, incoming: bytes = b"", replies: Iterable[bytes] = ()) -> None:
        self.incoming = bytearray(incoming)
        self.sent: list[bytes] = []
        self.opened: list[LineSettings] = []
        self.error: Exception | None = None
        self.closed = 0
        self._replies = list(replies)

    def open(self, line: LineSettings) -> None:
        self._fail()
        self.opened.append(line)

    def receive(self) -> bytes:
        self._fail()
        return self._take(len(self.incoming))

    def read(self, count: int, timeout: float) -> bytes:
        self._fail()
        return self._take(count)

    def write(self, data: bytes) -> None:
        self._fail()
        self.sent.append(data)
        if self._replies:
            self.incoming += self._replies.pop(0)

    def discard(self) -> None:
        self._fail()
        self.incoming.clear()

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed += 1

    def _take(self, count: int) -> bytes:
        data = bytes(self.incoming[:count])
        del self.incoming[:count]
        return data

    def _fail(self) -> None:
        error, self.error = self.error, None
        if error is not None:
            raise error
