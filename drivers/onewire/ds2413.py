"""DS2413: two contacts on 1-Wire (Maxim 19-4916), through the kernel's w1_ds2413.

Its pins as outputs: driver ds2413_output. Wiring and config: hardware/ds2413.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, Option, OptionError, Reading
from drivers.onewire import w1

ADDRESS = Annotated[str, Option("its id in /sys/bus/w1/devices", example="3a-0000001a2b3c")]

PIN_A, LATCH_A, PIN_B, LATCH_B = 0x01, 0x02, 0x04, 0x08
"""Bits of the PIO status (figure 7); the high nibble is their complement. A latch of 1 is off."""

THREAD = "onewire switches"
"""Without a bus these wait for no conversion of a thermometer."""


class Ds2413:
    """Both pins in one read; true is a contact that closes to ground."""

    channels: Sequence[Channel] = (Channel("a", "state"), Channel("b", "state"))

    def __init__(
        self,
        *,
        address: ADDRESS,
        root: Annotated[str, Option("where sys is mounted, for use in a container")] = "/",
    ) -> None:
        check_address(address)
        self._address = address
        self._root = root

    def start(self) -> None:
        w1.find(self._root, self._address)

    def read(self) -> Sequence[Reading]:
        return decode(w1.read(w1.find(self._root, self._address) / "state"))

    def close(self) -> None:
        pass


def check_address(address: str) -> None:
    if not re.fullmatch(r"(3a|85)-[0-9a-f]{12}", address):
        raise OptionError(f"address: {address!r} is no id of a DS2413, as 3a-0000001a2b3c")


def status(state: bytes) -> int:
    """The low nibble of the PIO status. CorruptData where the complement does not fit."""
    if len(state) != 1:
        raise CorruptData(f"state has {len(state)} bytes, not 1")
    low, high = state[0] & 0x0F, state[0] >> 4
    if high != low ^ 0x0F:
        raise CorruptData(f"state 0x{state[0]:02x}: the halves do not complement each other")
    return low


def decode(state: bytes) -> list[Reading]:
    pins = status(state)
    return [Reading("a", not pins & PIN_A), Reading("b", not pins & PIN_B)]


DRIVER = Ds2413
