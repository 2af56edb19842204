"""VEML7700: light from 0.0042 lx to 140,000 lx (Vishay 84286, revision 1.8; 84323).

84323 is "Designing the VEML7700 Into an Application": when to change gain and time, and what makes
the answer straight above 1000 lx. Wiring and config: hardware/veml7700.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, I2CBus, Option, Quality, Reading

ALS_CONF = 0x00
POWER_SAVING = 0x03
ALS = 0x04

SHUT_DOWN = 0x0001

STEPS = (
    # ALS_GAIN[12:11], ALS_IT[9:6], gain, integration time in s
    (0b10, 0b1100, 0.125, 0.025),
    (0b10, 0b0000, 0.125, 0.1),
    (0b11, 0b0000, 0.25, 0.1),
    (0b00, 0b0000, 1.0, 0.1),
    (0b01, 0b0000, 2.0, 0.1),
    (0b01, 0b0010, 2.0, 0.4),
    (0b01, 0b0011, 2.0, 0.8),
)
"""From the least sensitive to the most."""
FIRST = 1

LX_PER_COUNT = 0.0042
"""At gain 2 and 800 ms, table "resolution"; other settings in proportion. Up to revision 1.4 of
the data sheet this was 0.0036."""
GAIN_MAX, TIME_MAX = 2.0, 0.8

DARK, BRIGHT = 100, 10000
"""Counts below which the next step up is better, and above which the next step down (84323)."""
FULL = 0xFFFF

START_S = 0.0025
"""From shut-down to the first integration."""
CLOCK = 1.25
"""The chip's clock may be so much slow; twice the time, for a reading after the setting."""

POLYNOMIAL = (6.0135e-13, -9.3924e-9, 8.1488e-5, 1.0023, 0.0)
"""Of the lux that the counts give, for gain 1/4 and 1/8 (84323)."""


class Veml7700:
    """One integration a reading, at the step that fits; more while the light jumps."""

    channels: Sequence[Channel] = (Channel("illuminance", "illuminance", digits=3),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("the only one", choices=(0x10,))] = 0x10,
    ) -> None:
        self._bus = bus
        self._address = address
        self._step = FIRST

    def start(self) -> None:
        """Power saving off; the register reads back, which tells that it is there."""
        self._write(POWER_SAVING, 0)
        found = self._word(POWER_SAVING)
        if found & 0x7:
            raise CorruptData(
                f"power saving reads 0x{found:04x} at 0x{self._address:02x}: another chip? a "
                "VEML6075 may be there"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        tried = {self._step}
        count = yield from self._integrate(self._step)
        while (step := next_step(self._step, count)) not in tried:
            self._step = step
            tried.add(step)
            count = yield from self._integrate(step)
        return decode(count, self._step)

    def close(self) -> None:
        pass

    def _integrate(self, step: int) -> Generator[float, None, int]:
        """Settings change in shut-down; the first integration after it is a whole one."""
        gain, time, _, seconds = STEPS[step]
        conf = gain << 11 | time << 6
        self._write(ALS_CONF, conf | SHUT_DOWN)
        self._write(ALS_CONF, conf)
        yield START_S + 2 * CLOCK * seconds
        count = self._word(ALS)
        if self._word(ALS_CONF) != conf:
            raise CorruptData("the configuration is not as it was written: reset meanwhile?")
        self._write(ALS_CONF, conf | SHUT_DOWN)
        return count

    def _write(self, register: int, value: int) -> None:
        self._bus.write(self._address, bytes([register]) + value.to_bytes(2, "little"))

    def _word(self, register: int) -> int:
        return int.from_bytes(self._bus.write_read(self._address, bytes([register]), 2), "little")


def next_step(step: int, count: int) -> int:
    """The place in STEPS for the next try; the same when this one fits."""
    if count > BRIGHT:
        return max(0, step - 1)
    return min(len(STEPS) - 1, step + 1) if count < DARK else step


def decode(count: int, step: int) -> list[Reading]:
    """Lux. No value when the least sensitive step is full."""
    _, _, gain, seconds = STEPS[step]
    if count >= FULL:
        return [Reading("illuminance", None, Quality.BAD)]
    lux = count * LX_PER_COUNT * GAIN_MAX / gain * TIME_MAX / seconds
    return [Reading("illuminance", straightened(lux) if gain < 1 else lux)]


def straightened(lux: float) -> float:
    """The polynomial of 84323."""
    value = 0.0
    for coefficient in POLYNOMIAL:
        value = value * lux + coefficient
    return value


DRIVER = Veml7700
