"""Where the processor's time goes when a backlog drains in batches: us a reading, stage by stage.

    python bench/drain_stages.py [READINGS] [ROUNDS]

One thread, a real ring, no broker: what the writer's and the link's thread do between the disk and
the socket, one after the other. A stage's time is its own, without that of the stages inside it.
The readings are those of the gateway bench: 20 devices, twelve fields. The lowest round counts.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.codecs import history, json_
from gateway.flat import Flat
from gateway.journal_open import open_journal
from gateway.journal_ring import Ring
from gateway.journal_segment import Segment
from gateway.lanes import Lanes
from gateway.model import Sample, Stamp
from gateway.outbox import Outbox
from gateway.outbox_backlog import Backlog
from gateway.outbox_core import Core
from gateway.shelf import Shelf
from gateway.supervisor import settle_process

BATCH = 200
START = 1795442400.0
CHANNELS = ("number", "due", "dev", "type", "temp_c", "hum_pct", "press_hpa", "batt_v")
CHANNELS += ("rssi_dbm", "status", "fw", "loc")

STAGES: tuple[tuple[Any, str], ...] = (
    (Segment, "index"),
    (Segment, "wanted"),
    (Segment, "load"),
    (Backlog, "_decoded"),
    (Lanes, "fill"),
    (Core, "take"),
    (history, "content"),
    (history, "pack"),
    (zlib, "compress"),
    (Core, "accepted"),
    (Ring, "forget"),
    (Ring, "settle"),
)
"""Each is called once for many readings, so that the clock costs nothing."""


class Stages:
    """Wraps the functions; `spent` has the seconds of each, without what is called inside it."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._inside = [0.0]
        for owner, name in STAGES:
            label = f"{owner.__name__.rpartition('.')[2]}.{name}"
            setattr(owner, name, self._timed(label, getattr(owner, name)))

    def _timed(self, label: str, function: Callable[..., Any]) -> Callable[..., Any]:
        self.spent[label] = 0.0

        def timed(*args: Any, **named: Any) -> Any:
            began = time.thread_time()
            self._inside.append(0.0)
            try:
                return function(*args, **named)
            finally:
                took = time.thread_time() - began
                self.spent[label] += took - self._inside.pop()
                self._inside[-1] += took

        return timed


class Sensors:
    """Twenty that take turns; what they measure wanders."""

    def __init__(self) -> None:
        self._rng = random.Random(1)
        self._at = [[20.0, 55.0, 1013.0] for _ in range(20)]

    def sample(self, number: int) -> Sample:
        device, rng = number % 20, self._rng
        at, due = self._at[device], int((START + number / 1000) * 1e9)
        for index, step in enumerate((0.05, 0.2, 0.02)):
            at[index] += rng.gauss(0, step)
        values = [number, due, f"greenhouse-{device:02}", "bme280"]
        values += [round(at[0], 2), round(at[1], 1), round(at[2], 2), 3.712]
        values += [-60 - rng.randrange(3), "ok", "1.4.2", f"row-{device // 4}/bench-b"]
        stamp = Stamp(START + number / 1000, number / 1000, "abcd1234", False)
        return Sample(f"s{device:02}", stamp, Flat(CHANNELS, values))


def filled(folder: Path, count: int) -> Outbox:
    stamp = Stamp(START, 0.0, "abcd1234", False)
    box = Outbox(
        epoch=1,
        open_journal=lambda: open_journal(folder, size=count * 500 + (16 << 20), report=print),
        shelf=Shelf(folder / "shelf"),
        clock=lambda: stamp,
        commit_every=0.0,
    )
    sensors = Sensors()
    for number in range(count):
        box.append(sensors.sample(number), wait=False)
        if number % 200 == 199:
            box.step()
    box.step()
    return box


def drain(box: Outbox, dialect: Any) -> tuple[int, int]:
    """Readings and bytes that went out."""
    readings = size = 0
    box.link_changed(True)
    box.step()
    while taken := box.take(BATCH, BATCH):
        entries = [entry for entry, _ in taken]
        [message] = dialect.history(entries)
        readings, size = readings + len(entries), size + len(message.payload)
        box.accepted([entry.key for entry in entries])
        box.step()
    return readings, size


def measured(stages: Stages | None, count: int) -> tuple[dict[str, float], float]:
    """us a reading of each stage, and bytes a reading."""
    dialect = json_.dialect(root="gw", gateway="g", qos={}, restamp=lambda stamp: stamp)
    with tempfile.TemporaryDirectory() as name:
        box = filled(Path(name), count)
        settle_process()
        if stages is not None:
            stages.spent = dict.fromkeys(stages.spent, 0.0)
        began = time.thread_time()
        readings, size = drain(box, dialect)
        whole = time.thread_time() - began
        assert readings == count, (readings, count)
        box.close(10.0)
    spent = stages.spent if stages is not None else {}
    spent = {label: seconds / count * 1e6 for label, seconds in spent.items()}
    rest = whole / count * 1e6 - sum(spent.values())
    return {**spent, "the rest": rest, "all": whole / count * 1e6}, size / count


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50_000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    stages = Stages()
    results = [measured(stages, count) for _ in range(rounds)]
    for label in results[0][0]:
        print(f"{label:20} {min(spent[label] for spent, _ in results):6.2f} us")
    print(f"{'bytes a reading':20} {results[0][1]:6.1f}")


if __name__ == "__main__":
    main()
