"""How old the oldest entry is: by the clock if it can be believed, else by how long it waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.model import Reading, Sample, Stamp
from gateway.outbox import Outbox
from gateway.shelf import Shelf
from gateway.store_memory import MemoryJournal

START = Stamp(1_795_442_400.0, 10.0, "abcd1234", True)


class Time:
    def __init__(self, synchronised: bool) -> None:
        self.passed = 0.0
        self._start = START._replace(synchronised=synchronised)

    def monotonic(self) -> float:
        return 500.0 + self.passed

    def stamp(self) -> Stamp:
        start = self._start
        return start._replace(wall=start.wall + self.passed, boot=start.boot + self.passed)


@pytest.mark.parametrize("synchronised", [True, False])
def test_the_age_of_what_waits(synchronised: bool, tmp_path: Path) -> None:
    time = Time(synchronised)
    outbox = Outbox(
        epoch=1,
        open_journal=lambda: MemoryJournal(1 << 20),
        shelf=Shelf(tmp_path / "shelf"),
        clock=time.stamp,
        monotonic=time.monotonic,
    )

    def age() -> float | None:
        oldest = outbox.stats().oldest
        return None if oldest is None else time.stamp().wall - oldest

    def record() -> None:
        outbox.append(Sample("boiler", time.stamp(), (Reading("temperature", 1.0),)))

    assert age() is None
    record()
    time.passed += 4
    assert age() == pytest.approx(4)
    outbox.step()  # to disk, where a clock that cannot be believed leaves no time
    record()
    time.passed += 60
    assert age() == pytest.approx(64)
    outbox.link_changed(True)
    while outbox.stats().kept:
        outbox.accepted([entry.key for entry, _ in outbox.take(10)])
        outbox.step()
    time.passed += 1
    outbox.step()  # what was acknowledged is noted together, within a second
    assert age() is None
    record()
    time.passed += 2
    assert age() == pytest.approx(2)
