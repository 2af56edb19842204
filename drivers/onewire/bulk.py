"""The thermometers of a 1-Wire bus convert together: 0.75 s for all of them, not for each.

`therm_bulk_read` of the kernel's master (Linux Documentation/w1/slaves/w1_therm.rst): a write of
"trigger" has all sensors convert and returns when they have; the next read of each gives what it
converted then. Families without it (DS18S20) go on to convert one by one, when they are read.
"""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path

from drivers.base import NoAnswer
from drivers.onewire.w1 import explained

TRIGGER = b"trigger\n"
FRESH_S = 2.0
"""A value that was converted longer ago is no value of now, though nobody read it."""
SHORTEST_S = 0.05
"""A trigger that returns sooner converted nothing, which the kernel does not report: the shortest
conversion, of 9 bits, takes 93.75 ms (DS18B20, table 2)."""
REFUSED_S = 3600.0
"""The kernel refuses where a chip of another kind is on the bus, and logs it each time."""

NOT_TO_BE_HAD = frozenset({errno.ENOENT, errno.EACCES, errno.EPERM, errno.EROFS})
"""An older kernel, no thermometer that can, no right to write: each converts when it is read."""


def write(path: Path) -> None:
    """OSError. A file that is not there is not made."""
    with path.open("r+b", buffering=0) as file:
        file.write(TRIGGER)


class Master:
    """One bus, whoever asks: the kernel has one conversion at a time on it."""

    def __init__(
        self,
        folder: Path,
        *,
        trigger: Callable[[Path], None] = write,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._file = folder / "therm_bulk_read"
        self._trigger = trigger
        self._clock = clock
        self._lock = threading.Lock()
        self._converted = self._refused = float("-inf")
        self._read: set[str] = set()

    def convert(self, sensor: str) -> None:
        """Afterwards a read of the sensor gives a fresh value at once, or converts by itself.

        Blocks until the conversion is over. NoAnswer where nothing on the bus took it.
        """
        with self._lock:
            now = self._clock()
            fresh = sensor not in self._read and now - self._converted <= FRESH_S
            if fresh or (now - self._refused >= REFUSED_S and self._together(now)):
                self._read.add(sensor)

    def _together(self, began: float) -> bool:
        """Whether all of the bus converted."""
        self._read.clear()
        self._converted = float("-inf")
        try:
            self._trigger(self._file)
            ended = self._clock()
            marked = ended - began >= SHORTEST_S or self._file.read_bytes().strip() != b"0"
        except OSError as error:
            if error.errno not in NOT_TO_BE_HAD:
                raise explained(self._file, error) from error
            return False
        if not marked:
            self._refused = began
            return False
        if ended - began < SHORTEST_S:  # a read would give what was converted before
            raise NoAnswer("nothing on the 1-Wire bus took the command to convert")
        self._converted = ended
        return True


class Masters:
    """The masters by their folders: sensors of one, on whatever thread, share its conversions."""

    def __init__(self) -> None:
        self._masters: dict[Path, Master] = {}

    def of(self, device: Path) -> Master:
        """The one that the device hangs on; device: its folder in /sys/bus/w1/devices."""
        folder = device.resolve().parent
        return self._masters.setdefault(folder, Master(folder))
