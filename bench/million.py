"""A million readings in the outbox while the broker is away: memory, disk, and the start after it.

    python bench/million.py [COUNT]

One JSON object: resident memory before and after, bytes written a reading, seconds to open again.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

from gateway.clock import SystemClock
from gateway.journal_open import open_journal
from gateway.model import Reading, Sample
from gateway.outbox import Outbox
from gateway.shelf import Shelf

SIZE = 768 << 20
GROUP = 200
"""Readings between two rounds of the writer, which is run by hand."""


def opened(folder: Path, epoch: int, clock: SystemClock) -> Outbox:
    return Outbox(
        epoch=epoch,
        open_journal=lambda: open_journal(folder, size=SIZE, store="ring", report=print),
        shelf=Shelf(folder / "shelf"),
        clock=clock.stamp,
    )


def reading(number: int, clock: SystemClock) -> Sample:
    values = {"temperature": 20 + number % 100 / 10, "humidity": 51.2, "pressure": 1013.2 + number}
    named = tuple(Reading(name, value) for name, value in values.items())
    return Sample(f"greenhouse-{number % 20:02d}", clock.stamp(), named)


def resident() -> float:
    """MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4 / 1024


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    clock = SystemClock()
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        outbox = opened(folder, 1, clock)
        for number in range(10_000):  # warm: what every outbox has once it runs
            outbox.append(reading(number, clock))
            if number % GROUP == 0:
                outbox.step()
        before, began = resident(), time.process_time()
        for number in range(10_000, count):
            outbox.append(reading(number, clock))
            if number % GROUP == 0:
                outbox.step()
        outbox.step()
        after, spent = resident(), time.process_time() - began
        written = outbox.stats().written_today / count
        outbox.close(60.0)
        del outbox
        began = time.monotonic()
        again = opened(folder, 2, clock)
        start = time.monotonic() - began
        kept = again.stats().kept
        again.close(60.0)
    print(
        json.dumps(
            {
                "kept": kept,
                "rss_mb": [round(before, 1), round(after, 1)],
                "bytes_a_reading": round(written),
                "us_a_reading": round(spent / count * 1e6, 1),
                "open_s": round(start, 2),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
