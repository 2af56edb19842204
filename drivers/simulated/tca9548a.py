"""TCA9548A: a control register, and buses that hang on its channels (TI SCPS207H, 8.6)."""

from __future__ import annotations

from collections.abc import Mapping

from drivers.simulated.bus import Chip, Multiplexer


class Tca9548a(Multiplexer):
    """channels: number -> address -> chip."""

    def __init__(self, channels: Mapping[int, Mapping[int, Chip]] | None = None) -> None:
        self.channels = {number: dict(chips) for number, chips in (channels or {}).items()}
        self.control = 0

    def write(self, data: bytes) -> None:
        if data:
            self.control = data[-1]

    def read(self, count: int) -> bytes:
        return bytes([self.control]) * count

    def behind(self, address: int) -> list[Chip]:
        found: list[Chip] = []
        for number, chips in self.channels.items():
            if self.control >> number & 1:
                found += [chip for its, chip in chips.items() if its == address]
                for chip in chips.values():
                    if isinstance(chip, Multiplexer):
                        found += chip.behind(address)
        return found


CHIP = Tca9548a
