"""Control with a real ledger, a fake clock, and a worker that acts when told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.alarms import AlarmRule, Alarms
from gateway.appliance import Appliance
from gateway.appliances import answer
from gateway.control import Control
from gateway.judge import Authority
from gateway.limits import Limits
from gateway.model import (
    Act,
    Acted,
    Action,
    Alarm,
    Command,
    Outcome,
    Recorded,
    Result,
    State,
    Value,
)
from gateway.orders import Done, Handler
from gateway.state import StateFault, Store
from tests.gateway.fake_clock import FakeClock


def on_off(value: Value) -> Value:
    if isinstance(value, bool):
        return value
    raise ValueError(f"{value!r} is neither on nor off")


class Bench:
    """Control, run to the end of its inbox by `settle`; acts are done by hand or at once."""

    def __init__(
        self,
        path: Path,
        *,
        action: Action = Action.SET,
        signed_by: frozenset[str] = frozenset(),
        authority: Authority | None = None,
        more: dict[str, Handler] | None = None,
        allowed: tuple[str, ...] = ("lock", "unlock", "acknowledge", "restart", "locate"),
        **limits: object,
    ) -> None:
        self.clock = FakeClock()
        self.store = Store(path)
        self.records: list[Recorded] = []
        self.acts: list[Act] = []
        self.acknowledged: list[str] = []
        self.obedient = True
        self.resumed = False
        own = Limits(**limits)  # type: ignore[arg-type]
        appliance = Appliance(action, on_off, own, self._act, signed_by)
        self.control = Control(
            {"pump": appliance},
            store=self.store,
            record=self.records.append,
            nonce=lambda: "n0nce",
            clock=self.clock,
            heartbeat=lambda: None,
            alarms=Alarms({"leak": AlarmRule(repeat=60.0)}),
            allowed=allowed,
            handlers={"restart": self._restart, "locate": self._locate, **(more or {})},
            authority=authority,
        )

    def _restart(self, argument: str) -> Done:
        return Done("now", lambda: self.acknowledged.append("restarted"))

    def _locate(self, argument: str) -> Done:
        raise OSError("there is no LED")

    def order(self, text: str, command_id: str = "g1", nonce: str | None = "n0nce") -> Result:
        """What is answered to a command to the gateway."""
        self.send(Command(command_id, "", text, self.clock.stamp(), nonce=nonce))
        return self.results[-1]

    def _act(self, act: Act) -> None:
        self.acts.append(act)
        if self.obedient:
            self.control.acted(Acted(act, self.clock.stamp(), act.value))

    def command(self, command_id: str = "a1", value: Value = True, **fields: object) -> Command:
        return Command(command_id, "pump", value, self.clock.stamp(), **fields)  # type: ignore[arg-type]

    def send(self, message: Command | Result) -> None:
        self.control.receive(message, lambda: self.acknowledged.append(message.id))
        self.settle()

    def settle(self) -> None:
        """Until the inbox stays empty: what is done in a turn may post to it again."""
        if not self.resumed:
            self.resumed = True
            self.control.resume()
        for _ in range(4):
            self.control.stop()
            while self.control.turn():
                pass

    def find(self, value: Value, cause: str = "start") -> None:
        """The worker claims the output, or sees that somebody else moved it."""
        self.control.acted(Acted(Act("pump", value, cause), self.clock.stamp(), value))
        self.settle()

    @property
    def alarms(self) -> list[tuple[str, str, str]]:
        told = [r for r in self.records if isinstance(r, Alarm)]
        return [(alarm.name, alarm.state.value, alarm.text) for alarm in told]

    @property
    def results(self) -> list[Result]:
        return [r for r in self.records if isinstance(r, Result)]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path / "state.db")
    yield bench
    bench.store.close()


def test_a_command_acts_once_and_is_answered_then_acknowledged(bench: Bench) -> None:
    bench.send(bench.command())
    assert [(a.device, a.value, a.cause) for a in bench.acts] == [("pump", True, "a1")]
    assert [(r.id, r.outcome, r.state) for r in bench.results] == [("a1", Outcome.DONE, True)]
    assert bench.acknowledged == ["a1"]


def test_five_deliveries_of_one_command_act_once(bench: Bench) -> None:
    """Case 39."""
    for _ in range(5):
        bench.send(bench.command(response_topic="reply/x"))
    assert len(bench.acts) == 1
    assert [r.outcome for r in bench.results] == [Outcome.DONE] * 5
    assert bench.acknowledged == ["a1"] * 5


def test_a_delivery_while_the_act_runs_is_acknowledged_without_a_second_act(bench: Bench) -> None:
    bench.obedient = False
    bench.send(bench.command())
    bench.send(bench.command())
    assert len(bench.acts) == 1
    bench.control.acted(Acted(bench.acts[0], bench.clock.stamp(), True))
    bench.settle()
    assert [r.outcome for r in bench.results] == [Outcome.DONE]
    assert sorted(bench.acknowledged) == ["a1", "a1"]


def test_the_intent_is_on_disk_before_the_act(bench: Bench) -> None:
    bench.obedient = False
    bench.send(bench.command())
    assert [i.command.id for i in bench.store.open_intents(bench.clock.stamp())] == ["a1"]


@pytest.mark.parametrize(
    ("command", "outcome", "words"),
    [
        (Command("x", "nobody", True, FakeClock().stamp()), Outcome.REFUSED, "no such appliance"),
        (Command("x", "pump", "maybe", FakeClock().stamp()), Outcome.REFUSED, "neither on nor off"),
        (
            Command("x", "pump", True, FakeClock().stamp(), expires=1.0),
            Outcome.EXPIRED,
            "expired",
        ),
    ],
)
def test_what_may_not_run_is_answered_with_the_reason(
    bench: Bench, command: Command, outcome: Outcome, words: str
) -> None:
    bench.send(command)
    assert bench.acts == []
    assert bench.results[0].outcome is outcome
    assert words in bench.results[0].reason
    assert bench.acknowledged == ["x"]
    assert bench.control.refused == 1


def test_what_could_not_be_parsed_is_answered_as_it_was_refused(bench: Bench) -> None:
    """Case 40: a retained command, for one, never becomes a Command."""
    refusal = answer(bench.command("r1"), Outcome.REFUSED, bench.clock.stamp(), "retained")
    bench.send(refusal)
    assert bench.results == [refusal]
    assert bench.acts == []


def test_a_refused_command_may_be_tried_again_with_the_same_id(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", min_off=60.0)
    bench.control.acted(Acted(Act("pump", False, "start"), bench.clock.stamp(), False))
    bench.settle()
    bench.send(bench.command())
    bench.clock.advance(61)
    bench.send(bench.command())
    assert [r.outcome for r in bench.results] == [Outcome.REFUSED, Outcome.DONE]


def test_a_failed_act_is_answered_with_the_drivers_words(bench: Bench) -> None:
    bench.obedient = False
    bench.send(bench.command())
    bench.control.acted(Acted(bench.acts[0], bench.clock.stamp(), None, "no answer at 0x20"))
    bench.settle()
    assert (bench.results[0].outcome, bench.results[0].reason) == (
        Outcome.FAILED,
        "no answer at 0x20",
    )


def test_the_state_at_start_is_told_once(bench: Bench) -> None:
    claimed = Acted(Act("pump", False, "start"), bench.clock.stamp(), False)
    bench.control.acted(claimed)
    bench.control.acted(claimed)
    bench.settle()
    assert bench.records == [State("pump", bench.clock.stamp(), False, "start")]
    assert bench.store.recall("output")["pump"]["value"] is False


def test_max_on_switches_off_by_itself(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", max_on=600.0)
    bench.send(bench.command())
    bench.clock.advance(599)
    bench.settle()
    assert len(bench.acts) == 1
    bench.clock.advance(1)
    bench.control.link_changed(True)
    bench.settle()
    assert [(a.value, a.cause) for a in bench.acts] == [(True, "a1"), (False, "max_on")]
    assert isinstance(bench.records[-1], State)


def test_the_link_is_lost_and_the_heater_goes_off_after_the_grace(tmp_path: Path) -> None:
    """Case 43."""
    bench = Bench(tmp_path / "state.db", link_loss=False, link_loss_after=300.0)
    bench.control.link_changed(True)
    bench.send(bench.command())
    bench.control.link_changed(False)
    bench.settle()
    bench.clock.advance(299)
    bench.control.link_changed(False)
    bench.settle()
    assert len(bench.acts) == 1
    bench.clock.advance(1)
    bench.control.link_changed(False)
    bench.settle()
    assert [(a.value, a.cause) for a in bench.acts] == [(True, "a1"), (False, "link_loss")]


def test_what_is_told_after_the_loss_took_effect_holds(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", link_loss=False, link_loss_after=300.0)
    bench.send(bench.command())
    bench.clock.advance(301)
    bench.send(bench.command("a2", source="local"))
    bench.clock.advance(301)
    bench.send(bench.command("a3", source="local"))
    assert [a.cause for a in bench.acts] == ["a1", "link_loss", "a2", "a3"]


@pytest.mark.parametrize(
    ("action", "outcome", "acts"),
    [(Action.SET, Outcome.DONE, 2), (Action.PULSE, Outcome.INDETERMINATE, 1)],
)
def test_after_a_crash_a_set_is_asserted_and_a_pulse_is_not_repeated(
    tmp_path: Path, action: Action, outcome: Outcome, acts: int
) -> None:
    """Cases 41 and 42."""
    first = Bench(tmp_path / "state.db", action=action)
    first.obedient = False
    first.send(first.command())
    first.store.close()
    second = Bench(tmp_path / "state.db", action=action)
    second.clock.advance(5)
    second.find(False)
    assert len(first.acts) + len(second.acts) == acts
    assert [(r.id, r.outcome) for r in second.results] == [("a1", outcome)]
    second.send(second.command())
    assert len(first.acts) + len(second.acts) == acts
    assert second.results[-1].outcome is outcome
    second.store.close()


def test_hours_after_a_crash_nothing_is_asserted(tmp_path: Path) -> None:
    first = Bench(tmp_path / "state.db")
    first.obedient = False
    first.send(first.command())
    second = Bench(tmp_path / "state.db")
    second.clock.advance(3 * 3600)
    second.settle()
    assert second.acts == []
    assert second.results[0].outcome is Outcome.INDETERMINATE


@pytest.mark.parametrize(
    ("action", "outcome"), [(Action.PULSE, Outcome.INDETERMINATE), (Action.SET, Outcome.DONE)]
)
def test_a_pulse_that_may_have_run_is_not_risked(
    tmp_path: Path, action: Action, outcome: Outcome
) -> None:
    """A bare value that the broker delivers again has no id by which it could be known."""
    bench = Bench(tmp_path / "state.db", action=action)
    bench.send(bench.command(uncertain=True))
    assert [r.outcome for r in bench.results] == [outcome]
    assert len(bench.acts) == (action is Action.SET)


def test_without_a_ledger_nothing_is_switched(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Case 12."""

    def full(*_: object) -> None:
        raise StateFault("state: database or disk is full")

    monkeypatch.setattr(bench.store, "begin", full)
    bench.send(bench.command())
    assert bench.acts == []
    assert bench.results[0].outcome is Outcome.REFUSED
    assert "full" in bench.results[0].reason
    assert "full" in caplog.text


def test_a_quoted_nonce_must_be_the_sessions(bench: Bench) -> None:
    """Case 38."""
    bench.send(replace(bench.command("stale"), nonce="of yesterday"))
    bench.send(replace(bench.command("fresh"), nonce="n0nce"))
    assert [(r.id, r.outcome) for r in bench.results] == [
        ("stale", Outcome.EXPIRED),
        ("fresh", Outcome.DONE),
    ]


def test_a_restart_does_not_extend_max_on(tmp_path: Path) -> None:
    first = Bench(tmp_path / "state.db", max_on=600.0)
    first.find(False)
    first.send(first.command())
    first.store.close()
    second = Bench(tmp_path / "state.db", max_on=600.0)
    second.clock.advance(400)
    second.find(True)
    assert second.acts == []
    second.clock.advance(200)
    second.control.link_changed(True)
    second.settle()
    assert [(a.value, a.cause) for a in second.acts] == [(False, "max_on")]
    second.store.close()


@pytest.mark.parametrize(("boot_id", "synchronised"), [("b0071d00", True), ("0ther", True)])
def test_a_restart_does_not_extend_min_off(
    tmp_path: Path, boot_id: str, synchronised: bool
) -> None:
    first = Bench(tmp_path / "state.db", min_off=600.0)
    first.find(False)
    first.store.close()
    second = Bench(tmp_path / "state.db", min_off=600.0)
    second.clock.boot_id, second.clock.synchronised = boot_id, synchronised
    second.clock.advance(601)
    second.find(False)
    second.send(second.command())
    assert second.results[-1].outcome is Outcome.DONE
    second.store.close()


def test_after_a_reboot_without_a_clock_a_limit_begins_anew(tmp_path: Path) -> None:
    first = Bench(tmp_path / "state.db", min_off=600.0)
    first.find(False)
    first.store.close()
    second = Bench(tmp_path / "state.db", min_off=600.0)
    second.clock.boot_id, second.clock.synchronised = "0ther", False
    second.clock.advance(601)
    second.find(False)
    second.send(second.command())
    assert "min_off: may go on in 600 s" in second.results[-1].reason
    second.store.close()


def test_switches_of_the_run_before_count(tmp_path: Path) -> None:
    for run in range(3):
        bench = Bench(tmp_path / "state.db", max_switches_per_hour=2)
        bench.clock.advance(run * 10)
        bench.find(False)
        bench.send(bench.command(f"on{run}"))
        bench.send(bench.command(f"off{run}", value=False))
        outcome = bench.results[0].outcome
        bench.store.close()
    assert outcome is Outcome.REFUSED


def test_before_the_state_is_known_a_timed_limit_refuses(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", min_off=60.0)
    bench.send(bench.command())
    assert (bench.acts, bench.results[0].reason) == ([], "its state is not known yet")


def test_a_command_that_is_resumed_keeps_to_the_limits(tmp_path: Path) -> None:
    first = Bench(tmp_path / "state.db", min_off=0.0)
    first.obedient = False
    first.send(first.command())
    first.store.close()
    second = Bench(tmp_path / "state.db", min_off=60.0)
    second.clock.advance(1)
    second.settle()
    second.send(second.command())
    assert second.results == []  # the same id: its answer will come
    second.find(False)
    assert second.acts == []
    assert second.results[0].outcome is Outcome.INDETERMINATE
    assert "min_off" in second.results[0].reason
    second.store.close()


def test_what_takes_long_is_accepted_first(bench: Bench) -> None:
    bench.obedient = False
    bench.send(bench.command())
    bench.clock.advance(2)
    bench.control.link_changed(True)
    bench.settle()
    bench.control.acted(Acted(bench.acts[0], bench.clock.stamp(), True))
    bench.settle()
    assert [r.outcome for r in bench.results] == [Outcome.ACCEPTED, Outcome.DONE]
    assert bench.acknowledged == ["a1"]


def test_what_expired_before_the_output_was_free_is_answered_as_expired(bench: Bench) -> None:
    bench.obedient = False
    bench.send(bench.command(expires=bench.clock.stamp().wall + 5))
    act = bench.acts[0]
    assert act.until == bench.clock.now + 5
    bench.control.acted(Acted(act, bench.clock.stamp(), None, "too late", expired=True))
    bench.settle()
    assert (bench.results[0].outcome, bench.results[0].reason) == (Outcome.EXPIRED, "too late")


def test_of_a_flood_some_are_taken_and_the_rest_is_counted(bench: Bench) -> None:
    """Case 46: 1,000 commands a second."""
    for number in range(1000):
        bench.control.receive(bench.command(f"f{number}"), lambda: bench.acknowledged.append(""))
        bench.clock.advance(0.001)
    bench.settle()
    assert len(bench.acts) == 20
    assert len(bench.acknowledged) == 1000
    assert len(bench.results) == 21
    assert bench.control.refused == 980
    assert [r.reason for r in bench.results if r.outcome is Outcome.REFUSED] == [
        "too many commands: 1 refused, 5 a second are taken"
    ]
    bench.clock.advance(1)
    bench.send(bench.command("after"))
    assert bench.results[-1].outcome is Outcome.DONE


def test_a_flood_to_nobody_does_not_close_the_outputs(bench: Bench) -> None:
    for number in range(100):
        refusal = answer(
            replace(bench.command(f"f{number}"), device=f"nobody{number}"),
            Outcome.REFUSED,
            bench.clock.stamp(),
            "no such appliance",
        )
        bench.control.receive(refusal, lambda: None)
    bench.settle()
    bench.send(bench.command())
    assert bench.results[-1].outcome is Outcome.DONE
    assert len(bench.results) == 22


def test_a_limit_holds_for_what_is_due_by_itself_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", link_loss=True, link_loss_after=10.0, min_off=60.0)
    bench.find(False)
    bench.clock.advance(11)
    bench.control.link_changed(False)
    bench.settle()
    assert bench.acts == []
    bench.clock.advance(49)
    bench.control.link_changed(False)
    bench.settle()
    assert [(a.value, a.cause) for a in bench.acts] == [(True, "link_loss")]


def test_locked_the_outputs_are_off_and_commands_refused_over_a_restart(tmp_path: Path) -> None:
    first = Bench(tmp_path / "state.db", min_on=600.0)
    first.find(False)
    first.send(first.command())
    assert first.order("lock").outcome is Outcome.DONE
    assert [(a.value, a.cause) for a in first.acts] == [(True, "a1"), (False, "lock")]
    first.send(first.command("a2"))
    assert first.results[-1].reason == "the gateway is locked"
    first.store.close()
    second = Bench(tmp_path / "state.db")
    second.find(True)
    assert [(a.value, a.cause) for a in second.acts] == [(False, "lock")]
    assert second.order("unlock", "g2").outcome is Outcome.DONE
    second.send(second.command("a3"))
    assert second.results[-1].outcome is Outcome.DONE
    second.store.close()


@pytest.mark.parametrize(
    ("text", "nonce", "words"),
    [
        ("lock", None, "session's nonce is demanded"),
        ("explode", "n0nce", "no such command to the gateway"),
        ("reboot", "n0nce", "not allowed"),
    ],
)
def test_an_order_is_refused_with_the_reason(
    bench: Bench, text: str, nonce: str | None, words: str
) -> None:
    result = bench.order(text, nonce=nonce)
    assert result.outcome is Outcome.REFUSED
    assert words in result.reason


def test_an_order_is_carried_out_once_and_answered_before_its_consequence(bench: Bench) -> None:
    assert bench.order("restart") == bench.order("restart")
    assert bench.acknowledged == ["g1", "restarted", "g1"]


def test_an_order_that_fails_says_why(bench: Bench) -> None:
    result = bench.order("locate")
    assert (result.outcome, result.reason) == (Outcome.FAILED, "there is no LED")


def test_an_alarm_is_raised_repeated_acknowledged_and_cleared(bench: Bench) -> None:
    bench.control.alarm("leak", True, "water")
    bench.control.alarm("leak", True, "water")
    bench.settle()
    bench.clock.advance(60)
    bench.control.link_changed(True)
    bench.settle()
    assert bench.order("acknowledge leak", nonce=None).reason == "leak is acknowledged"
    bench.clock.advance(600)
    bench.control.alarm("leak", False, "dry")
    bench.settle()
    assert bench.alarms == [
        ("leak", "raised", "water"),
        ("leak", "raised", "water"),
        ("leak", "acknowledged", "water"),
        ("leak", "cleared", "dry"),
    ]


def test_an_alarm_stands_over_a_restart(tmp_path: Path) -> None:
    first = Bench(tmp_path / "state.db")
    first.control.alarm("leak", True, "water")
    first.settle()
    first.store.close()
    second = Bench(tmp_path / "state.db")
    second.control.alarm("leak", True, "water")
    second.control.alarm("leak", False, "dry")
    second.settle()
    assert second.alarms == [("leak", "cleared", "dry")]
    second.store.close()


def test_a_ledger_that_was_lost_is_an_alarm(tmp_path: Path) -> None:
    """Case 11."""
    (tmp_path / "state.db").write_bytes(b"garbage" * 1000)
    bench = Bench(tmp_path / "state.db")
    bench.send(bench.command())
    assert [(name, state) for name, state, _ in bench.alarms] == [("ledger", "raised")]
    assert "ledger-reset" in bench.results[0].reason
    bench.store.close()


def test_a_full_ledger_is_an_alarm_until_it_takes_commands_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise StateFault("state: database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(bench.store, "begin", full)
        bench.send(bench.command())
    bench.send(bench.command())
    assert [state for _, state, _ in bench.alarms] == ["raised", "cleared"]
    assert bench.results[-1].outcome is Outcome.DONE


def test_an_output_that_was_offline_is_brought_to_its_state_when_it_is_back(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", offline=False)
    bench.find(False)
    bench.send(bench.command())
    bench.control.device_changed("pump", False)
    bench.settle()
    bench.clock.advance(60)
    bench.settle()
    assert [a.cause for a in bench.acts] == ["a1"]
    bench.find(True, "observed")
    assert [(a.value, a.cause) for a in bench.acts[1:]] == [(False, "offline")]
    bench.send(bench.command("a2"))
    bench.clock.advance(60)
    bench.settle()
    assert [a.cause for a in bench.acts[1:]] == ["offline", "a2"]
    bench.store.close()


def test_an_output_that_was_offline_keeps_what_it_is_told_now(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", offline=False)
    bench.find(False)
    bench.control.device_changed("pump", False)
    bench.settle()
    bench.send(bench.command())
    assert [(a.value, a.cause) for a in bench.acts] == [(True, "a1")]
    bench.store.close()


def test_being_offline_extends_no_limit(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db", max_on=600.0)
    bench.find(False)
    bench.send(bench.command())
    bench.clock.advance(400)
    bench.control.device_changed("pump", False)
    bench.settle()
    bench.clock.advance(199)
    bench.find(True, "observed")
    assert [a.cause for a in bench.acts] == ["a1"]
    bench.clock.advance(1)
    bench.control.link_changed(True)
    bench.settle()
    assert [a.cause for a in bench.acts] == ["a1", "max_on"]
    bench.store.close()


def test_a_device_that_is_no_output_may_go_offline(bench: Bench) -> None:
    bench.control.device_changed("thermometer", False)
    bench.settle()
    assert bench.records == []
