"""SPI chips as objects: each is the SPIBus of its own chip select, for the tests."""

from __future__ import annotations

import time
from collections.abc import Callable

from drivers.simulated.signals import Signal, present


class Mcp3008:
    """`inputs`: volts at CH0 and on; bits: 10 or 12 (Microchip DS21295D, figure 6-1)."""

    def __init__(self, *inputs: Signal, bits: int = 10, reference: float = 3.3) -> None:
        self.inputs = list(inputs)
        self._bits = bits
        self._reference = reference

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        assert mode in (0, 3) and len(data) == 3
        word = int.from_bytes(data, "big") >> (12 if self._bits == 10 else 14)
        assert word >> 4 == 1, "no start bit"
        channel = word & 0b111
        volts = present(self.inputs[channel])
        if not word & 0b1000:
            volts -= present(self.inputs[channel ^ 1])
        full = 1 << self._bits
        return max(0, min(full - 1, int(volts / self._reference * full))).to_bytes(3, "big")


class Max31855:
    """Temperatures in °C; fault: the three low bits (Maxim 19-5793, table 2)."""

    def __init__(self, thermocouple: Signal, cold: Signal = 25.0, fault: int = 0) -> None:
        self.thermocouple = thermocouple
        self.cold = cold
        self.fault = fault

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        high = (round(present(self.thermocouple) * 4) & 0x3FFF) << 2 | bool(self.fault)
        low = (round(present(self.cold) * 16) & 0xFFF) << 4 | self.fault
        return (high << 16 | low).to_bytes(4, "big")[: len(data)]


class Max31865:
    """Resistance in Ω; registers of Maxim 19-6478, table 1."""

    def __init__(
        self,
        ohm: Signal,
        *,
        reference: float = 430.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.ohm = ohm
        self.fault = 0
        self.memory = bytearray(bytes.fromhex("00 0000 ffff 0000 00"))
        self._reference = reference
        self._clock = clock
        self._ready: float | None = None

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        assert mode in (1, 3)
        self._convert()
        register = data[0] & 0x7F
        if not data[0] & 0x80:
            return b"\0" + bytes(self.memory[(register + i) % 8] for i in range(len(data) - 1))
        for offset, value in enumerate(data[1:]):
            self._set(register + offset, value)
        return bytes(len(data))

    def _set(self, register: int, value: int) -> None:
        if register == 0:
            if value & 0x20 and value & 0x80:
                self._ready = self._clock() + 0.0625
            value &= ~0x02  # fault clear clears itself
        self.memory[register] = value

    def _convert(self) -> None:
        if self._ready is not None and self._clock() >= self._ready:
            self._ready = None
            self.memory[0] &= ~0x20
            code = min(0x7FFF, round(present(self.ohm) / self._reference * 32768))
            self.memory[1:3] = (code << 1 | bool(self.fault)).to_bytes(2, "big")
            self.memory[7] = self.fault
