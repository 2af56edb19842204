"""ADS1115, ADS1015: four analogue inputs, 16 or 12 bits (TI SBAS444E, SBAS473F).

One single-shot conversion an input a reading (SBAS444E, 7.4.2.1). Wiring and config:
hardware/ads1115.md.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from drivers.base import (
    Channel,
    CorruptData,
    I2CBus,
    NoAnswer,
    Option,
    OptionError,
    Quality,
    Reading,
)  # fmt: skip
from drivers.scaling import Scaling, scaled

CONVERSION = 0x00
CONFIG = 0x01
LO_THRESH = 0x02
HI_THRESH = 0x03

OS = 0x8000
"""Written: start a conversion. Read: none is going on."""
MODE_SINGLE = 0x0100
COMP_QUE_DISABLE = 0x0003

MUX = {"0-1": 0, "0-3": 1, "1-3": 2, "2-3": 3, "0": 4, "1": 5, "2": 6, "3": 7}
"""MUX[2:0]: what is measured against what; a single number against ground (table 8-3)."""

PGA = {6.144: 0, 4.096: 1, 2.048: 2, 1.024: 3, 0.512: 4, 0.256: 5}
"""PGA[2:0]: the full-scale range, V."""

DR_16 = {"ads1115": (4, 0.0086), "ads1015": (1, 0.0045)}
"""DR[2:0], and seconds of one conversion: 128 and 250 a second, the clock 10 % slow (5.5), with
the time to wake up."""

POLLS, POLL_S = 5, 0.002

FULL_SCALE = 0x7FFF
FULL_SCALE_12 = 0x7FF0

THRESHOLDS = {LO_THRESH: 0x8000, HI_THRESH: 0x7FFF}
"""After a reset (8.1.4). No other chip at these addresses has both."""

Pins = Literal["0", "1", "2", "3", "0-1", "0-3", "1-3", "2-3"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(Scaling):
    pins: Annotated[Pins, Option("AIN0 to AIN3 against ground, or one against another")]
    range: Annotated[
        float,
        Option("full scale, V; the pin itself never above the supply", choices=tuple(PGA)),
    ] = 4.096


class Ads1115:
    """Its inputs one after the other; each is a channel with a meaning of its own."""

    def __init__(
        self,
        bus: I2CBus,
        *,
        inputs: Annotated[Mapping[str, Input], Option("channel name = { pins = ... }")],
        address: Annotated[
            int, Option("0x48 with ADDR at GND, VDD 0x49, SDA 0x4A, SCL 0x4B", low=0x48, high=0x4B)
        ] = 0x48,
        chip: Annotated[Literal["ads1115", "ads1015"], Option("which of them")] = "ads1115",
    ) -> None:
        if not inputs:
            raise OptionError("inputs: name at least one")
        self.channels: Sequence[Channel] = [one.channel(name) for name, one in inputs.items()]
        self._bus = bus
        self._address = address
        self._inputs = inputs
        self._rate, self._conversion_s = DR_16[chip]
        self._full_scale = FULL_SCALE if chip == "ads1115" else FULL_SCALE_12

    def start(self) -> None:
        """The chip has no id; its comparator's thresholds are as after a reset."""
        for register, wanted in THRESHOLDS.items():
            found = self._word(register)
            if found & 0xFFF0 != wanted & 0xFFF0:
                raise CorruptData(
                    f"register {register} at 0x{self._address:02x} reads 0x{found:04x}, not "
                    f"0x{wanted:04x}: another chip? a TMP117, TMP102 or LM75 may be there"
                )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        readings = []
        for name, one in self._inputs.items():
            raw = yield from self._convert(one)
            readings.append(decode(raw, name, one, self._full_scale))
        return readings

    def close(self) -> None:
        pass

    def _convert(self, one: Input) -> Generator[float, None, bytes]:
        config = config_word(one, self._rate)
        self._bus.write(self._address, bytes([CONFIG]) + config.to_bytes(2, "big"))
        yield self._conversion_s
        for _ in range(POLLS):
            now = self._word(CONFIG)
            if (now ^ config) & ~OS & 0xFFFF:
                raise CorruptData(f"config reads 0x{now:04x}, not 0x{config:04x}: reset meanwhile?")
            if now & OS:
                return self._bus.write_read(self._address, bytes([CONVERSION]), 2)
            yield POLL_S
        raise NoAnswer(f"0x{self._address:02x}: no conversion ended")

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "big")


def config_word(one: Input, rate: int) -> int:
    """Start one conversion of this input, the comparator off (table 8-3)."""
    start = OS | MODE_SINGLE | COMP_QUE_DISABLE
    return start | MUX[one.pins] << 12 | PGA[one.range] << 9 | rate << 5


def decode(data: bytes, name: str, one: Input, full_scale: int = FULL_SCALE) -> Reading:
    """Two's complement of the full scale (7.5.3). At its end the input is higher: no value."""
    code = int.from_bytes(data, "big", signed=True)
    reading = scaled(name, one, code * one.range / 32768)
    clipped = code >= full_scale or code <= -32768
    return reading._replace(value=None, quality=Quality.BAD) if clipped else reading


DRIVER = Ads1115
