"""DS18B20, DS18S20, DS1822, DS1825, DS28EA00: temperature on 1-Wire (Maxim 19-7487, revision 6).

Through the kernel's w1_therm, whose timing no program in user space reaches. A conversion takes
0.75 s and holds the thread; all sensors of a bus convert together. Wiring and config:
hardware/ds18b20.md.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, ClassVar

from drivers.base import Channel, CorruptData, Option, OptionError, Quality, Reading
from drivers.onewire import w1
from drivers.onewire.bulk import Masters

FAMILIES = ("10", "22", "28", "3b", "42")
"""DS18S20, DS1822, DS18B20, DS1825, DS28EA00."""

POWER_UP_C = 85.0
"""What the scratchpad holds after power-up, before a conversion (table 1)."""
NO_POWER_C = 127.937
"""What a conversion without enough current gives: 127.9375, in the kernel's thousandths."""
RESERVED, NOT_CONVERTED = 6, 0x0C
"""Byte 6 of the scratchpad, and what it holds when nothing was converted (Linux
Documentation/w1/slaves/w1_therm.rst, features)."""

T_RANGE = (-55.0, 125.0)

THREAD = "onewire"
"""Without a bus these share a thread, which no other kind of device waits for."""

_LINES = re.compile(
    rb"(?P<raw>(?:[0-9a-f]{2} ){9}): crc=[0-9a-f]{2} (?P<crc>YES|NO)\n.* t=(?P<t>-?\d+)\s*", re.S
)


class Ds18b20:
    channels: Sequence[Channel] = (Channel("temperature", "temperature", digits=3),)
    masters: ClassVar[Masters] = Masters()
    """The kernel's, one for each bus and the whole process."""

    def __init__(
        self,
        *,
        address: Annotated[str, Option("its id in /sys/bus/w1/devices", example="28-0316a2794cff")],
        root: Annotated[str, Option("where sys is mounted, for use in a container")] = "/",
    ) -> None:
        if not re.fullmatch(rf"({'|'.join(FAMILIES)})-[0-9a-f]{{12}}", address):
            raise OptionError(f"address: {address!r} is no id of such a chip, as 28-0316a2794cff")
        self._address = address
        self._root = root

    def start(self) -> None:
        w1.find(self._root, self._address)

    def read(self) -> Sequence[Reading]:
        folder = w1.find(self._root, self._address)
        self.masters.of(folder).convert(self._address)
        return decode(w1.read(folder / "w1_slave"))

    def close(self) -> None:
        pass


def decode(text: bytes) -> list[Reading]:
    """Two lines of w1_slave: the scratchpad, its checksum, and thousandths of °C.

        50 05 4b 46 7f ff 0c 10 1c : crc=1c YES
        50 05 4b 46 7f ff 0c 10 1c t=85000

    An all-zero scratchpad passes the checksum: that is a line pulled to ground.
    """
    match = _LINES.fullmatch(text)
    if match is None:
        raise CorruptData(f"w1_slave reads {text[:80]!r}")
    if match["crc"] == b"NO":
        raise CorruptData(f"the scratchpad {match['raw'].decode()}has a wrong checksum")
    raw = bytes.fromhex(match["raw"].decode())
    celsius = int(match["t"]) / 1000
    suspect = celsius in (POWER_UP_C, NO_POWER_C)
    if not any(raw) or (suspect and raw[RESERVED] == NOT_CONVERTED):
        return [Reading("temperature", None, Quality.BAD)]
    # Clones have other reserved bytes: there 85.0 may be either.
    good = not suspect and T_RANGE[0] <= celsius <= T_RANGE[1]
    return [Reading("temperature", celsius, Quality.GOOD if good else Quality.UNCERTAIN)]


DRIVER = Ds18b20
