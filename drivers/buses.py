"""The real buses: Linux I2C adapters through smbus2, serial lines through pyserial.

No other module imports these two libraries. Both buses open on first use and forget a descriptor
that failed, so an adapter that was pulled out and put back works again at the next call.
"""

from __future__ import annotations

import errno
import os
import select
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import serial
from smbus2 import I2cFunc, SMBus, i2c_msg

from drivers.base import BusFault, BusMissing, DriverError, LineSettings, NoAnswer

SMBUS_BLOCK_MAX = 32
"""I2C_SMBUS_BLOCK_MAX of linux/i2c.h: bytes in one block transfer."""

NOT_ACKNOWLEDGED = frozenset({errno.ENXIO, errno.EREMOTEIO, errno.ENODEV})
"""What adapters report for a silent address: Linux i2c/fault-codes says ENXIO, the Pi's own
controller (i2c-bcm2835) gives EREMOTEIO, and i2c-stub ENODEV."""

_FAULTS = {
    errno.EAGAIN: "another master won the bus",
    errno.ETIMEDOUT: "the transfer did not end: SDA or SCL is held low, or a chip stretches the "
    "clock for too long",
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


class TtyPort:
    """A SerialPort on a tty or a pyserial URL (`socket://HOST:PORT`, `rfc2217://HOST:PORT`).

    Name a tty by its stable link in /dev/serial/by-id or by-path; ttyUSB numbers change. The port
    is locked against other programs. A socket has no line settings: the far end has them.
    """

    POLL_S = 0.005
    """Between looks at a transport that has no descriptor (rfc2217)."""

    WRITE_TIMEOUT_S = 5.0
    """A line that takes nothing for so long is faulty; 300 baud moves 150 bytes meanwhile."""

    RECEIVE_MAX = 4096
    """Bytes of one receive: about what the kernel holds for a tty."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._port: serial.Serial | None = None
        self._line: LineSettings | None = None

    def open(self, line: LineSettings) -> None:
        try:
            if self._port is None:
                self._port = self._new(line)
            elif line != self._line:
                self._port.flush()  # a new speed would garble what is still going out
                self._port.apply_settings(_settings(line))
            self._line = line
        except termios.error as error:  # glibc's way to say that parity or size were not taken
            self.close()
            raise BusFault(f"{self._device} cannot be set to {_told(line)}: {error}") from error
        except (OSError, ValueError) as error:
            raise self._explained(error) from error

    def receive(self) -> bytes:
        with self._in_use() as port:
            return port.read(self.RECEIVE_MAX)

    def read(self, count: int, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        data = b""
        with self._in_use() as port:
            while len(data) < count:
                data += port.read(count - len(data))
                left = deadline - time.monotonic()
                if len(data) == count or left <= 0:
                    break
                self._wait(left)
        return data

    def write(self, data: bytes) -> None:
        with self._in_use() as port:
            port.write(data)

    def discard(self) -> None:
        with self._in_use() as port:
            port.reset_input_buffer()

    def fileno(self) -> int | None:
        try:
            return None if self._port is None else int(self._port.fileno())
        except OSError:  # io.UnsupportedOperation: the transport has none
            return None

    def close(self) -> None:
        if self._port is not None:
            self._port.close()
            self._port = None

    @contextmanager
    def _in_use(self) -> Iterator[serial.Serial]:
        if self._port is None:
            raise BusFault(f"{self._device} is not open")
        try:
            yield self._port
        except (OSError, termios.error) as error:
            raise self._explained(error) from error

    def _new(self, line: LineSettings) -> serial.Serial:
        return serial.serial_for_url(
            self._device,
            timeout=0,
            write_timeout=self.WRITE_TIMEOUT_S,
            exclusive=None if "://" in self._device else True,
            **_settings(line),
        )

    def _wait(self, seconds: float) -> None:
        """Until bytes wait, or seconds are over. pyserial's own time-out is not used: setting it
        configures the port anew each time."""
        descriptor = self.fileno()
        if descriptor is None:
            time.sleep(min(seconds, self.POLL_S))
        else:
            select.select([descriptor], [], [], seconds)

    def _explained(self, error: Exception) -> DriverError:
        self.close()
        if "://" not in self._device and not os.path.exists(self._device):
            return BusMissing(
                f"{self._device} does not exist; plugged in? see: ls /dev/serial/by-id"
            )
        code = getattr(error, "errno", None)
        if code == errno.EAGAIN:
            return BusFault(f"{self._device} is in use by another program; see: fuser -v")
        if code == errno.EACCES:
            return BusFault(
                f"{self._device}: no permission; add the user to the group dialout: "
                "sudo adduser USER dialout"
            )
        return BusFault(f"{self._device}: {error}")


def _told(line: LineSettings) -> str:
    return f"{line.baudrate} {line.bytesize}{line.parity}{line.stopbits:g}"


def _settings(line: LineSettings) -> dict[str, Any]:
    return {
        "baudrate": line.baudrate,
        "bytesize": line.bytesize,
        "parity": line.parity,
        "stopbits": line.stopbits,
    }
