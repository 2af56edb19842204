"""LM75, LM75A, LM75B, TMP75, TMP102, PCT2075: temperature (TI SNOS808P, TI SBOS397H, NXP LM75B).

All keep the temperature in the same register, left-aligned; they differ in how many bits mean
something. Wiring and config: hardware/lm75.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from drivers.base import Channel, CorruptData, I2CBus, Option, Quality, Reading

TEMPERATURE = 0x00
CONFIGURATION = 0x01

Chip = Literal["lm75", "lm75b", "tmp75", "tmp102", "pct2075"]

_CHIPS = {
    # configuration to write: converting, comparator mode; first conversion, s; lowest °C
    "lm75": (b"\x00", 0.3, -55.0),
    "lm75b": (b"\x00", 0.1, -55.0),
    "pct2075": (b"\x00", 0.1, -55.0),
    "tmp75": (b"\x60", 0.3, -40.0),  # R1 R0 = 11: 12 bits, 220 ms
    "tmp102": (b"\x60\xa0", 0.035, -40.0),  # the reset value: 12 bits, 4 Hz, not extended
}

READ_ONLY = {"tmp102": b"\x00\x20"}
"""AL, the comparator's answer, is 0 from 80 °C on until it is below 75 °C (SBOS397H, alert)."""
T_MAX = 125.0


class Lm75:
    channels: Sequence[Channel] = (Channel("temperature", "temperature", digits=3),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x48 plus A0, A1, A2", low=0x48, high=0x4F)] = 0x48,
        chip: Annotated[Chip, Option("which of them")] = "lm75",
    ) -> None:
        self._bus = bus
        self._address = address
        self._configuration, self._conversion_s, self._t_min = _CHIPS[chip]
        self._read_only = READ_ONLY.get(chip, b"")

    def start(self) -> Generator[float, None, None]:
        """Write the configuration and read it back: these chips have no id."""
        self._bus.write(self._address, bytes([CONFIGURATION]) + self._configuration)
        count = len(self._configuration)
        got = self._bus.write_read(self._address, bytes([CONFIGURATION]), count)
        if _differ(got, self._configuration, self._read_only):
            raise CorruptData(
                f"configuration reads {got.hex()}, not {self._configuration.hex()}: another chip "
                f"at 0x{self._address:02x}? an ADS1115 or a TMP117 may be there"
            )
        yield self._conversion_s

    def read(self) -> Sequence[Reading]:
        data = self._bus.write_read(self._address, bytes([TEMPERATURE]), 2)
        return decode(data, self._t_min)

    def close(self) -> None:
        pass


def _differ(got: bytes, wanted: bytes, read_only: bytes) -> bool:
    ignored = int.from_bytes(read_only, "big")
    return (int.from_bytes(got, "big") ^ int.from_bytes(wanted, "big")) & ~ignored != 0


def decode(data: bytes, t_min: float = -55.0) -> list[Reading]:
    """Two's complement, 1/256 °C, of which the upper 9 to 12 bits are used (SBOS397, table 8-2)."""
    temperature = int.from_bytes(data, "big", signed=True) / 256
    good = t_min <= temperature <= T_MAX
    return [Reading("temperature", temperature, Quality.GOOD if good else Quality.UNCERTAIN)]


DRIVER = Lm75
