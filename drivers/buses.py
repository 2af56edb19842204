"""The real I2C buses: Linux adapters through smbus2, which no other module imports.

A bus opens on first use and forgets a descriptor that failed, so an adapter that was pulled out and
put back works again at the next call.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from smbus2 import I2cFunc, SMBus, i2c_msg

from drivers.base import BusFault, BusMissing, DriverError, NoAnswer

SMBUS_BLOCK_MAX = 32
"""I2C_SMBUS_BLOCK_MAX of linux/i2c.h: bytes in one block transfer."""

NOT_ACKNOWLEDGED = frozenset({errno.ENXIO, errno.EREMOTEIO, errno.ENODEV})
"""What adapters report for a silent address: Linux i2c/fault-codes says ENXIO, the Pi's own
controller (i2c-bcm2835) gives EREMOTEIO, and i2c-stub ENODEV."""

_FAULTS = {
    errno.EAGAIN: "another master won the bus",
    errno.ETIMEDOUT: "the transfer did not end: SDA or SCL is held low, or a chip stretches the "
    "clock for too long; `tidegate unstick` tells",
    errno.EBUSY: "a kernel driver owns this address; unload it or remove its overlay",
    errno.EACCES: "no permission; add the user to the group i2c: sudo adduser USER i2c",
}


class LinuxI2C:
    """An I2CBus on /dev/i2c-N. One thread at a time calls it.

    Adapters that have only SMBus transfers (no I2C_FUNC_I2C) are used with the transfer that puts
    the same bytes on the wire; BusFault where there is none.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._bus: SMBus | None = None

    def read(self, address: int, count: int) -> bytes:
        with self._opened(address) as bus:
            return _read(bus, address, count)

    def write(self, address: int, data: bytes) -> None:
        with self._opened(address) as bus:
            _write(bus, address, data)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        with self._opened(address) as bus:
            return _write_read(bus, address, data, count)

    def close(self) -> None:
        if self._bus is not None:
            self._bus.close()
            self._bus = None

    @contextmanager
    def _opened(self, address: int) -> Iterator[SMBus]:
        try:
            if self._bus is None:
                self._bus = SMBus(self._device)
            yield self._bus
        except DriverError:
            raise
        except OSError as error:
            raise self._explained(error, address) from error

    def _explained(self, error: OSError, address: int) -> DriverError:
        if not os.path.exists(self._device):
            self.close()
            return BusMissing(
                f"{self._device} does not exist; for the Pi's own bus: "
                "sudo raspi-config nonint do_i2c 0"
            )
        if self._bus is not None and error.errno in NOT_ACKNOWLEDGED:
            if error.errno == errno.ENODEV:
                self.close()  # perhaps a new adapter bears the old name
            return NoAnswer(f"no answer at 0x{address:02x} on {self._device}")
        self.close()
        why = _FAULTS.get(error.errno or 0, error.strerror or str(error))
        return BusFault(f"{self._device}, address 0x{address:02x}: {why}")


def _has_i2c(bus: SMBus) -> bool:
    return bool(bus.funcs & I2cFunc.I2C)


def _read(bus: SMBus, address: int, count: int) -> bytes:
    if _has_i2c(bus):
        answer = i2c_msg.read(address, count)
        bus.i2c_rdwr(answer)
        return bytes(answer)
    if count != 1:
        raise BusFault(f"this adapter has SMBus only and cannot read {count} bytes at once")
    return bytes([bus.read_byte(address)])


def _write(bus: SMBus, address: int, data: bytes) -> bytes:
    if _has_i2c(bus):
        bus.i2c_rdwr(i2c_msg.write(address, data))
    elif not data or len(data) > SMBUS_BLOCK_MAX + 1:
        raise BusFault(f"this adapter has SMBus only and cannot write {len(data)} bytes at once")
    elif len(data) == 1:
        bus.write_byte(address, data[0])
    elif len(data) == 2:
        bus.write_byte_data(address, data[0], data[1])
    elif len(data) == 3:
        bus.write_word_data(address, data[0], int.from_bytes(data[1:], "little"))
    else:
        bus.write_i2c_block_data(address, data[0], list(data[1:]))
    return b""


def _write_read(bus: SMBus, address: int, data: bytes, count: int) -> bytes:
    if _has_i2c(bus):
        answer = i2c_msg.read(address, count)
        bus.i2c_rdwr(i2c_msg.write(address, data), answer)
        return bytes(answer)
    if len(data) != 1 or count > SMBUS_BLOCK_MAX:
        raise BusFault(
            f"this adapter has SMBus only and cannot write {len(data)} bytes, then read {count}"
        )
    if count == 1:
        return bytes([bus.read_byte_data(address, data[0])])
    if count == 2:
        return bus.read_word_data(address, data[0]).to_bytes(2, "little")
    return bytes(bus.read_i2c_block_data(address, data[0], count))
