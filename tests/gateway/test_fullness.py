"""The warning before the queue is full (traps.md, case 13)."""

from __future__ import annotations

import logging
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs.values import _outbox, fill, time_to_drain, time_to_full
from gateway.fullness import ALARM, CLEAR, OVER, RAISE, Lookout, consequence, extent, stands
from gateway.model import OutboxStats
from tests.gateway.test_metrics import STATS
from tests.gateway.test_outbox_faults import House

MIB = 1 << 20


def used(share: float) -> OutboxStats:
    return replace(STATS, bytes_used=round(share * 1000), room=1000 - round(share * 1000))


class Told:
    """Books that a test opens, and who is told."""

    def __init__(self, expire: float = 0.0) -> None:
        self.now = used(0.0)
        self.alarms: list[tuple[str, bool, str]] = []
        self.lookout = Lookout(self, expire, lambda *alarm: self.alarms.append(alarm))

    def stats(self) -> OutboxStats:
        return self.now

    def at(self, *shares: float) -> list[bool]:
        """Raised or cleared, as told at these."""
        self.alarms.clear()
        for share in shares:
            self.now = used(share)
            self.lookout.look()
        return [raised for _, raised, _ in self.alarms]


@pytest.mark.parametrize("before", [None, False, True])
@pytest.mark.parametrize(
    ("share", "after"),
    [(0.0, False), (0.699, False), (0.7, None), (0.799, None), (0.8, True), (1.0, True)],
)
def test_raised_at_80_percent_and_cleared_under_70(
    before: bool | None, share: float, after: bool | None
) -> None:
    assert stands(before, share) is (before if after is None else after)


@given(st.lists(st.floats(0.0, 1.0)))
def test_it_is_told_in_turns_and_only_beyond_the_bounds(shares: list[float]) -> None:
    told = Told()
    for share in shares:
        for raised in told.at(share):
            assert (fill(told.now) >= RAISE) if raised else (fill(told.now) < CLEAR)
    fresh = Told()
    turns = fresh.at(*shares)
    assert all(one is not two for one, two in pairwise(turns))


def test_what_hovers_between_the_bounds_is_told_once() -> None:
    assert Told().at(0.0, 0.79, 0.8, 0.71, 0.85, 1.0, 0.7, 0.8, 1.0) == [False, True]
    assert Told().at(0.9, 0.69, 0.75, 0.69, 0.8) == [True, False, True]


def test_an_alarm_of_the_run_before_stands_until_it_is_under_70_percent() -> None:
    """What is cleared without standing is told to nobody: `alarms.py` sees to that."""
    told = Told()
    assert told.at(0.75, 0.79) == []
    assert told.at(0.69, 0.1) == [False]


def test_the_log_says_how_far_and_how_long_once(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(expire=7 * 86400.0)
    told.now = replace(
        STATS, bytes_used=48 * MIB, room=12 * MIB, rate_in=11.0, rate_out=1.0, mean=256.0
    )
    caplog.set_level(logging.INFO)
    for _ in range(3):
        told.lookout.look()
    (said,) = caplog.records
    assert said.levelno == logging.WARNING
    assert said.message == (
        "80% of the queue is used: when it is full, readings older than 7 d go first, then old "
        "readings are thinned out and at last the oldest go; results, alarms and counter totals "
        "stay longest; now 48.0 of 60.0 MiB (80%), full in 82 min at the last minute's rate"
    )
    ((name, raised, text),) = told.alarms
    assert (name, raised, text) == (ALARM, True, consequence(7 * 86400.0))
    assert told.at(0.5) == [False]
    assert [record.message for record in caplog.records[1:]] == [OVER]


def test_without_expiry_thinning_is_first() -> None:
    assert "when it is full, old readings are thinned out" in consequence(0.0)


@pytest.mark.parametrize(
    ("rate_in", "rate_out", "said"),
    [
        (5.0, 5.0, "not growing in the last minute"),
        (1.0, 5.0, "not growing in the last minute"),
        (100.0, 0.0, "full in 7 min"),
        (3.0, 0.0, "full in 4 h"),
        (0.1, 0.0, "full in 5 d"),
    ],
)
def test_the_time_that_is_left(rate_in: float, rate_out: float, said: str) -> None:
    stats = replace(STATS, room=4 * MIB, mean=100.0, rate_in=rate_in, rate_out=rate_out)
    assert said in extent(stats)
    assert (time_to_full(stats) is None) is ("not growing" in said)


@pytest.mark.parametrize(("after", "known"), [(55.0, False), (59.9, False), (60.0, True)])
def test_nothing_is_forecast_before_a_minute_has_passed(
    tmp_path: Path, after: float, known: bool
) -> None:
    """A start brings a word of every device at once: it was taken for the rate of hours."""
    house = House(tmp_path)
    began = house.clock.now
    house.samples(40, every=1.0)
    house.clock.now = began + after
    stats = house.outbox.stats()
    assert (time_to_full(stats) is not None) is known
    assert time_to_drain(stats) is None
    assert extent(stats).endswith("at the last minute's rate" if known else "%)")
    fields = _outbox(stats, 0.0)
    assert (fields["time_to_full"] is not None) is known


def test_a_journal_that_is_not_there_is_not_full() -> None:
    """The storage fails: that has a word of its own."""
    assert fill(replace(STATS, bytes_used=0, bytes_limit=0, room=0)) == 0.0


@pytest.mark.parametrize("size", [64 << 10, 256 << 10], ids=["8 segments", "16 segments"])
def test_case_13_a_queue_that_runs_full_warns_once_while_there_is_time(
    tmp_path: Path, size: int, caplog: pytest.LogCaptureFixture
) -> None:
    """No broker, a reading a second, until it has dropped nine times what it holds; then the broker
    comes back. Small rings: less than half of the smaller one is for readings."""
    house = House(tmp_path)
    house.size, house.disk.files = size, {}
    house.start()
    alarms: list[tuple[str, bool, str]] = []
    lookout = Lookout(house.outbox, 0.0, lambda *alarm: alarms.append(alarm))
    forecast: float | None = None
    raised_at = dropped_at = 0.0
    while (stats := house.outbox.stats()).recorded < 10 * max(stats.kept, 200):
        house.sample("attic", value=20 + stats.recorded % 100 / 10)
        house.clock.advance(1.0)
        house.outbox.step()
        lookout.look()
        if alarms[-1][1] and not raised_at:
            raised_at = house.clock.monotonic()
            forecast = time_to_full(house.outbox.stats())
            assert house.outbox.stats().dropped == {}
        if stats.dropped and not dropped_at:
            dropped_at = house.clock.monotonic()
    stats = house.outbox.stats()
    assert stats.dropped["oldest"] > 0
    assert [raised for _, raised, _ in alarms] == [False, True]
    assert [r.levelname for r in caplog.records] == ["WARNING"]
    assert forecast == pytest.approx(dropped_at - raised_at, rel=0.15)
    house.drain()
    lookout.look()
    assert [raised for _, raised, _ in alarms] == [False, True, False]
