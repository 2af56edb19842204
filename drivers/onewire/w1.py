"""The kernel's 1-Wire devices in /sys/bus/w1: found by their id, read as files.

Linux Documentation/w1/w1-generic.rst. An id is family and serial number, as 28-0316a2794cff; it is
the chip's own, so it stays whatever is plugged where.
"""

from __future__ import annotations

import errno
from pathlib import Path

from drivers.base import BusFault, BusMissing, DriverError, NoAnswer

DEVICES = "sys/bus/w1/devices"
ADVICE = "in /boot/firmware/config.txt: dtoverlay=w1-gpio, then reboot"


def find(root: str, address: str) -> Path:
    """The folder of the device. BusMissing without a bus, NoAnswer without the device."""
    devices = Path(root, DEVICES)
    if not devices.is_dir():
        raise BusMissing(f"the kernel has no 1-Wire bus; {ADVICE}")
    found = devices / address
    if not found.is_dir():
        family = address.partition("-")[0]
        others = sorted(path.name for path in devices.glob(f"{family}-*"))
        hint = f"of its family there is: {', '.join(others)}" if others else "none of its family"
        raise NoAnswer(f"{address} is not on the bus; {hint}")
    return found


def read(path: Path) -> bytes:
    """NoAnswer too where the file is empty: the kernel's word for a device that is silent."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise explained(path, error) from error
    if not text:
        raise NoAnswer(f"{path.parent.name} does not answer")
    return text


def explained(path: Path, error: OSError) -> DriverError:
    """What a failed read or write of such a file means."""
    if error.errno in (errno.ENOENT, errno.ENODEV, errno.EIO, errno.ETIMEDOUT):
        return NoAnswer(f"{path.parent.name} does not answer: {error.strerror}")
    if error.errno in (errno.EACCES, errno.EPERM):
        return BusFault(f"no permission for {path}; a udev rule must give it to the group gpio")
    return BusFault(f"{path}: {error.strerror or error}")
