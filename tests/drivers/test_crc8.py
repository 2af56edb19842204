"""The checksum against the values that four data sheets print."""

import pytest

from drivers.base import CorruptData
from drivers.i2c.crc8 import crc8, words


@pytest.mark.parametrize(
    ("data", "initial", "expected"),
    [
        ("beef", 0xFF, 0x92),  # SHT3x, table 20
        ("dc", 0x00, 0x79),  # HTU21D, CRC-8 examples
        ("683a", 0x00, 0x7C),
        ("4e85", 0x00, 0x6B),
    ],
)
def test_data_sheet_values(data: str, initial: int, expected: int) -> None:
    assert crc8(bytes.fromhex(data), initial) == expected


def test_words_are_checked_one_by_one() -> None:
    assert words(bytes.fromhex("beef92beef92")) == [0xBEEF, 0xBEEF]
    with pytest.raises(CorruptData, match="word 1"):
        words(bytes.fromhex("beef92beee92"))
