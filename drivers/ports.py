"""The real serial ports: ttys and network transports, through pyserial; no other module imports it.

A port forgets a descriptor that failed, so an adapter that was pulled out and put back works again
at the next `open`.
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

from drivers.base import BusFault, BusMissing, DriverError, LineSettings

_RFC2217 = "rfc2217://"
_NETWORK = ("socket://", _RFC2217)
"""Transports that cannot be locked."""

_RTS_SENDING = {"high": True, "low": False}


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

    def __init__(self, device: str, rts: str = "") -> None:
        """rts: "high" or "low" while sending, for an RS-485 adapter that is switched by this
        program; "kernel": by the driver of the UART; "": the adapter does it by itself."""
        self._device = device
        self._rts = rts
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
            if self._rts in _RTS_SENDING:
                _write_by_rts(port, data, _RTS_SENDING[self._rts])
            else:
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
        # pyserial's RFC 2217 has no time-out for writing; TCP ends it there.
        limit = None if self._device.startswith(_RFC2217) else self.WRITE_TIMEOUT_S
        port = serial.serial_for_url(
            self._device,
            do_not_open=True,
            timeout=0,
            write_timeout=limit,
            exclusive=None if self._device.startswith(_NETWORK) else True,
            **_settings(line),
        )
        if self._rts == "kernel":
            from serial.rs485 import RS485Settings  # only where it is asked for

            port.rs485_mode = RS485Settings()
        elif self._rts:
            port.rts = not _RTS_SENDING[self._rts]  # listening, from the moment it opens
        port.open()
        return port

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


def _write_by_rts(port: serial.Serial, data: bytes, sending: bool) -> None:
    """RTS holds the sender of an RS-485 adapter on while data goes out, and no longer.

    The kernel's word that all is sent may come before a USB adapter has sent it, so the time on
    the wire is waited for as well.
    """
    bits = 1 + port.bytesize + (port.parity != "N") + port.stopbits
    over = time.monotonic() + len(data) * bits / port.baudrate
    port.rts = sending
    try:
        port.write(data)
        port.flush()
        time.sleep(max(0.0, over - time.monotonic()))
    finally:
        port.rts = not sending


def _told(line: LineSettings) -> str:
    return f"{line.baudrate} {line.bytesize}{line.parity}{line.stopbits:g}"


def _settings(line: LineSettings) -> dict[str, Any]:
    return {
        "baudrate": line.baudrate,
        "bytesize": line.bytesize,
        "parity": line.parity,
        "stopbits": line.stopbits,
    }
