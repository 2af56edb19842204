"""One question to a serial port and its answer, for `tidegate safe`: in seconds, or not at all.

No library, and no call that may wait for ever: the port is opened without waiting for a carrier,
and what could not be sent is thrown away before it is closed: the kernel would wait half a minute
for it. A device that is dead or was interrupted must not keep the other outputs from their states.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager

SOCKET = "socket://"
QUIET_S = 0.05
"""The line has to be silent for so long before it is spoken on."""
NOISY_S = 0.5
LONGEST_LIMIT = 1.0
"""Seconds for the answer, whatever the configuration allows."""
CONNECT_S = 1.0

# pyserial's bits, from asm-generic/ioctls.h and termios.h.
TIOCMBIS, TIOCMBIC = 0x5416, 0x5417
RTS = struct.pack("I", 0x004)
SIZES = {"5": termios.CS5, "6": termios.CS6, "7": termios.CS7, "8": termios.CS8}
PARITIES = {"N": 0, "E": termios.PARENB, "O": termios.PARENB | termios.PARODD}


def ask(
    port: str, rts: str, who: str, line: str, limit: str, skip: str, sent: str, answer: str
) -> None:
    """port: a path, or socket://ADDRESS:PORT. rts: high or low while sending, or -. who: names the
    output in the file, nothing else. line: as 9600/8N1. limit: seconds for the answer. skip: bytes
    of echo before it. sent, answer: in hexadecimal. OSError, ValueError.
    """
    data, wanted = bytes.fromhex(sent), bytes.fromhex(answer)
    with _opened(port, line) as descriptor:
        _listen_until_quiet(descriptor)
        if rts in ("high", "low"):
            _send_by_rts(descriptor, data, rts == "high", line)
        else:
            _send(descriptor, data)
        heard = _hear(descriptor, wanted, int(skip), min(float(limit), LONGEST_LIMIT), line)
    if wanted not in heard[int(skip) :]:
        told = f"heard {heard.hex(' ')}" if heard else "no answer"
        raise OSError(f"{who}: {told}")


@contextmanager
def _opened(port: str, line: str) -> Iterator[int]:
    if port.startswith(SOCKET):
        host, _, number = port.removeprefix(SOCKET).rpartition(":")
        with socket.create_connection((host.strip("[]"), int(number)), CONNECT_S) as connection:
            connection.setblocking(False)
            yield connection.fileno()
        return
    descriptor = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _lock(descriptor)
        try:
            _set(descriptor, line)
            yield descriptor
        finally:
            termios.tcflush(descriptor, termios.TCIOFLUSH)
    except termios.error as error:
        raise OSError(*error.args) from error
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    """As pyserial does, so that the gateway is not disturbed if it runs after all."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OSError("in use by another program") from error


def _set(descriptor: int, line: str) -> None:
    """Raw, without flow control. ValueError for a speed that is none of the standard ones."""
    speed, _, frame = line.partition("/")
    code = getattr(termios, f"B{speed}", None)
    if code is None:
        raise ValueError(f"{speed} is no standard speed of a line")
    flags = SIZES[frame[0]] | PARITIES[frame[1]] | (termios.CSTOPB if frame[2] == "2" else 0)
    mode = termios.tcgetattr(descriptor)
    mode[:4] = [0, 0, flags | termios.CREAD | termios.CLOCAL, 0]
    mode[4:6] = [code, code]
    mode[6][termios.VMIN], mode[6][termios.VTIME] = 0, 0
    termios.tcsetattr(descriptor, termios.TCSANOW, mode)


def _listen_until_quiet(descriptor: int) -> None:
    """An answer that was under way to the dead process must not be taken for ours, and a device
    that is still in the middle of its frame would not hear us."""
    end = time.monotonic() + NOISY_S
    while time.monotonic() < end and select.select([descriptor], [], [], QUIET_S)[0]:
        if not os.read(descriptor, 4096):
            raise OSError("the connection was closed")


def _send(descriptor: int, data: bytes) -> None:
    while data:
        if not select.select([], [descriptor], [], LONGEST_LIMIT)[1]:
            raise OSError("the port takes nothing")
        data = data[os.write(descriptor, data) :]


def _send_by_rts(descriptor: int, data: bytes, high: bool, line: str) -> None:
    """RTS holds the sender of the adapter on while the bytes are on the wire, and no longer."""
    on, off = (TIOCMBIS, TIOCMBIC) if high else (TIOCMBIC, TIOCMBIS)
    over = time.monotonic() + len(data) * _character(line)
    fcntl.ioctl(descriptor, on, RTS)
    try:
        _send(descriptor, data)
        time.sleep(max(0.0, over - time.monotonic()))
    finally:
        fcntl.ioctl(descriptor, off, RTS)


def _hear(descriptor: int, wanted: bytes, skip: int, limit: float, line: str) -> bytes:
    """What came until the answer was in it, or the time was over."""
    heard = b""
    end = time.monotonic() + limit + 2 * (len(wanted) + skip) * _character(line)
    while wanted not in heard[skip:] and (left := end - time.monotonic()) > 0:
        if select.select([descriptor], [], [], left)[0]:
            data = os.read(descriptor, 4096)
            if not data:
                raise OSError("the connection was closed")
            heard += data
    return heard


def _character(line: str) -> float:
    """Seconds; the longest frame has 12 bits."""
    return 12 / float(line.partition("/")[0])
