from __future__ import annotations

from dataclasses import replace

import pytest

from gateway import appliances
from gateway.appliances import (
    Allow,
    Refuse,
    Repeat,
    Running,
    Situation,
    consider,
    life,
    may_resume,
    overdue,
)
from gateway.limits import Limits, Output
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
    action=Action.SET,
    group={},
)


def later(seconds: float, *, synchronised: bool = True) -> Stamp:
    return Stamp(NOW.wall + seconds, NOW.boot + seconds, NOW.boot_id, synchronised)


def test_a_plain_command_runs_and_lives_for_its_ttl() -> None:
    assert consider(COMMAND, True, CALM) == Allow(True, NOW.wall + 30.0)


def test_who_signed_and_may_not_is_told_so_before_the_lock() -> None:
    situation = replace(CALM, unauthorised="guests may not command pump", locked=True)
    verdict = consider(COMMAND, True, situation)
    assert verdict == Refuse(Outcome.REFUSED, "guests may not command pump")


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


def test_max_on_is_due_from_when_it_went_on() -> None:
    rule = {"pump": Limits(max_on=600.0)}
    due = overdue({"pump": Output(True, 130.0, on_since=100.0)}, rule, None)
    assert [(o.device, o.value, o.cause, o.due) for o in due] == [("pump", False, "max_on", 700.0)]
    assert overdue({"pump": Output(True, 100.0, (False,))}, rule, None) == []
    assert overdue({"pump": Output(False, 100.0, (True,))}, rule, None) == []


def test_the_link_is_lost_for_long_enough() -> None:
    rule = {"heater": Limits(link_loss=False, link_loss_after=300.0)}
    outputs = {"heater": Output(True, 0.0)}
    assert overdue(outputs, rule, None) == []
    assert overdue(outputs, rule, 50.0)[0].due == 350.0
    assert overdue({"heater": Output(False, 0.0)}, rule, 50.0) == []
    assert overdue({"heater": Output()}, rule, 50.0) == []
    assert overdue({"heater": Output(True, 0.0, (False,))}, rule, 50.0) == []


def test_what_was_told_after_the_loss_took_effect_holds() -> None:
    rule = {"heater": Limits(link_loss=False, link_loss_after=300.0)}
    assert overdue({"heater": Output(True, 0.0, told=349.0)}, rule, 50.0)[0].cause == "link_loss"
    assert overdue({"heater": Output(True, 0.0, told=350.0)}, rule, 50.0) == []


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
        (Action.SET, later(29)._replace(boot=3.0, boot_id="other"), True),
        (Action.SET, later(29)._replace(boot=3.0, boot_id="other", synchronised=False), False),
        (Action.SET, later(3600)._replace(boot=3.0, boot_id="other"), False),
    ],
)
def test_after_a_crash_only_a_set_within_its_life_is_asserted_again(
    action: Action, stamp: Stamp, resumed: bool
) -> None:
    assert may_resume(COMMAND, NOW.wall + 30.0, action, stamp) is resumed


@pytest.mark.parametrize(
    ("expires", "stamp", "left"),
    [
        (None, later(0), 30.0),
        (None, later(10), 20.0),
        (NOW.wall + 12, later(10), 2.0),
        (NOW.wall + 60, later(10), 20.0),
        (NOW.wall + 12, later(10, synchronised=False), 20.0),
    ],
)
def test_what_is_left_of_a_commands_life(expires: float | None, stamp: Stamp, left: float) -> None:
    assert life(replace(COMMAND, expires=expires), 30.0, stamp) == left


def test_what_may_have_run_before_is_no_pulse_again() -> None:
    uncertain = replace(COMMAND, uncertain=True)
    verdict = consider(uncertain, True, replace(CALM, action=Action.PULSE))
    assert isinstance(verdict, Refuse)
    assert verdict.outcome is Outcome.INDETERMINATE
    assert isinstance(consider(uncertain, True, CALM), Allow)


def test_a_limit_refuses_and_says_when() -> None:
    limits = Limits(min_off=60)
    verdict = consider(COMMAND, True, replace(CALM, limits=limits, output=Output(False, 4990.0)))
    assert verdict == Refuse(Outcome.REFUSED, "min_off: may go on in 50 s", 50.0)


def test_what_is_local_needs_neither_nonce_nor_memory() -> None:
    local = replace(COMMAND, source="rule cooling")
    strict = replace(CALM, amnesia=True, limits=Limits(fresh_only=True))
    assert isinstance(consider(local, True, strict), Allow)
    assert isinstance(consider(local, True, replace(CALM, locked=True)), Refuse)
    assert isinstance(consider(local, True, replace(CALM, stamp=later(31))), Refuse)


def test_locked_everything_goes_off_and_nothing_else_is_due() -> None:
    rules = {"a": Limits(), "b": Limits(off="closed", max_on=1.0), "c": Limits()}
    outputs = {"a": Output(True, 0.0), "b": Output("open", 0.0), "c": Output(False, 0.0)}
    due = overdue(outputs, rules, None, 70.0)
    assert [(o.device, o.value, o.cause, o.due) for o in due] == [
        ("a", False, "lock", 70.0),
        ("b", "closed", "lock", 70.0),
    ]
    assert overdue({"a": Output()}, rules, None, 70.0)[0].value is False


@pytest.mark.parametrize(("told", "due"), [(69.9, ["lock"]), (70.0, []), (70.1, [])])
def test_locked_a_motor_is_stopped_once(told: float, due: list[str]) -> None:
    rules = {"blind": Limits(off="stop", momentary=True)}
    outputs = {"blind": Output(40.0, 0.0, told=told)}
    assert [one.cause for one in overdue(outputs, rules, None, 70.0)] == due


def test_a_max_on_below_a_second_holds() -> None:
    (one,) = overdue({"a": Output(True, 5.0, on_since=5.0)}, {"a": Limits(max_on=0.5)}, None)
    assert (one.cause, one.due) == ("max_on", 5.5)


@pytest.mark.parametrize(
    ("waited", "late", "outcome"), [(30.0, 0.0, None), (30.1, 0.0, Outcome.EXPIRED)]
)
def test_at_the_very_end_of_its_life_a_command_still_runs(
    waited: float, late: float, outcome: Outcome | None
) -> None:
    situation = replace(CALM, stamp=later(waited))
    command = replace(COMMAND, expires=situation.stamp.wall - late)
    verdict = consider(command, True, situation)
    assert (verdict.outcome if isinstance(verdict, Refuse) else None) is outcome


def test_an_act_is_asserted_again_before_the_end_of_its_life_only() -> None:
    deadline, reboot = NOW.wall + 10, Stamp(NOW.wall + 10, 3.0, "0ther", True)
    assert not may_resume(COMMAND, deadline, Action.SET, later(10))
    assert not may_resume(COMMAND, deadline, Action.SET, reboot)


def test_after_a_reboot_only_a_clock_that_can_be_believed_gives_a_command_life() -> None:
    command = replace(COMMAND, expires=NOW.wall + 20)
    after = Stamp(NOW.wall + 5, 10.0, "0ther", True)
    assert life(command, 30.0, after) == 15.0
    assert life(command, 30.0, after._replace(synchronised=False)) == float("-inf")
    assert life(replace(command, expires=None), 30.0, after) == float("-inf")
