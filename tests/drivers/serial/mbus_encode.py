"""Builds M-Bus frames, and a bus with meters on it, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

HEADER = bytes.fromhex("78563412 2440 01 07 55 00 0000")


def frame(content: bytes, address: int = 1, ci: int = 0x72, control: int = 0x08) -> bytes:
    body = bytes([control, address, ci]) + content
    return bytes([0x68, len(body), len(body), 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])


def variable(*records: bytes, address: int = 1, header: bytes = HEADER) -> bytes:
    return frame(header + b"".join(records), address)


def bcd(value: int, length: int) -> bytes:
    digits = f"{abs(value):0{2 * length}d}"
    if value < 0:
        digits = "f" + digits[1:]
    return bytes.fromhex(digits)[::-1]


@dataclass
class Meter:
    """A slave: its telegrams, of which it sends the next when the frame count bit changes."""

    telegrams: Sequence[bytes]
    address: int = 1
    secondary: str = "1234567824400107"
    selected: bool = False
    last_fcb: int | None = None
    index: int = -1

    def __call__(self, request: bytes) -> bytes:
        if request[0] == 0x68:
            self.selected = matches(request, self.secondary)
            return b"\xe5" if self.selected else b""
        control, address = request[1], request[2]
        if address != self.address and not (address == 0xFD and self.selected):
            return b""
        if control == 0x40:
            self.last_fcb, self.index = None, -1
            self.selected = self.selected and address != 0xFD
            return b"\xe5" if address == self.address else b""
        if control & 0x20 != self.last_fcb:
            self.last_fcb, self.index = control & 0x20, self.index + 1
        return self.telegrams[min(self.index, len(self.telegrams) - 1)]


def matches(select: bytes, secondary: str) -> bool:
    octets = select[7:15]
    mask = (octets[3::-1] + octets[5:3:-1] + octets[6:]).hex().upper()
    return all(a in ("F", b) for a, b in zip(mask, secondary, strict=True))


@dataclass
class Bus:
    """Several meters: what they say at once becomes one heap of bytes."""

    meters: list[Meter] = field(default_factory=list)

    def __call__(self, request: bytes) -> bytes:
        answers = [answer for meter in self.meters if (answer := meter(request))]
        if len(answers) < 2 or all(answer == b"\xe5" for answer in answers):
            return answers[0] if answers else b""
        # A space of either is a space on the line; no two begin at the same moment.
        first, second = answers[:2]
        return bytes(a & b for a, b in zip(first, b"\xff" + second, strict=False))
