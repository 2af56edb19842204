"""MCP3004, MCP3008, MCP3204, MCP3208: analogue inputs on SPI (Microchip DS21295D, DS21298E).

10 or 12 bits, measured against the supply or a reference. Wiring and config: hardware/mcp3008.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from drivers.base import Channel, CorruptData, Option, OptionError, Quality, Reading, SPIBus
from drivers.scaling import Scaling, scaled

CHIPS = {"mcp3004": (10, 4), "mcp3008": (10, 8), "mcp3204": (12, 4), "mcp3208": (12, 8)}
"""Bits and inputs."""

HERTZ = 1_000_000
"""At 2.7 V the ten-bit chips take 1.35 MHz and the twelve-bit ones 1 MHz."""

Chip = Literal["mcp3004", "mcp3008", "mcp3204", "mcp3208"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Input(Scaling):
    pins: Annotated[str, Option("0 to 7 against ground, or a pair as 0-1 or 1-0", example="0")]


class Mcp3008:
    """Its inputs one after the other, 30 µs each."""

    def __init__(
        self,
        bus: SPIBus,
        *,
        inputs: Annotated[Mapping[str, Input], Option("channel name = { pins = ... }")],
        chip: Annotated[Chip, Option("which of them")] = "mcp3008",
        reference: Annotated[
            float, Option("voltage at VREF, the full scale", "V", low=0.25, high=5.5)
        ] = 3.3,
    ) -> None:
        if not inputs:
            raise OptionError("inputs: name at least one")
        self._bits, count = CHIPS[chip]
        self.channels: Sequence[Channel] = [one.channel(name) for name, one in inputs.items()]
        self._bus = bus
        self._reference = reference
        self._inputs = {
            name: (one, request(self._bits, one.pins, count)) for name, one in inputs.items()
        }

    def start(self) -> None:
        """The chips have no id: a first look tells whether a null bit comes where it should."""
        self.read()

    def read(self) -> Sequence[Reading]:
        readings = []
        for name, (one, data) in self._inputs.items():
            answer = self._bus.transfer(data, mode=0, hertz=HERTZ)
            code = code_of(answer, self._bits)
            readings.append(decode(code, self._bits, self._reference, name, one))
        return readings

    def close(self) -> None:
        pass


def request(bits: int, pins: str, count: int) -> bytes:
    """Start bit, SGL/DIFF, D2 to D0, so placed that the answer ends with the last byte.

    10 bits: 00000001 Sddd0000 00000000     12 bits: 000001Sd dd000000 00000000
    """
    plus, _, minus = pins.partition("-")
    if not plus.isdecimal() or int(plus) >= count:
        raise OptionError(f"pins: {pins!r} is not 0 to {count - 1}, or a pair as 0-1")
    code = 0b1000 | int(plus)
    if minus:
        if not minus.isdecimal() or int(minus) != int(plus) ^ 1:
            raise OptionError(f"pins: {pins!r}: pairs are 0-1, 1-0, 2-3, 3-2 and so on")
        code = int(plus)
    word = (0b10000 | code) << (12 if bits == 10 else 14)
    return word.to_bytes(3, "big")


def code_of(answer: bytes, bits: int) -> int:
    """The converter's code: the last bits, behind a null bit. CorruptData without the null bit."""
    word = int.from_bytes(answer, "big")
    if word >> bits & 1:
        raise CorruptData(f"no null bit in {answer.hex()}: is the chip there, and powered?")
    return word & (1 << bits) - 1


def decode(code: int, bits: int, reference: float, name: str, one: Input) -> Reading:
    """At the end of the range the input is higher: no value."""
    full = (1 << bits) - 1
    reading = scaled(name, one, code * reference / (full + 1))
    return reading._replace(value=None, quality=Quality.BAD) if code == full else reading


DRIVER = Mcp3008
