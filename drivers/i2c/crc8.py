"""The checksum of Sensirion's sensors and of those that copied it. Pure."""

from __future__ import annotations

from drivers.base import CorruptData

POLYNOMIAL = 0x31
"""x^8 + x^5 + x^4 + 1."""


def crc8(data: bytes, initial: int = 0xFF) -> int:
    """Most significant bit first, no final XOR: 0xBEEF gives 0x92 (SHT3x data sheet, table 20)."""
    value = initial
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value << 1 ^ POLYNOMIAL if value & 0x80 else value << 1) & 0xFF
    return value


def words(data: bytes) -> list[int]:
    """16-bit words, each with its checksum behind it. CorruptData names the word that is wrong."""
    found = []
    for start in range(0, len(data), 3):
        word, check = data[start : start + 2], data[start + 2]
        if crc8(word) != check:
            raise CorruptData(
                f"word {start // 3}: {word.hex()} has the checksum 0x{check:02x}, "
                f"not 0x{crc8(word):02x}"
            )
        found.append(int.from_bytes(word, "big"))
    return found


def command(code: int, *arguments: int) -> bytes:
    """A 16-bit command of Sensirion's sensors, each argument a 16-bit word with its checksum."""
    data = code.to_bytes(2, "big")
    for argument in arguments:
        word = argument.to_bytes(2, "big")
        data += word + bytes([crc8(word)])
    return data
