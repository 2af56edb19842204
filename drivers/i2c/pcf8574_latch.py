"""What the devices on one PCF8574 share: the byte that was last written (TI SCPS068J, 8.3).

The chip has no registers: a write sets all eight pins, a read tells what they are at, not what was
written. A pin at 1 is pulled up weakly and is an input; one at 0 is driven low. So who changes one
pin must know what the others were given, and the chip cannot say it.
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

from drivers.base import CorruptData, I2CBus

PINS = 8
AFTER_RESET = 0xFF

_latches: WeakKeyDictionary[I2CBus, dict[int, Pcf8574Latch]] = WeakKeyDictionary()


class Pcf8574Latch:
    """One a chip: `latch_of` gives the same one to all devices on it."""

    def __init__(self, address: int) -> None:
        self._address = address
        self.inputs = 0
        """Bits of the pins that are read: they have to stay at 1."""
        self._written: int | None = None
        """None until the first write: then the pins are as they are found."""

    def pins(self, bus: I2CBus) -> int:
        """What the pins are at. CorruptData when one that is driven low is high: it is not driven
        any more, because the chip was reset."""
        now = bus.read(self._address, 1)[0]
        if self._written is not None and now & ~self._written & 0xFF:
            raise CorruptData("a pin that is driven low is high: the chip was reset meanwhile")
        return now

    def change(self, bus: I2CBus, bit: int, high: bool) -> None:
        """Before the first write, what reads low is taken for driven low: an earlier run did it."""
        found = self._written
        before = bus.read(self._address, 1)[0] | self.inputs if found is None else found
        wanted = before | bit if high else before & ~bit
        bus.write(self._address, bytes([wanted]))
        self._written = wanted


def latch_of(bus: I2CBus, address: int) -> Pcf8574Latch:
    chips = _latches.setdefault(bus, {})
    return chips.setdefault(address, Pcf8574Latch(address))
