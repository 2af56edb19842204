from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.limits import (
    Burden,
    Forbidden,
    Limits,
    Output,
    arrived,
    burden_of,
    dropped,
    is_on,
    limit,
    lost,
    observed,
    ramp,
    told,
)
from gateway.model import Value

NOW = 5000.0


@pytest.mark.parametrize(
    ("limits", "output", "value", "reason", "wait"),
    [
        (Limits(min_on=60), Output(True, 4950.0), False, "min_on: may go off in 10 s", 10.0),
        (Limits(min_off=60), Output(False, 4950.0), True, "min_off: may go on in 10 s", 10.0),
        (
            Limits(max_switches_per_hour=2),
            Output(False, 0.0, (), (2000.0, 4000.0)),
            True,
            "max_switches_per_hour: may go on in 600 s",
            600.0,
        ),
    ],
)
def test_a_limit_says_when_it_would_be_allowed(
    limits: Limits, output: Output, value: bool, reason: str, wait: float
) -> None:
    assert limit(value, limits, output, {}, NOW) == Forbidden(reason, wait)
    assert limit(value, limits, output, {}, NOW + wait) is None
    assert limit(not value, limits, output, {}, NOW) is None


@pytest.mark.parametrize(
    "tight", [Limits(min_on=60), Limits(min_off=60), Limits(max_switches_per_hour=1)]
)
def test_a_timed_limit_needs_the_state(tight: Limits) -> None:
    """After a start, until the output was found, nobody knows how long it has been off."""
    for value in (True, False):
        assert limit(value, tight, Output(), {}, NOW) == Forbidden("its state is not known yet")
    assert limit(True, Limits(max_on=60), Output(), {}, NOW) is None


def test_a_value_it_has_already_breaks_no_limit() -> None:
    tight = Limits(min_on=60, min_off=60, max_switches_per_hour=1)
    assert limit(True, tight, Output(True, 4999.0, (), (4999.0,)), {}, NOW) is None
    assert limit(0.4, tight, Output(0.9, 4999.0, (), (4999.0,)), {}, NOW) is None


def test_a_change_on_its_way_has_not_begun() -> None:
    """Off is on its way: the time off begins when it arrives, not when it last went on."""
    going_off = told(Output(True, 0.0), False, NOW)
    assert limit(True, Limits(min_off=60), going_off, {}, NOW) == Forbidden(
        "min_off: may go on in 60 s", 60.0
    )
    going_on = told(Output(False, 0.0), True, NOW)
    assert limit(False, Limits(min_on=60), going_on, {}, NOW) == Forbidden(
        "min_on: may go off in 60 s", 60.0
    )


def test_a_switch_on_its_way_counts() -> None:
    once = Limits(max_switches_per_hour=1)
    output = told(told(Output(False, 0.0), True, NOW), False, NOW)
    forbidden = limit(True, once, output, {}, NOW + 1)
    assert forbidden == Forbidden("max_switches_per_hour: may go on in 3599 s", 3599.0)


@pytest.mark.parametrize(
    ("other", "words", "wait"),
    [
        (Output(True, 0.0), "interlock blind: down is on", None),
        (Output(False, 0.0, (True,)), "interlock blind: down is on", None),
        (Output(False, 0.0, (True, False)), "interlock blind: down is on", None),
        (Output(True, 0.0, (False,)), "interlock blind: down is on", None),
        (Output(), "interlock blind: the state of down is not known", None),
        (Output(False, 4999.0), "interlock blind: dead time after down, 1 s more", 1.0),
    ],
)
def test_of_a_group_one_is_on_and_then_all_are_off_for_a_while(
    other: Output, words: str, wait: float | None
) -> None:
    limits = Limits(interlock="blind", dead_time=2.0)
    group = {"down": other}
    assert limit(True, limits, Output(False, 0.0), group, NOW) == Forbidden(words, wait)
    assert limit(False, limits, Output(True, 0.0), group, NOW) is None
    assert limit(True, Limits(dead_time=2.0), Output(False, 0.0), group, NOW) is None


def test_after_the_dead_time_the_other_may_go_on() -> None:
    limits = Limits(interlock="blind", dead_time=2.0)
    assert limit(True, limits, Output(False), {"down": Output(False, 4998.0)}, NOW) is None


def test_what_is_told_is_on_its_way_until_it_arrives() -> None:
    output = told(Output(False, 0.0), True, 10.0)
    assert output == Output(False, 0.0, (True,), (10.0,), 10.0)
    assert (output.current, output.may_be_on, output.turning) == (True, True, True)
    output = arrived(output, True, 11.0)
    assert output == Output(True, 11.0, (), (11.0,), 10.0, on_since=11.0)
    assert (output.current, output.may_be_on, output.turning) == (True, True, False)


def test_a_second_wish_for_the_same_counts_once_and_changes_nothing() -> None:
    output = told(told(Output(False, 0.0), True, 10.0), True, 11.0)
    assert output.switched == (10.0,)
    output = arrived(arrived(output, True, 12.0), True, 13.0)
    assert output == Output(True, 12.0, (), (12.0,), 11.0, on_since=12.0)


def test_a_switch_counts_from_when_it_arrived() -> None:
    way = told(told(told(Output(False, 0.0), True, 10.0), False, 11.0), True, 12.0)
    assert way.switched == (10.0, 12.0)
    assert arrived(way, True, 20.0).switched == (20.0, 12.0)
    rest = arrived(arrived(way, True, 20.0), False, 21.0)
    assert arrived(rest, True, 22.0).switched == (20.0, 22.0)


def test_a_failed_switch_may_have_happened_for_a_moment() -> None:
    output = arrived(told(Output(False, 0.0), True, 10.0), None, 12.0)
    assert output == Output(None, 12.0, (), (10.0,))
    same = arrived(told(Output(False, 3.0), False, 10.0), None, 12.0)
    assert same == Output(False, 3.0)


def test_what_was_never_begun_changes_nothing_but_the_count() -> None:
    assert dropped(told(Output(False, 3.0), True, 10.0)) == Output(False, 3.0, (), (10.0,))


def test_what_is_found_counts_from_then() -> None:
    assert observed(Output(), False, 7.0) == Output(False, 7.0)
    assert observed(Output(), True, 7.0) == Output(True, 7.0, (), (7.0,), on_since=7.0)
    by_hand = observed(Output(False, 0.0), True, 9.0)
    assert by_hand == Output(True, 9.0, (), (9.0,), on_since=9.0)
    assert observed(by_hand, 0.5, 20.0) == Output(0.5, 9.0, (), (9.0,), on_since=9.0)


def test_what_failed_to_go_off_may_be_off_and_puts_max_on_off_by_nothing() -> None:
    on = Output(True, 10.0, (), (10.0,), on_since=10.0)
    failed = arrived(told(on, False, 70.0), None, 72.0)
    assert (failed.value, failed.changed, failed.on_since, failed.doubtful) == (True, 72, 10, True)
    assert told(failed, True, 73.0).turning
    found_on = observed(failed, True, 74.0)
    assert (found_on.on_since, found_on.doubtful, found_on.switched) == (10.0, False, (10.0, 74.0))
    found_off = observed(failed, False, 74.0)
    assert (found_off.value, found_off.changed, found_off.doubtful) == (False, 74.0, False)


def test_an_hour_later_a_switch_is_forgotten() -> None:
    on = arrived(told(Output(False, 0.0), True, 10.0), True, 10.0)
    assert arrived(told(on, False, 3609.0), False, 3609.9).switched == (10.0,)
    assert arrived(told(on, False, 3610.0), False, 3610.0).switched == ()


@pytest.mark.parametrize(
    ("value", "on"),
    [
        (True, True),
        (False, False),
        (0, False),
        (0.5, True),
        ("off", False),
        ("Closed", False),
        ("stop", False),
        ("", False),
        ("open", True),
        (None, False),
    ],
)
def test_what_counts_as_on(value: Value | None, on: bool) -> None:
    assert is_on(value) is on


TIMES = st.floats(0.0, 100.0)
WISH = st.tuples(
    st.sampled_from(["up", "down"]), st.booleans(), st.floats(0.0, 40.0), st.booleans()
)


@given(
    st.lists(WISH, max_size=80),
    st.builds(
        Limits,
        interlock=st.just("blind"),
        dead_time=st.floats(0.0, 30.0),
        min_on=TIMES,
        min_off=TIMES,
        max_switches_per_hour=st.integers(0, 4),
    ),
)
def test_no_sequence_breaks_a_limit_however_late_the_acts_arrive(
    wishes: list[tuple[str, bool, float, bool]], limits: Limits
) -> None:
    """The fourth of a wish says whether the acts on their way arrive before it."""
    outputs = {name: Output(False, -1e9) for name in ("up", "down")}
    real = dict.fromkeys(outputs, (False, -1000000000.0))
    ons: dict[str, list[float]] = {name: [] for name in outputs}
    now = 0.0

    def arrive(name: str) -> None:
        while outputs[name].coming:
            value = bool(outputs[name].coming[0])
            was, since = real[name]
            if value != was:
                assert now - since >= (limits.min_on if was else limits.min_off) - 1e-6
                real[name] = (value, now)
            if value and not was:
                ons[name].append(now)
                other_on, other_since = real["down" if name == "up" else "up"]
                assert not other_on
                assert now - other_since >= limits.dead_time - 1e-6
            outputs[name] = arrived(outputs[name], value, now)

    for name, wish, wait, in_time in wishes:
        now += wait
        if in_time:
            arrive("up")
            arrive("down")
        group = {other: output for other, output in outputs.items() if other != name}
        if limit(wish, limits, outputs[name], group, now) is None:
            outputs[name] = told(outputs[name], wish, now)
        if limits.max_switches_per_hour:
            assert len([t for t in outputs[name].switched if now - t < 3600]) <= (
                limits.max_switches_per_hour
            )
    for times in ons.values():
        assert times == sorted(times)


def test_limits_say_whether_they_need_the_state() -> None:
    assert not replace(Limits(), max_on=5.0).needs_state


def test_a_load_budget_holds_over_all_its_outputs() -> None:
    limits = {
        "oven": Limits(budget="kitchen", load=2500),
        "kettle": Limits(budget="kitchen", load=2000),
        "lamp": Limits(),
    }
    outputs = {"oven": Output(True), "kettle": Output(False), "lamp": Output(True)}
    burden = burden_of("kettle", 3600, limits, outputs)
    assert burden == Burden(3600, {"oven": 2500})
    assert limit(True, limits["kettle"], outputs["kettle"], {}, NOW, burden) == Forbidden(
        "load budget kitchen: it takes 2000 W, and of 3600 W 2500 W are taken (oven)"
    )
    assert limit(False, limits["kettle"], outputs["kettle"], {}, NOW, burden) is None
    assert limit(True, limits["kettle"], Output(True), {}, NOW, burden) is None
    enough = replace(burden, most=4500)
    assert limit(True, limits["kettle"], outputs["kettle"], {}, NOW, enough) is None


@pytest.mark.parametrize(
    ("oven", "taken"),
    [
        (Output(False), {}),
        (Output(None), {"oven": 2500}),
        (told(Output(False), True, NOW), {"oven": 2500}),
        (told(Output(True), False, NOW), {"oven": 2500}),
    ],
)
def test_what_may_be_on_takes_its_load(oven: Output, taken: dict[str, float]) -> None:
    limits = {"oven": Limits(budget="k", load=2500), "kettle": Limits(budget="k", load=2000)}
    outputs = {"oven": oven, "kettle": Output(False)}
    assert burden_of("kettle", 3600, limits, outputs).others == taken


def test_an_output_that_is_lost_counts_as_on_and_keeps_its_times() -> None:
    output = Output(False, 4000.0, (), (3999.0,), 4000.0)
    assert lost(output) == replace(output, value=None)
    group = {"other": lost(output)}
    blocked = limit(True, Limits(interlock="w"), Output(False), group, NOW)
    assert blocked == Forbidden("interlock w: the state of other is not known")


def test_a_failure_before_another_act_does_not_forget_when_it_was_told() -> None:
    twice = told(told(Output(True, 0.0), True, NOW), False, NOW + 1)
    assert arrived(twice, None, NOW + 2).told == NOW + 1
    assert dropped(twice).told == NOW + 1
    assert arrived(told(Output(True), False, NOW), None, NOW).told == float("-inf")


@given(
    st.floats(-1000, 1000),
    st.floats(-1000, 1000) | st.integers(-1000, 1000),
    st.floats(0.5, 100),
)
def test_a_ramp_never_steps_further_than_its_rate(start: float, end: float, rate: float) -> None:
    way = list(ramp(start, end, rate, 0.1))
    assert way[-1] == end
    levels = [float(value) for value in way]
    steps = [abs(b - a) for a, b in zip([start, *levels], levels, strict=False)]
    assert max(steps) <= rate * 0.1 * 1.000001
    assert len(way) <= abs(end - start) / (rate * 0.1) + 2


@pytest.mark.parametrize(
    ("start", "end", "rate"), [(None, 5.0, 1.0), (False, True, 1.0), ("x", 3, 1.0), (0.0, 9.0, 0.0)]
)
def test_what_has_no_way_is_reached_at_once(start: Value | None, end: Value, rate: float) -> None:
    assert list(ramp(start, end, rate, 0.1)) == [end]
