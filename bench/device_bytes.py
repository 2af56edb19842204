"""What the ring costs a card: bytes and flushes that reach the device, for records of 200 bytes.

    sudo python -m bench.device_bytes            # needs root and a loop device

Counted in the statistics of a private loop device with an ext4 (/proc/diskstats: sectors written,
flushes), after a first round through all segments, as a gateway that is not new. What a process is
charged for in /proc/self/io is something else. The last line is a reading a millisecond, committed
each second, and what it takes of the ring.
"""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path

from gateway.journal import Journal, Record
from gateway.journal_open import open_journal
from gateway.model import Key, Klass

SIZE = 8 << 20
RECORD = 200
SECTOR = 512
BARS = {1: 5000, 10: 700, 100: 300}
"""Bytes a record at most, by the records of a group."""


class Device:
    """An ext4 on a file of its own."""

    def __init__(self, folder: Path) -> None:
        image = folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", "-F", image], check=True)
        found = subprocess.run(
            ["losetup", "--find", "--show", image], check=True, capture_output=True, text=True
        )
        self._path = found.stdout.strip()
        self.mount = folder / "disk"
        self.mount.mkdir()
        subprocess.run(["mount", "-o", "noatime", self._path, self.mount], check=True)

    def close(self) -> None:
        subprocess.run(["umount", self.mount], check=True)
        subprocess.run(["losetup", "--detach", self._path], check=True)

    def counts(self) -> tuple[int, int]:
        """Bytes written and flushes, since the device was made."""
        name = Path(self._path).name
        for line in Path("/proc/diskstats").read_text("ascii").splitlines():
            fields = line.split()
            if fields[2] == name:
                return int(fields[9]) * SECTOR, int(fields[18])
        raise OSError(f"no statistics of {name}")


class Feed:
    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._seq = 0

    def write(self, groups: int, size: int) -> None:
        """Groups of `size` records, acknowledged as they go so that there is always room."""
        for _ in range(groups):
            first = self._seq + 1
            self._seq += size
            keys = [Key(1, seq) for seq in range(first, self._seq + 1)]
            self._journal.append([self._record(key) for key in keys])
            self._journal.forget(keys)

    @staticmethod
    def _record(key: Key) -> Record:
        text = b'{"seq":%d,"temperature":21.5,"humidity":48.1}' % key.seq
        return Record(key, Klass.TELEMETRY, time.time(), "attic", text.ljust(RECORD, b"."))


def measure(device: Device, feed: Feed, size: int) -> tuple[float, float]:
    """Bytes a record, flushes a group."""
    groups = 2000 if size == 1 else 400
    subprocess.run(["sync"], check=True)
    bytes_before, flushes_before = device.counts()
    feed.write(groups, size)
    bytes_after, flushes_after = device.counts()
    return (
        (bytes_after - bytes_before) / (groups * size),
        (flushes_after - flushes_before) / groups,
    )


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        device = Device(Path(folder))
        try:
            journal = open_journal(device.mount, size=SIZE, report=print)
            feed = Feed(journal)
            feed.write(2 * SIZE // (100 * RECORD), 100)  # every segment has been used
            over = 0
            for size, bar in BARS.items():
                each, flushes = measure(device, feed, size)
                over += each > bar
                print(
                    f"groups of {size:4}: {each:6.0f} bytes a record, {bar} are the bar;", end=" "
                )
                print(f"{flushes:.2f} flushes a group")
            each, _ = measure(device, feed, 1000)
            print(f"groups of 1000: {each:6.0f} bytes a record, as at 1,000 readings a second")
            journal.close()
        finally:
            device.close()
    return 1 if over else 0


if __name__ == "__main__":
    raise SystemExit(main())
