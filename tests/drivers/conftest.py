"""The chips' clock for drivers of others, which sleep by themselves."""

from __future__ import annotations

import time

import pytest

from tests.fakes import FakeClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """What the others sleep passes on the chips' clock."""
    clock = FakeClock()

    def sleep(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(time, "monotonic", clock)
    return clock
