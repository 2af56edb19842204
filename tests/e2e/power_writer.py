"""A gateway's outbox on a directory, as fast as it goes, for the tests that cut the power below it.

    python -m tests.e2e.power_writer DIRECTORY EPOCH SEED

Each line on stdout is a fact: `d EPOCH SEQ` that an entry is on disk; `a EPOCH SEQ` that the far
end has one; `g EPOCH FIRST LAST` what an arrived gap record says, LAST 0 for a crash; `s EPOCH 0`
that the storage fails, `s EPOCH 1` that it works again.
"""

from __future__ import annotations

import random
import sys
import tempfile
import time
from pathlib import Path

from drivers.base import Reading
from gateway.clock import SystemClock
from gateway.journal import Journal
from gateway.journal_open import open_journal
from gateway.model import Entry, Gap, GapReason, Key, Sample
from gateway.outbox import Outbox
from gateway.shelf import Shelf

SIZE = 256 << 10


def journal(directory: Path) -> Journal:
    return open_journal(directory, size=SIZE, store="ring", report=lambda _: None)


def arrive(entry: Entry) -> None:
    gap = entry.recorded
    if isinstance(gap, Gap):
        last = 0 if gap.reason is GapReason.CRASH else gap.last_seq or 1 << 62
        print("g", gap.epoch, gap.first_seq, last)
    print("a", *entry.key)


def is_on_disk(outbox: Outbox, key: Key) -> bool:
    """Not only settled: what was shed from a full memory is that too. Waits for the disk."""
    settled, written = outbox.settled(key, 0.5), outbox._core.lanes.written
    return settled and written is not None and key <= written


def main(directory: Path, epoch: int, seed: int) -> None:
    """Until it is killed."""
    rng, clock = random.Random(seed), SystemClock()
    outbox = Outbox(
        epoch=epoch,
        before=epoch - 1 or None,
        open_journal=lambda: journal(directory),
        shelf=Shelf(Path(tempfile.gettempdir()) / "no-shelf"),
        clock=clock.stamp,
        commit_every=0.01,
    )
    outbox.start()
    works = True
    while True:
        if works is not (outbox.stats().storage == "ok"):
            works = not works
            print("s", epoch, int(works), flush=True)
        if rng.random() < 0.05:
            outbox.link_changed(rng.random() < 0.5)
        for _ in range(rng.randint(1, 20)):
            value = Reading("temperature", rng.random())
            entry = outbox.append(Sample(rng.choice("abc"), clock.stamp(), (value,)))
        if rng.random() < 0.3 and is_on_disk(outbox, entry.key):
            print("d", *entry.key)
        taken = [entry for entry, _ in outbox.take(20)] if rng.random() < 0.3 else []
        for entry in taken:
            arrive(entry)
        sys.stdout.flush()
        outbox.accepted([entry.key for entry in taken])
        time.sleep(0.001)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
