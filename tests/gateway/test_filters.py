from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.filters import ChannelFilter, Total, finite, rounded
from gateway.model import Quality, Reading

NUMBERS = st.floats(-1e6, 1e6)


def reading(value: float | bool | str | None, quality: Quality = Quality.GOOD) -> Reading:
    return Reading("temperature", value, quality)


@given(NUMBERS)
def test_without_rules_every_reading_is_kept(value: float) -> None:
    rule = ChannelFilter()
    assert rule.apply(reading(value), 0.0) == reading(value)
    assert rule.apply(reading(value), 1.0) == reading(value)


@given(st.lists(NUMBERS, min_size=1), st.floats(0.1, 100.0))
def test_in_a_deadband_what_is_told_is_never_further_from_the_truth(
    values: list[float], deadband: float
) -> None:
    rule = ChannelFilter(deadband=deadband)
    told: float | None = None
    for now, value in enumerate(values):
        kept = rule.apply(reading(value), float(now))
        if kept is not None:
            assert isinstance(kept.value, float)
            told = kept.value
        assert told is not None
        assert abs(told - value) < deadband


def test_silence_has_an_end() -> None:
    rule = ChannelFilter(deadband=1.0, max_silence=60.0)
    assert rule.apply(reading(20.0), 0.0) is not None
    assert rule.apply(reading(20.0), 59.0) is None
    assert rule.apply(reading(20.0), 60.0) is not None


def test_a_change_of_quality_is_news_in_any_deadband() -> None:
    rule = ChannelFilter(deadband=1.0)
    rule.apply(reading(20.0), 0.0)
    bad = reading(20.0, Quality.BAD)
    assert rule.apply(bad, 1.0) == bad


def test_a_state_is_news_when_it_changes() -> None:
    rule = ChannelFilter(deadband=1.0)
    assert rule.apply(reading(True), 0.0) is not None
    assert rule.apply(reading(True), 1.0) is None
    assert rule.apply(reading(False), 2.0) is not None


@pytest.mark.parametrize(("value", "quality"), [(-41.0, "bad"), (20.0, "good"), (86.0, "bad")])
def test_outside_the_plausible_range_the_quality_is_bad(value: float, quality: str) -> None:
    kept = ChannelFilter(low=-40.0, high=85.0).apply(reading(value), 0.0)
    assert kept is not None
    assert kept.quality == quality
    assert kept.value == value


def test_a_jump_is_uncertain() -> None:
    rule = ChannelFilter(max_rate=0.5)
    rule.apply(reading(20.0), 0.0)
    kept = rule.apply(reading(30.0), 10.0)
    assert kept is not None and kept.quality is Quality.UNCERTAIN
    kept = rule.apply(reading(30.0), 20.0)
    assert kept is not None and kept.quality is Quality.GOOD


@given(st.lists(st.floats(-100, 100), min_size=3, max_size=3))
def test_the_mean_of_a_window(values: list[float]) -> None:
    rule = ChannelFilter(average=20.0)
    assert rule.apply(reading(values[0]), 0.0) is None
    assert rule.apply(reading(values[1]), 10.0) is None
    kept = rule.apply(reading(values[2]), 20.0)
    assert kept is not None and isinstance(kept.value, float)
    assert kept.value == pytest.approx(sum(values) / 3)
    assert rule.apply(reading(1.0), 30.0) is None


def test_a_bad_value_is_told_at_once_and_kept_out_of_the_mean() -> None:
    rule = ChannelFilter(average=20.0, high=85.0)
    assert rule.apply(reading(20.0), 0.0) is None
    kept = rule.apply(reading(999.0), 10.0)
    assert kept is not None and kept.quality is Quality.BAD
    kept = rule.apply(reading(22.0), 20.0)
    assert kept is not None and kept.value == 21.0


@given(st.floats(0, 1e6), st.lists(st.integers(0, 1000), min_size=1))
def test_a_total_never_runs_backwards(before: float, counts: list[int]) -> None:
    total = Total(before)
    last = before
    for count in counts:
        now = total.add(count)
        assert now >= last
        last = now
    assert total.value == last


def test_a_total_goes_on_after_the_driver_began_again() -> None:
    total = Total(100.0)
    assert total.add(5) == 105.0
    assert total.add(2) == 107.0
    assert total.add(4) == 109.0


def test_an_offset_is_told_and_not_kept() -> None:
    total = Total(100.0, offset=5000.0)
    assert total.add(5) == 5105.0
    assert total.value == 105.0


def test_only_what_moved_is_worth_the_card() -> None:
    total = Total(100.0)
    assert total.to_keep() is None
    total.add(5)
    assert [total.moved(), total.moved()] == [True, False]
    assert [total.to_keep(), total.to_keep()] == [105.0, None]
    total.add(6)
    assert total.moved() and total.to_keep() == 106.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_value(value: float) -> None:
    assert finite(reading(value)) == Reading("temperature", None, Quality.BAD)


def test_rounding_keeps_what_is_not_a_float() -> None:
    assert rounded(reading(21.4567), 2) == reading(21.46)
    assert rounded(reading(True), 2).value is True
    assert rounded(reading("text"), 2).value == "text"
