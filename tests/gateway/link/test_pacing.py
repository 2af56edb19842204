"""How fast the backlog may go, in entries and bytes; what a spent budget holds back."""

from __future__ import annotations

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.link.pacing import HistoryWindow, Pace, TokenBucket, least_class
from gateway.model import Klass
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import LinkRig, sample


def test_without_bounds_all_may_go_and_nobody_waits() -> None:
    pace = Pace()
    pace.spend(10**6)
    pace.sent(10**9)
    assert pace.available(0.0) == TokenBucket.UNBOUNDED
    assert pace.wait() is None


def test_entries_a_second() -> None:
    pace = Pace(entries=10, batch=20)
    assert pace.available(100.0) == 20
    pace.spend(20)
    assert pace.available(100.0) == 0
    assert pace.wait() == pytest.approx(0.1)
    assert pace.available(100.5) == 5


def test_bytes_a_second_are_paid_after_the_message() -> None:
    pace = Pace(size=1000, batch=200)
    assert pace.available(100.0) > 0
    pace.sent(5000)
    assert pace.available(100.0) == 0
    assert pace.wait() == pytest.approx(4.001)
    assert pace.available(103.9) == 0
    assert pace.available(104.1) > 0


def test_the_backlog_has_more_in_flight_while_answers_come_at_once_and_it_needs_more() -> None:
    window = HistoryWindow()
    first = window.size
    window.acknowledged(10.0, 0.1, full=False)
    assert window.size == first
    for _ in range(first):
        window.acknowledged(10.0, 0.1, full=True)
    assert window.size == 2 * first
    window.acknowledged(11.0, 0.7, full=True)
    assert window.size == 2 * first


def test_answers_that_take_long_halve_it_once_a_way() -> None:
    window = HistoryWindow()
    for _ in range(4):
        window.acknowledged(10.0, 0.1, full=True)
    for now in (20.0, 20.5, 21.0):
        window.acknowledged(now, 2.0, full=False)
    assert window.size == 4
    window.acknowledged(22.5, 2.0, full=True)
    assert window.size == 2


@hypothesis.settings(deadline=None)
@given(
    st.floats(1, 1e5),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 5000)), min_size=1, max_size=50),
)
def test_no_more_bytes_than_allowed_but_for_one_message(
    rate: float, steps: list[tuple[float, int]]
) -> None:
    pace, now, total, largest = Pace(size=rate), 0.0, 0, 0
    pace.available(now)
    for seconds, size in steps:
        now += seconds
        if pace.available(now) > 0:
            pace.sent(size)
            total, largest = total + size, max(largest, size)
        assert total <= rate * (now + 1) + largest + 1e-6


def test_a_budget_goes_by_class() -> None:
    steps = [least_class(used, 1000) for used in (0, 799, 800, 899, 900, 999, 1000, 10**9)]
    assert steps == [
        *[Klass.TELEMETRY] * 2,
        *[Klass.COUNTER] * 2,
        *[Klass.RESULT] * 2,
        *[Klass.ALARM] * 2,
    ]
    assert least_class(10**9, 0) is Klass.TELEMETRY


def test_the_backlog_goes_at_the_rate_in_bytes_and_live_values_do_not_wait(
    broker: Mosquitto, listener: Listener
) -> None:
    # A batch of a hundred is some 900 bytes: the next one is due in many seconds.
    rig = LinkRig(broker.url, history_batch=100, pace=Pace(size=20, batch=100))
    keys = [rig.outbox.append(sample(value)) for value in range(400)]
    with rig:
        listener.wait_for("tidegate/g/history")
        live = rig.outbox.append(sample())
        eventually(lambda: live in rig.outbox.done)
        assert rig.outbox.done == [*keys[:100], live]
