"""PCA9685 at register level: sleep, prescaler, sixteen on and off times (NXP, revision 4, 7.3)."""

from __future__ import annotations

from drivers.simulated.bus import Registers

MODE1, MODE2, LED0, PRE_SCALE = 0x00, 0x01, 0x06, 0xFE
SLEEP, AUTO_INCREMENT = 0x10, 0x20


class Pca9685(Registers):
    def __init__(self) -> None:
        super().__init__({MODE1: b"\x11", MODE2: b"\x04", PRE_SCALE: b"\x1e"})
        for channel in range(16):
            self.memory[LED0 + 4 * channel + 3] = 0x10

    def write(self, data: bytes) -> None:
        """Without auto-increment every byte goes to the same register."""
        if len(data) > 1 and data[0] == PRE_SCALE and not self.memory[MODE1] & SLEEP:
            return  # taken in sleep alone
        step = bool(self.memory[MODE1] & AUTO_INCREMENT)
        for offset, value in enumerate(data[1:]):
            super().write(bytes([data[0] + (offset if step else 0), value]))
        self._pointer = data[0]

    def duty(self, channel: int) -> float:
        """Share of the time that this output is high."""
        on_l, on_h, off_l, off_h = self.memory[LED0 + 4 * channel :][:4]
        if off_h & 0x10:
            return 0.0
        if on_h & 0x10:
            return 1.0
        return ((off_l | off_h << 8) - (on_l | on_h << 8)) % 4096 / 4096


CHIP = Pca9685
