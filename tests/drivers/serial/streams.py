"""What may happen to bytes on a line, as checks that every stream decoder passes."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from typing import TypeVar

from drivers.base import Corrupt, Decoder, Reading, SerialPort, Telegram
from drivers.serial.framing import FrameDecoder

T = TypeVar("T")
NewDecoder = Callable[[], Decoder]
GARBAGE = bytes(range(256)) + b"\x00\xff" * 20


def decode(new: NewDecoder, data: bytes, step: int = 0) -> list[Telegram | Corrupt]:
    """Everything that comes out of data, fed at once or in pieces of step bytes."""
    decoder = new()
    out: list[Telegram | Corrupt] = []
    for start in range(0, len(data), step or len(data) or 1):
        out += decoder.feed(data[start : start + step] if step else data)
    return out + decoder.close()


def telegrams(items: Iterable[Telegram | Corrupt]) -> list[tuple[Reading, ...]]:
    return [one.readings for one in items if isinstance(one, Telegram)]


def survives_truncation(new: NewDecoder, telegram: bytes) -> None:
    """Cut short at every byte: no telegram, what is left is told, and the next one is found."""
    (whole,) = telegrams(decode(new, telegram))
    for length in range(1, len(telegram)):
        alone = decode(new, telegram[:length])
        assert telegrams(alone) in ([], [whole]), length
        if not telegrams(alone):
            assert sum(one.length for one in alone if isinstance(one, Corrupt)) == length
        followed = telegrams(decode(new, telegram[:length] + telegram))
        assert followed[-1:] == [whole], length
        assert set(followed) == {whole}, length


def survives_bit_flips(new: NewDecoder, telegram: bytes, every: int = 1) -> None:
    """One bit wrong anywhere: no value that was not sent, and the next telegram is found."""
    (whole,) = telegrams(decode(new, telegram))
    for bit in range(0, len(telegram) * 8, every):
        wrong = bytearray(telegram)
        wrong[bit // 8] ^= 1 << bit % 8
        heard = telegrams(decode(new, bytes(wrong) + telegram))
        assert heard and set(heard) == {whole}, f"bit {bit}"


def survives_garbage(new: NewDecoder, telegram: bytes) -> None:
    """Garbage before, between and behind is told with its place, and harms nothing."""
    (whole,) = telegrams(decode(new, telegram))
    data = GARBAGE + telegram + GARBAGE + telegram + telegram + GARBAGE
    items = decode(new, data)
    assert telegrams(items) == [whole] * 3
    places = [one.offset for one in items]
    assert places == sorted(places)
    told = sum(one.length for one in items if isinstance(one, Corrupt))
    assert told == len(data) - 3 * len(telegram)
    for one in items:
        if isinstance(one, Telegram):
            assert data[one.offset : one.offset + len(telegram)] == telegram


def same_byte_by_byte(new: NewDecoder, data: bytes) -> None:
    assert telegrams(decode(new, data, step=1)) == telegrams(decode(new, data))
    assert telegrams(decode(new, data, step=7)) == telegrams(decode(new, data))


def stays_bounded(new: Callable[[], FrameDecoder], start: bytes, cap: int) -> None:
    """However much comes after a start without an end, no more than the cap is kept."""
    decoder = new()
    for _ in range(3 * cap // 1024):
        decoder.feed(start + bytes(1024 - len(start)))
        assert decoder.buffered <= 2 * cap
    for _ in range(3 * cap // 1024):
        decoder.feed(start * (1024 // len(start)))
        assert decoder.buffered <= 2 * cap


def finished(steps: Generator[float, None, T]) -> T:
    """What a generator returns, its pauses passed over."""
    while True:
        try:
            assert next(steps) >= 0
        except StopIteration as end:
            result: T = end.value
            return result


class FakePort:
    """A SerialPort whose far end is a script: bytes that wait, and answers to what is written."""

    def __init__(self, *waiting: bytes, answer: Callable[[bytes], bytes] | None = None) -> None:
        self.waiting = bytearray(b"".join(waiting))
        self.lines: list[object] = []
        self.written: list[bytes] = []
        self.closed = 0
        self._answer = answer

    def open(self, line: object) -> None:
        self.lines.append(line)

    def receive(self) -> bytes:
        data, self.waiting = bytes(self.waiting), bytearray()
        return data

    def read(self, count: int, timeout: float) -> bytes:
        data = bytes(self.waiting[:count])
        del self.waiting[:count]
        return data

    def write(self, data: bytes) -> None:
        self.written.append(data)
        if self._answer is not None:
            self.waiting += self._answer(data)

    def discard(self) -> None:
        self.waiting.clear()

    def fileno(self) -> int | None:
        return None

    def close(self) -> None:
        self.closed += 1


_: type[SerialPort] = FakePort
