"""Finds the meters of an M-Bus by trying secondary addresses: EN 13757-7, 6.6 (wildcard search)."""

from __future__ import annotations

from collections.abc import Generator

from drivers.base import CorruptData, NoAnswer
from drivers.serial.mbus_header import LONG_HEADER
from drivers.serial.mbus_link import ACKNOWLEDGE, SELECTED, Link

DIGITS = 8


def search(link: Link, known: str = "") -> Generator[float, None, list[str]]:
    """Secondary addresses, 16 hexadecimal digits each, of all meters whose number begins so.

    Each digit is tried in turn; where several meters answer at once, which garbles the answer, the
    next digit tells them apart. 80 requests find a lone meter, some more each further one.
    """
    found: list[str] = []
    for digit in "0123456789":
        mask = known + digit
        answer = yield from link.select(mask.ljust(DIGITS, "F"))
        if not answer:
            continue
        one = (yield from _address(link)) if answer == ACKNOWLEDGE else None
        if one is not None:
            found.append(one)
        elif len(mask) < DIGITS:
            found += yield from search(link, mask)
    return found


def _address(link: Link) -> Generator[float, None, str | None]:
    """The address of the selected meter; None when more than one speaks."""
    try:
        frame = yield from link.data(SELECTED, fcb=True)
    except (NoAnswer, CorruptData):
        return None
    head = frame.data[:LONG_HEADER]
    return (head[3::-1] + head[5:3:-1] + head[6:8]).hex().upper()
