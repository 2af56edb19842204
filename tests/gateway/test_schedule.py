from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from gateway.schedule import BACKOFF_CAP, FIRST_RETRY, Schedule, backoff, slack, wake_at

INTERVALS = st.floats(0.01, 7200.0)


def test_a_new_device_is_due_at_once() -> None:
    schedule = Schedule()
    schedule.add("cellar", 10.0, 100.0)
    assert schedule.due(100.0) == ["cellar"]
    assert schedule.next() == 100.0


@given(INTERVALS, st.lists(st.floats(0.0, 0.9), min_size=1, max_size=50))
def test_late_looks_do_not_drift(interval: float, delays: list[float]) -> None:
    """Each look is late by up to 0.9 of an interval; the n-th point stays where it belongs."""
    schedule = Schedule()
    schedule.add("cellar", interval, 0.0)
    for number, delay in enumerate(delays):
        due = schedule.next()
        assert due is not None
        assert abs(due - number * interval) < 1e-6 * max(1.0, due)
        schedule.succeeded("cellar", due + delay * interval)
    assert schedule.overruns("cellar") == 0


def test_a_stall_is_counted_and_not_made_up() -> None:
    schedule = Schedule()
    schedule.add("cellar", 10.0, 0.0)
    schedule.succeeded("cellar", 0.5)
    schedule.succeeded("cellar", 45.0)
    assert schedule.overruns("cellar") == 3
    assert schedule.due(49.9) == []
    assert schedule.due(50.0) == ["cellar"]


def test_a_device_being_served_is_not_due() -> None:
    schedule = Schedule()
    schedule.add("cellar", 10.0, 0.0)
    schedule.hold("cellar")
    assert schedule.due(1e9) == []
    schedule.succeeded("cellar", 3.0)
    assert schedule.due(10.0) == ["cellar"]


def test_a_failing_device_waits_and_does_not_delay_the_other() -> None:
    schedule = Schedule()
    schedule.add("dead", 10.0, 0.0)
    schedule.add("cellar", 10.0, 0.0)
    looks = {"dead": 0, "cellar": 0}
    for now in range(1000):
        for name in schedule.due(float(now)):
            looks[name] += 1
            if name == "dead":
                schedule.failed(name, float(now))
            else:
                schedule.succeeded(name, float(now))
    assert looks["cellar"] == 100
    assert looks["dead"] < 12


def test_recovery_returns_to_the_grid() -> None:
    schedule = Schedule()
    schedule.add("cellar", 10.0, 0.0)
    schedule.failed("cellar", 0.0)
    assert schedule.failures("cellar") == 1
    schedule.succeeded("cellar", 2.0)
    assert schedule.failures("cellar") == 0
    assert schedule.next() == 10.0


def test_hasten_brings_the_next_look_forward_only() -> None:
    schedule = Schedule()
    schedule.add("door", 10.0, 0.0)
    schedule.succeeded("door", 0.0)
    schedule.hasten("door", 4.0)
    assert schedule.due(4.0) == ["door"]
    schedule.hasten("door", 9.0)
    assert schedule.next() == 4.0


@given(INTERVALS, st.integers(0, 1000))
def test_backoff_is_bounded_and_grows(interval: float, failures: int) -> None:
    wait = backoff(interval, failures)
    assert min(1.0, FIRST_RETRY) <= wait <= max(BACKOFF_CAP, interval)
    assert backoff(interval, failures + 1) >= wait


def test_an_empty_schedule_waits_for_nothing() -> None:
    assert Schedule().next() is None


POINTS = st.lists(st.floats(0.0, 100.0), max_size=8)


@given(POINTS, POINTS, st.floats(0.0, 1.0))
def test_a_wake_up_is_for_something_and_late_for_nothing_exact(
    exact: list[float], loose: list[float], late: float
) -> None:
    at = wake_at(exact, loose, late)
    assert at in (*exact, *loose, math.inf)
    assert at >= min((*exact, *loose), default=math.inf)
    assert all(at <= point for point in exact)
    assert all(at <= point + late for point in loose)
    # Whatever comes next is out of reach, or it would have been done at once.
    assert at in exact or not any(at < point <= min(loose) + late for point in loose)


def test_looks_that_are_nearly_due_are_done_together() -> None:
    assert wake_at([], [7.0, 8.0, 13.0, 64.0], 6.0) == 13.0
    assert wake_at([7.5], [7.0, 8.0], 6.0) == 7.5


def test_a_look_is_late_by_a_hundredth_of_the_shortest_interval_at_most() -> None:
    assert slack([0.5, 10.0]) == 0.005
    assert slack([60.0, 10.0]) == 0.01
    assert slack([]) == 0.0
