"""The process dies at each step of a command in turn; then it starts again, and the broker sends
once more what was not acknowledged. Cases 41 and 42.

A step is every effect that control has on the world: the ledger, the act, the outbox, the
acknowledgement. At a fault point it happens and then the process is gone, or it is gone before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.appliance import Appliance
from gateway.control import Control
from gateway.limits import Limits
from gateway.model import Act, Acted, Action, Command, Outcome, Recorded, Result, Value
from gateway.state import Store
from tests.gateway.fake_clock import FakeClock

STEPS = 20
"""More than a command has: the last ones let it run through."""


class Killed(BaseException):
    """The end of the process; nothing may catch it."""


class Faults:
    """Counts the effects; at the one that is chosen the process dies, before or after it."""

    def __init__(self, at: int, before: bool) -> None:
        self.count = 0
        self._at = at
        self._before = before

    def around(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def with_fault(*args: Any) -> Any:
            self.count += 1
            if self.count == self._at and self._before:
                raise Killed
            answer = effect(*args)
            if self.count == self._at:
                raise Killed
            return answer

        return with_fault


class World:
    """A relay or a door opener, and a broker that delivers until it is acknowledged."""

    def __init__(self, path: Path, action: Action) -> None:
        self.clock = FakeClock()
        self.path = path
        self.action = action
        self.level = False
        self.acted: list[Value] = []
        self.recorded: list[Recorded] = []
        self.acknowledged = False

    def run(self, command: Command, faults: Faults) -> None:
        """One run of the gateway. Killed."""
        store = Store(self.path)
        for name in ("begin", "conclude", "remember"):
            setattr(store, name, faults.around(getattr(store, name)))
        control = self._control(store, faults)
        try:
            control.resume()
            self._claimed(control)
            control.receive(command, faults.around(self._acknowledge))
            control.drain()
        finally:
            store.close()

    def _control(self, store: Store, faults: Faults) -> Control:
        made: list[Control] = []

        def act(order: Act) -> None:
            self.acted.append(order.value)
            self.level = bool(order.value) if self.action is Action.SET else False
            made[0].acted(Acted(order, self.clock.stamp(), self.level))

        appliance = Appliance(self.action, bool, Limits(command_ttl=300.0), faults.around(act))
        made.append(
            Control(
                {"pump": appliance},
                store=store,
                record=faults.around(self.recorded.append),
                nonce=lambda: "n0nce",
                clock=self.clock,
                heartbeat=lambda: None,
            )
        )
        return made[0]

    def _claimed(self, control: Control) -> None:
        control.acted(Acted(Act("pump", self.level, "start"), self.clock.stamp(), self.level))

    def _acknowledge(self) -> None:
        self.acknowledged = True

    def outcomes(self) -> list[Outcome]:
        return [r.outcome for r in self.recorded if isinstance(r, Result)]


def play(path: Path, action: Action, at: int, before: bool, *, named: bool) -> tuple[World, bool]:
    """A command with a death in it, then runs until it is acknowledged. Whether it died."""
    world = World(path, action)
    command = Command("a1", "pump", True, world.clock.stamp())
    died = False
    for attempt in range(3):
        try:
            world.run(command, Faults(at if attempt == 0 else 0, before))
        except Killed:
            died = True
        if world.acknowledged and attempt:
            break
        world.clock.advance(1.0)
        world.level = False  # what the start state makes of it
        fresh = "a1" if named else f"m-{attempt}"
        command = replace(command, id=fresh, uncertain=not named)
    return world, died


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, STEPS))
def test_a_set_is_done_whenever_the_process_dies(tmp_path: Path, at: int, before: bool) -> None:
    world, died = play(tmp_path / "s.db", Action.SET, at, before, named=True)
    assert world.acknowledged
    assert world.level or not died or at_the_end(world)
    assert Outcome.DONE in world.outcomes()
    assert world.acted and set(world.acted) == {True}


def at_the_end(world: World) -> bool:
    """It was done and told before the death: the start state that followed is not its affair."""
    return world.outcomes()[0] is Outcome.DONE


@pytest.mark.parametrize("named", [True, False], ids=["id", "no id"])
@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("at", range(1, STEPS))
def test_a_pulse_is_given_once_at_most_whenever_the_process_dies(
    tmp_path: Path, at: int, before: bool, named: bool
) -> None:
    world, died = play(tmp_path / "s.db", Action.PULSE, at, before, named=named)
    assert world.acknowledged
    assert len(world.acted) <= 1, "twice"
    outcomes = set(world.outcomes())
    if not world.acted:
        assert outcomes == {Outcome.INDETERMINATE}, "it was not done, and nobody was told"
    else:
        assert outcomes <= {Outcome.DONE, Outcome.INDETERMINATE} and outcomes
    if not died:
        assert world.outcomes()[0] is Outcome.DONE


def test_the_fault_points_are_all_there_are(tmp_path: Path) -> None:
    """Else the numbers above would end too early."""
    counts = []
    for action in Action:
        faults = Faults(0, before=True)
        world = World(tmp_path / f"{action}.db", action)
        world.run(Command("a1", "pump", True, world.clock.stamp()), faults)
        counts.append(faults.count)
        assert world.acknowledged and world.outcomes() == [Outcome.DONE]
    assert 5 <= max(counts) < STEPS
