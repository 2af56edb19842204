"""Which meter speaks on a port, and how: guesses from what was heard. Pure.

A guess is never a matter of taste: a decoder has found a telegram whose checks passed. Where none
has, what can be said of the bytes is said.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from drivers.base import Decoder, Reading, Telegram
from gateway.catalog import find

LINES: dict[str, tuple[str, ...]] = {
    # speed and frame to listen with: drivers that may be heard so, the most common first
    "9600 8N1": ("sml", "pms5003", "sds011", "gps", "dlms"),
    "115200 8N1": ("p1", "tfmini", "gps"),
    "9600 7E1": ("d0_push", "p1"),
    "19200 8N1": ("vedirect",),
    "2400 8E1": ("dlms",),
    "2400 8N1": ("dlms",),
    "4800 8N1": ("gps",),
    "38400 8N1": ("gps",),
    "300 7E1": ("d0_push",),
}

QUIET = """\
Nothing was heard. Meters that are asked say nothing by themselves: M-Bus, Modbus, D0 in mode C,
MH-Z19. `--ask` sends them a question. Or: is it the right port, is the head in place?"""

TEXT = re.compile(rb"[\t\r\n -~]*")
MIN_TEXT = 20


@dataclass(frozen=True, slots=True)
class Guess:
    """driver understands what comes at `line` ("9600 8N1"); one telegram's readings."""

    driver: str
    line: str
    readings: tuple[Reading, ...]


class Listener:
    """Hears one line, and tells as soon as a decoder understands it."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.heard = bytearray()
        self._decoders: list[tuple[str, Decoder]] = []
        for name in LINES.get(line, ()):
            driver = find(name)
            self._decoders.append((name, driver.constant("DECODER")()))

    def feed(self, data: bytes) -> Guess | None:
        self.heard += data
        for name, decoder in self._decoders:
            for one in decoder.feed(data):
                if isinstance(one, Telegram) and one.readings:
                    return Guess(name, self.line, one.readings)
        return None


def remarks(heard: Iterable[tuple[str, bytes]]) -> list[str]:
    """What can be said of bytes that nobody understood; (line, bytes) of each listening."""
    found = []
    for line, data in heard:
        if len(data) >= MIN_TEXT and TEXT.fullmatch(data):
            sample = data.decode("ascii").splitlines()[1:2] or [""]
            found.append(f"{line}: text, such as {sample[0][:60]!r}: see `tidegate drivers lines`")
        elif data:
            found.append(f"{line}: {len(data)} bytes that no decoder understands")
    return found or [QUIET]


def option_lines(guess: Guess) -> list[str]:
    """Options of the driver's block that are not its defaults."""
    options = find(guess.driver).options
    speed = guess.line.split(" ", 1)[0]
    if "line" in options and options["line"].default != guess.line:
        return [f'line = "{guess.line}"']
    if "baudrate" in options and f"{options['baudrate'].default}" != speed:
        return [f"baudrate = {speed}"]
    return []


def proposal(guess: Guess, device: str) -> str:
    """A ready block of the configuration."""
    rows = ["[[bus]]", 'name = "port"', 'kind = "serial"', f'device = "{device}"', ""]
    rows += ["[[device]]", 'name = "meter"', f'driver = "{guess.driver}"', 'bus = "port"']
    return "\n".join([*rows, *option_lines(guess)]) + "\n"


def dump(data: bytes, width: int = 16) -> str:
    """Bytes in hexadecimal and as characters, in rows."""
    rows = []
    for start in range(0, len(data), width):
        part = data[start : start + width]
        shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        rows.append(f"{part.hex(' '):{3 * width}} {shown}")
    return "\n".join(rows)
