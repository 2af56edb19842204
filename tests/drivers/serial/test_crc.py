"""Check values of the catalogue of parametrised CRC algorithms: the CRC of `123456789`."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.serial import crc


@pytest.mark.parametrize(
    ("function", "check"),
    [(crc.x25, 0x906E), (crc.kermit, 0x2189), (crc.arc, 0xBB3D), (crc.modbus, 0x4B37)],
)
def test_check_value(function: Callable[[bytes], int], check: int) -> None:
    assert function(b"123456789") == check


def test_check_value_as_sent() -> None:
    assert crc.sml_x25(b"123456789") == b"\x6e\x90"
    assert crc.sml_kermit(b"123456789") == b"\x21\x89"


def test_holley_message() -> None:
    """A message of a DTZ541, from SmlLib issue 22; it ends 63 56 5d 00."""
    message = bytes.fromhex(
        "7604000001620062007265000001017601010700000a583b800b0a01484c5902000159bb0101"
    )
    assert crc.sml_kermit(message) == b"\x56\x5d"


@given(st.binary(min_size=1, max_size=64), st.data())
def test_a_flipped_bit_changes_it(data: bytes, draw: st.DataObject) -> None:
    bit = draw.draw(st.integers(0, len(data) * 8 - 1))
    wrong = bytearray(data)
    wrong[bit // 8] ^= 1 << bit % 8
    for function in (crc.x25, crc.kermit, crc.arc, crc.modbus):
        assert function(bytes(wrong)) != function(data)
