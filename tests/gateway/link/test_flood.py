"""A flood of commands costs no more than its messages, and keeps nobody else out (case 46)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway import gate
from gateway.link.flood import BURST, RATE, TELL_EVERY, TOPICS, Flood


@given(st.lists(st.floats(0.0, 0.5), min_size=1, max_size=300))
def test_never_more_than_the_burst_and_the_rate(pauses: list[float]) -> None:
    flood, now, passed = Flood(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += flood.passes("t/g/lamp/set", now)
    assert passed <= BURST + RATE * now + 1


@given(st.lists(st.floats(1 / RATE + 1e-6, 1.0), max_size=200))
def test_an_honest_sender_is_always_heard(pauses: list[float]) -> None:
    flood, now = Flood(), 0.0
    for pause in pauses:
        now += pause
        assert flood.passes("t/g/lamp/set", now)


def test_a_flood_on_one_topic_keeps_no_other_out() -> None:
    flood = Flood()
    assert sum(flood.passes("t/g/lamp/set", 1.0) for _ in range(1000)) == BURST
    assert flood.passes("t/g/bell/set", 1.0)
    assert flood.passes("t/g/lamp/set", 1.0 + 2 / RATE)


def test_topics_that_somebody_thinks_of_take_no_memory() -> None:
    flood = Flood()
    for number in range(10 * TOPICS):
        flood.passes(f"t/g/{number}/set", 1.0)
    assert len(flood._buckets) == TOPICS


def test_it_is_told_once_a_minute_with_the_count() -> None:
    flood = Flood()
    assert flood.report(0.0) == ""
    for _ in range(int(BURST) + 7):
        flood.passes("t/g/lamp/set", 1.0)
    assert " 7 were not looked at" in flood.report(1.0)
    flood.passes("t/g/lamp/set", 1.0)
    assert flood.report(2.0) == ""
    assert " 1 were not looked at" in flood.report(1.0 + TELL_EVERY)


def test_what_passes_is_still_more_than_an_output_takes() -> None:
    """So that too many commands are answered, as long as they are not a flood."""
    assert RATE > gate.RATE
    assert BURST > gate.BURST
