"""General block transfer: a message in numbered blocks, each in a frame of its own. Pure.

DLMS UA 1000-2 (Green Book), 9.4.6.13. Landis+Gyr E450 and E570 push so; a message may be ciphered
as a whole before it is cut.

    E0  control  number (2)  acknowledged (2)  length  data
"""

from __future__ import annotations

from typing import NamedTuple

from drivers.serial.dlms_data import Malformed, length

BLOCK = 0xE0
LAST = 0x80
_LENGTH_AT = 6


class Block(NamedTuple):
    """number: from 1; last: no further block follows."""

    number: int
    last: bool
    data: bytes


def block(content: bytes) -> Block:
    """The block that a frame's content is. Malformed."""
    size, at = length(content, _LENGTH_AT)
    if content[0] != BLOCK or len(content) != at + size:
        raise Malformed(f"a block of {size} bytes in a frame with {len(content) - at}")
    number = int.from_bytes(content[2:4], "big")
    return Block(number, bool(content[1] & LAST), content[at:])
