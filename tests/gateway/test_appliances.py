from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import appliances
from gateway.appliances import (
    Allow,
    Limits,
    Output,
    Refuse,
    Repeat,
    Running,
    Situation,
    consider,
    is_on,
    limit,
    may_resume,
    overdue,
    switched,
)
from gateway.model import Action, Command, Outcome, Stamp

NOW = Stamp(wall=1_800_000_000.0, boot=5000.0, boot_id="b0071d00", synchronised=True)
COMMAND = Command(id="a1", device="pump", value=True, received=NOW)
CALM = Situation(
    now=5000.0,
    stamp=NOW,
    nonce="n0nce",
    locked=False,
    known=None,
    running=False,
    amnesia=False,
    limits=Limits(),
    output=Output(False, 0.0),
    others={},
)


def later(seconds: float, *, synchronised: bool = True) -> Stamp:
    return Stamp(NOW.wall + seconds, NOW.boot + seconds, NOW.boot_id, synchronised)


def test_a_plain_command_runs_and_lives_for_its_ttl() -> None:
    assert consider(COMMAND, True, CALM) == Allow(True, NOW.wall + 30.0)


def test_its_own_expiry_counts_where_it_has_one() -> None:
    command = replace(COMMAND, expires=NOW.wall + 5)
    assert consider(command, True, CALM) == Allow(True, NOW.wall + 5)


def test_a_known_id_is_answered_again_whatever_else_holds() -> None:
    result = appliances.answer(COMMAND, Outcome.DONE, NOW, state=True)
    situation = replace(CALM, known=result, locked=True, nonce="another")
    command = replace(COMMAND, nonce="n0nce", expires=0.0)
    assert consider(command, True, situation) == Repeat(result)


def test_the_same_id_under_way_is_not_begun_again() -> None:
    assert consider(COMMAND, True, replace(CALM, running=True)) == Running()


@pytest.mark.parametrize(
    ("command", "situation", "outcome", "words"),
    [
        (replace(COMMAND, nonce="old"), CALM, Outcome.EXPIRED, "nonce"),
        (COMMAND, replace(CALM, limits=Limits(fresh_only=True)), Outcome.REFUSED, "nonce"),
        (replace(COMMAND, expires=NOW.wall - 1), CALM, Outcome.EXPIRED, "expired 1 s ago"),
        (COMMAND, replace(CALM, stamp=later(31)), Outcome.EXPIRED, "waited"),
        (COMMAND, replace(CALM, locked=True), Outcome.REFUSED, "locked"),
        (COMMAND, replace(CALM, amnesia=True), Outcome.REFUSED, "ledger-reset"),
        (
            replace(COMMAND, expires=NOW.wall + 9),
            replace(CALM, stamp=later(0, synchronised=False)),
            Outcome.REFUSED,
            "clock",
        ),
    ],
)
def test_what_is_not_fresh_or_not_allowed_is_refused_with_the_reason(
    command: Command, situation: Situation, outcome: Outcome, words: str
) -> None:
    verdict = consider(command, True, situation)
    assert isinstance(verdict, Refuse)
    assert verdict.outcome is outcome
    assert words in verdict.reason


def test_the_sessions_nonce_proves_freshness_without_a_clock() -> None:
    command = replace(COMMAND, nonce="n0nce", expires=1.0)
    unset = replace(CALM, stamp=later(0, synchronised=False), limits=Limits(fresh_only=True))
    assert isinstance(consider(command, True, unset), Allow)


@pytest.mark.parametrize(
    ("limits", "output", "value", "words"),
    [
        (Limits(min_on=60), Output(True, 4950.0), False, "min_on: may go off in 10 s"),
        (Limits(min_off=60), Output(False, 4950.0), True, "min_off: may go on in 10 s"),
        (
            Limits(max_switches_per_hour=2),
            Output(False, 0.0, None, (2000.0, 4000.0)),
            True,
            "max_switches_per_hour: may go on in 600 s",
        ),
    ],
)
def test_limits_say_when_it_would_be_allowed(
    limits: Limits, output: Output, value: bool, words: str
) -> None:
    assert limit(value, replace(CALM, limits=limits, output=output)) == words


def test_a_value_it_has_already_breaks_no_limit() -> None:
    tight = Limits(min_on=60, min_off=60, max_switches_per_hour=1)
    on = Output(True, 4999.0, None, (4999.0,))
    assert limit(True, replace(CALM, limits=tight, output=on)) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        (Output(True, 0.0), "down is on"),
        (Output(False, 0.0, True), "down is on"),
        (Output(False, 4999.0), "dead time after down, 1 s more"),
    ],
)
def test_of_a_group_one_is_on_and_then_all_are_off_for_a_while(other: Output, words: str) -> None:
    group = replace(CALM, limits=Limits(interlock="blind", dead_time=2.0), others={"down": other})
    text = limit(True, group)
    assert text is not None and words in text
    assert limit(False, group) is None


@given(
    st.lists(
        st.tuples(st.sampled_from(["up", "down"]), st.booleans(), st.floats(0.0, 5.0)), max_size=60
    ),
    st.floats(0.0, 3.0),
)
def test_no_sequence_of_commands_breaks_an_interlock(
    wishes: list[tuple[str, bool, float]], dead_time: float
) -> None:
    limits = Limits(interlock="blind", dead_time=dead_time)
    outputs = {"up": Output(False, -1e9), "down": Output(False, -1e9)}
    went_off = {"up": -1e9, "down": -1e9}
    now = 0.0
    for name, wish, wait in wishes:
        now += wait
        other = "down" if name == "up" else "up"
        situation = replace(
            CALM, now=now, limits=limits, output=outputs[name], others={other: outputs[other]}
        )
        if limit(wish, situation) is None:
            if outputs[name].value and not wish:
                went_off[name] = now
            outputs[name] = switched(outputs[name], wish, now)
        on = [n for n, o in outputs.items() if is_on(o.value)]
        assert len(on) <= 1
        if on == [name] and wish:
            assert now - went_off[other] >= dead_time - 1e-9 or outputs[name].changed < now


@given(
    st.lists(st.tuples(st.booleans(), st.floats(0.0, 2000.0)), max_size=80),
    st.floats(0.0, 100.0),
    st.floats(0.0, 100.0),
    st.integers(1, 5),
)
def test_no_sequence_breaks_min_on_min_off_or_the_hourly_count(
    wishes: list[tuple[bool, float]], min_on: float, min_off: float, hourly: int
) -> None:
    limits = Limits(min_on=min_on, min_off=min_off, max_switches_per_hour=hourly)
    output, now, changes = Output(False, 0.0), 0.0, [(0.0, False)]
    ons: list[float] = []
    for wish, wait in wishes:
        now += wait
        if limit(wish, replace(CALM, now=now, limits=limits, output=output)) is not None:
            continue
        if wish != output.value:
            then, was = changes[-1]
            assert now - then >= (min_on if was else min_off) - 1e-9
            changes.append((now, wish))
            if wish:
                ons.append(now)
        output = switched(output, wish, now)
        assert sum(1 for t in ons if now - t < 3600) <= hourly


def test_switching_keeps_the_time_of_the_last_real_change() -> None:
    on = switched(Output(False, 0.0), True, 10.0)
    assert on == Output(True, 10.0, None, (10.0,))
    assert switched(on, True, 20.0) == on
    off = switched(on, False, 30.0)
    assert off == Output(False, 30.0, None, (10.0,))
    assert switched(off, True, 5000.0).switched == (5000.0,)


def test_the_first_known_state_is_a_change() -> None:
    assert switched(Output(), False, 7.0) == Output(False, 7.0)


def test_max_on_is_due_from_when_it_went_on() -> None:
    rule = {"pump": Limits(max_on=600.0)}
    due = overdue({"pump": Output(True, 100.0)}, rule, None)
    assert [(o.device, o.value, o.cause, o.due) for o in due] == [("pump", False, "max_on", 700.0)]
    assert overdue({"pump": Output(True, 100.0, False)}, rule, None) == []
    assert overdue({"pump": Output(False, 100.0, True)}, rule, None) == []


def test_the_link_is_lost_for_long_enough() -> None:
    rule = {"heater": Limits(link_loss=False, link_loss_after=300.0)}
    outputs = {"heater": Output(True, 0.0)}
    assert overdue(outputs, rule, None) == []
    assert overdue(outputs, rule, 50.0)[0].due == 350.0
    assert overdue({"heater": Output(False, 0.0)}, rule, 50.0) == []


def test_what_is_due_first_comes_first() -> None:
    rules = {"a": Limits(max_on=50.0), "b": Limits(max_on=10.0)}
    names = [
        o.device for o in overdue({"a": Output(True, 0.0), "b": Output(True, 0.0)}, rules, None)
    ]
    assert names == ["b", "a"]


@pytest.mark.parametrize(
    ("action", "stamp", "resumed"),
    [
        (Action.SET, later(29), True),
        (Action.SET, later(31), False),
        (Action.PULSE, later(1), False),
        (Action.SET, later(29, synchronised=False), True),
        (Action.SET, replace(later(29), boot=3.0, boot_id="other"), True),
        (Action.SET, replace(later(29), boot=3.0, boot_id="other", synchronised=False), False),
        (Action.SET, replace(later(3600), boot=3.0, boot_id="other"), False),
    ],
)
def test_after_a_crash_only_a_set_within_its_life_is_asserted_again(
    action: Action, stamp: Stamp, resumed: bool
) -> None:
    assert may_resume(COMMAND, NOW.wall + 30.0, action, stamp) is resumed


@pytest.mark.parametrize(
    ("value", "on"),
    [
        (True, True),
        (False, False),
        (0, False),
        (0.5, True),
        ("off", False),
        ("open", True),
        (None, False),
    ],
)
def test_what_counts_as_on(value: bool | float | str | None, on: bool) -> None:
    assert is_on(value) is on
