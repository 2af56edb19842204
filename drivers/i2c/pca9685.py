"""PCA9685: one of 16 PWM outputs, for a dimmer or a servo (NXP PCA9685, revision 4).

A value is 0 to 100 %. Of a servo, 0 and 100 % are the two ends of its pulse. Wiring and config:
hardware/pca9685.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Action, Channel, CorruptData, I2CBus, Option, OptionError, Value
from drivers.words import percent

MODE1 = 0x00
LED0_ON_L = 0x06
PRE_SCALE = 0xFE

SLEEP, AUTO_INCREMENT, RESTART = 0x10, 0x20, 0x80
STEPS = 4096
FULL = 0x10
"""Bit 4 of LEDn_ON_H: always on; of LEDn_OFF_H: always off, which wins (7.3.3)."""

OSCILLATOR_HZ = 25_000_000
"""Of the chip itself; typical, and up to 6 % beside it."""
OSCILLATOR_S = 0.0005
"""To start, maximum (7.3.1.1, note 2)."""


class Pca9685:
    """One channel. All channels of a chip have one frequency."""

    SHARES = "pca9685"
    action = Action.SET
    channels: Sequence[Channel] = (Channel("level", "level", digits=1),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        pin: Annotated[int, Option("channel, LED0 is 0", low=0, high=15)],
        address: Annotated[
            int, Option("0x40 plus A5 to A0; 0x70 is all chips", low=0x40, high=0x7F)
        ] = 0x40,
        frequency: Annotated[
            float, Option("of all channels; a servo wants 50", "Hz", low=24, high=1526)
        ] = 200.0,
        pulse: Annotated[
            tuple[float, float] | None, Option("servo: ms of the pulse at 0 and at 100 %")
        ] = None,
    ) -> None:
        self._bus = bus
        self._address = address
        self._first = LED0_ON_L + 4 * pin
        self._prescale = round(OSCILLATOR_HZ / (STEPS * frequency)) - 1
        tick_ms = 1000 * (self._prescale + 1) / OSCILLATOR_HZ
        self._ends = (0.0, float(STEPS))
        if pulse is not None:
            self._ends = (pulse[0] / tick_ms, pulse[1] / tick_ms)
            if not all(0 < end < STEPS for end in self._ends) or pulse[0] == pulse[1]:
                raise OptionError("pulse: two different lengths, each shorter than one period")
        self._servo = pulse is not None
        self._wanted: float | None = None

    def parse(self, value: Value) -> float:
        return percent(value, "off", "on")

    def start(self, value: Value | None) -> Generator[float, None, None]:
        """The channel's registers first, then the frequency, which is taken in sleep alone; the
        chip comes up asleep with all channels off. value None: as it is found, or last was."""
        wanted = self._wanted if value is None else float(value)
        if wanted is not None:
            self._write(wanted)
        mode = self._register(MODE1)
        if mode & SLEEP or self._register(PRE_SCALE) != self._prescale:
            asleep = (mode & ~RESTART & 0xFF) | SLEEP | AUTO_INCREMENT
            self._bus.write(self._address, bytes([MODE1, asleep]))
            self._bus.write(self._address, bytes([PRE_SCALE, self._prescale]))
            self._bus.write(self._address, bytes([MODE1, asleep & ~SLEEP]))
            yield OSCILLATOR_S
        if not self._register(MODE1) & AUTO_INCREMENT:
            raise CorruptData(f"MODE1 at 0x{self._address:02x} does not keep what is written")

    def set(self, value: Value) -> None:
        self._check()
        self._write(float(value))

    def state(self) -> float:
        self._check()
        data = self._bus.write_read(self._address, bytes([self._first]), 4)
        return decode(data, *self._ends, servo=self._servo)

    def close(self) -> None:
        """The chip keeps the level."""

    def safeguard(self, value: Value) -> Sequence[str]:
        data = encode(self.parse(value), *self._ends, servo=self._servo)
        at = f"i2c 0x{self._address:02x}"
        return tuple(f"{at} {self._first + n} 0xff {byte}" for n, byte in enumerate(data))

    def _write(self, level: float) -> None:
        data = encode(level, *self._ends, servo=self._servo)
        # Without auto-increment (after a reset) one byte a transfer is written.
        for offset, byte in enumerate(data):
            self._bus.write(self._address, bytes([self._first + offset, byte]))
        self._wanted = level

    def _check(self) -> None:
        if self._register(MODE1) & SLEEP:
            raise CorruptData("the chip sleeps: it was reset meanwhile")
        if self._register(PRE_SCALE) != self._prescale:
            raise CorruptData("another frequency is set: all channels of a chip have one")

    def _register(self, register: int) -> int:
        return self._bus.write_read(self._address, bytes([register]), 1)[0]


def encode(level: float, low: float, high: float, *, servo: bool) -> bytes:
    """LEDn_ON_L, ON_H, OFF_L, OFF_H for a level of 0 to 100 %, on from tick 0."""
    ticks = round(low + (high - low) * level / 100)
    if ticks <= 0 and not servo:
        return bytes([0, 0, 0, FULL])
    if ticks >= STEPS:
        return bytes([0, FULL, 0, 0])
    return bytes([0, 0, ticks & 0xFF, ticks >> 8])


def decode(data: bytes, low: float, high: float, *, servo: bool) -> float:
    """The level that these registers mean; one tick is 0.024 %."""
    if data[3] & FULL:
        ticks = 0
    elif data[1] & FULL:
        ticks = STEPS
    else:
        ticks = ((data[2] | data[3] << 8) - (data[0] | data[1] << 8)) % STEPS
    if servo and not ticks:
        return 0.0
    return min(100.0, max(0.0, 100 * (ticks - low) / (high - low)))


DRIVER = Pca9685
