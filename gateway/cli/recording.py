"""A capture file: what was said on a port and when, as text. Pure but for `Recorder`.

    # tidegate capture 1
    # driver sml
    0.000 < 1b1b1b1b01010101
    1.013 > 2f3f210d0a

Seconds since the start, `<` from the device or `>` to it, bytes in hexadecimal; lines that begin
with # are notes, such as the driver's name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from drivers.base import LineSettings, SerialPort

HEAD = "# tidegate capture 1"
FROM_DEVICE, TO_DEVICE = "<", ">"
LINE = re.compile(r"(\d+\.\d+) ([<>]) ((?:[0-9a-f]{2})+)")


class NoRecording(ValueError):
    """The text is not a capture; the message says where."""


@dataclass(frozen=True, slots=True)
class Said:
    """seconds since the capture began; direction as in the file."""

    seconds: float
    direction: str
    data: bytes


def written(said: Said) -> str:
    return f"{said.seconds:.3f} {said.direction} {said.data.hex()}"


def is_recording(data: bytes) -> bool:
    return data.startswith(HEAD.encode("ascii"))


def parsed(text: str) -> Iterator[Said]:
    """NoRecording names the first line that is none."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        match = LINE.fullmatch(line.strip())
        if match is None:
            raise NoRecording(f"line {number} is not SECONDS < or > HEX: {line[:40]!r}")
        yield Said(float(match[1]), match[2], bytes.fromhex(match[3]))


def heard(said: Iterable[Said]) -> bytes:
    """What the device said."""
    return b"".join(one.data for one in said if one.direction == FROM_DEVICE)


def both(said: Iterable[Said]) -> bytes:
    """The line as a third hears it."""
    return b"".join(one.data for one in said)


class Recorder:
    """A SerialPort that tells what passes through it."""

    def __init__(
        self, port: SerialPort, tell: Callable[[Said], None], clock: Callable[[], float]
    ) -> None:
        self._port = port
        self._tell = tell
        self._clock = clock
        self._begun = clock()

    def open(self, line: LineSettings) -> None:
        self._port.open(line)

    def receive(self) -> bytes:
        return self._noted(FROM_DEVICE, self._port.receive())

    def read(self, count: int, timeout: float) -> bytes:
        return self._noted(FROM_DEVICE, self._port.read(count, timeout))

    def write(self, data: bytes) -> None:
        self._noted(TO_DEVICE, data)
        self._port.write(data)

    def discard(self) -> None:
        self._port.discard()

    def fileno(self) -> int | None:
        return self._port.fileno()

    def close(self) -> None:
        self._port.close()

    def _noted(self, direction: str, data: bytes) -> bytes:
        if data:
            self._tell(Said(self._clock() - self._begun, direction, data))
        return data
