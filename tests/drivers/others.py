"""Drivers of others on our simulated chips: the buses that they want, in front of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drivers.base import DriverError, I2CBus, Sensor
from gateway.attached import steps_of
from tests.fakes import FakeClock, finish, values


def ours(sensor: Sensor, clock: FakeClock) -> dict[str, Any]:
    """What our driver reads first, by channel."""
    finish(steps_of(sensor.start()), clock)
    return dict(values(finish(steps_of(sensor.read()), clock)))


class BlinkaI2C:
    """busio.I2C, as Adafruit's drivers use it."""

    def __init__(self, bus: I2CBus, clock: FakeClock) -> None:
        self._bus = bus
        self._clock = clock

    def try_lock(self) -> bool:
        self._clock.now += 0.001  # some of them poll without a sleep
        return True

    def unlock(self) -> None:
        pass

    def writeto(self, address: int, data: Any, *, start: int = 0, end: int | None = None) -> None:
        payload = bytes(data)[start:end]
        if payload:  # an empty write probes, which our chips do not know
            self._bus.write(address, payload)

    def readfrom_into(
        self, address: int, data: bytearray, *, start: int = 0, end: int | None = None
    ) -> None:
        end = len(data) if end is None else end
        data[start:end] = self._bus.read(address, end - start)

    def writeto_then_readfrom(
        self,
        address: int,
        out: Any,
        into: bytearray,
        *,
        out_start: int = 0,
        out_end: int | None = None,
        in_start: int = 0,
        in_end: int | None = None,
    ) -> None:
        in_end = len(into) if in_end is None else in_end
        payload = bytes(out)[out_start:out_end]
        into[in_start:in_end] = self._bus.write_read(address, payload, in_end - in_start)


class SMBusFront:
    """smbus2.SMBus, as Pimoroni's drivers use it."""

    def __init__(self, bus: I2CBus) -> None:
        self._bus = bus

    def read_byte_data(self, address: int, register: int) -> int:
        return self.read_i2c_block_data(address, register, 1)[0]

    def read_i2c_block_data(self, address: int, register: int, count: int) -> list[int]:
        try:
            return list(self._bus.write_read(address, bytes([register]), count))
        except DriverError as error:
            raise OSError(str(error)) from error

    def write_byte_data(self, address: int, register: int, value: int) -> None:
        self._bus.write(address, bytes([register, value]))

    def write_i2c_block_data(self, address: int, register: int, values: Sequence[int]) -> None:
        self._bus.write(address, bytes([register, *values]))
