"""The one thread in which commands are decided and appliances' states are known.

It owns the ledger and the outputs' states, so decisions need no lock. It calls no device: an Act
goes to the worker that owns the output, and comes back as Acted. A command's life here:
considered, its intent committed, acted, its result recorded and committed, acknowledged.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Mapping
from dataclasses import replace

from gateway import appliances
from gateway.appliance import Appliance, Known
from gateway.appliances import Allow, Refuse, Repeat, Running, Situation, answer
from gateway.clock import Clock
from gateway.events import Event, LinkChanged, Received, Total
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
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

Acknowledge = Callable[[], None]
IDLE = 5.0  # seconds between two turns without work, so that the heartbeat shows
RETRY = 5.0  # seconds before a state that must be reached, and was not, is tried again


class Control:
    """Start it with `run` on a thread of its own; the rest is for any thread.

    record: puts a Result or State into the outbox; returns once it is durable.
    nonce: the present session's, "" while there is none.
    """

    def __init__(
        self,
        appliances: Mapping[str, Appliance],
        *,
        store: Store,
        record: Callable[[Recorded], object],
        nonce: Callable[[], str],
        clock: Clock,
        heartbeat: Callable[[], None],
    ) -> None:
        self._appliances = appliances
        self._store = store
        self._record = record
        self._nonce = nonce
        self._clock = clock
        self._heartbeat = heartbeat
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._known = {name: Known() for name in appliances}
        self._link_lost: float | None = clock.monotonic()
        self._locked = False
        self.refused = 0

    def receive(self, message: Command | Result, acknowledge: Acknowledge) -> None:
        """A command, or why it could not be parsed; acknowledge settles its message."""
        self._inbox.put(Received(message, acknowledge))

    def acted(self, acted: Acted) -> None:
        self._inbox.put(acted)

    def link_changed(self, up: bool) -> None:
        self._inbox.put(LinkChanged(up))

    def keep_total(self, device: str, channel: str, total: float) -> None:
        """A counter's total, to be on disk soon; the worker must not wait for the card."""
        self._inbox.put(Total(device, channel, total))

    def tell(self, recorded: Alarm | State) -> None:
        """To the outbox, for a thread that must not wait until it is on disk."""
        self._inbox.put(recorded)

    def stop(self) -> None:
        """Ends `run` after what is already in the inbox."""
        self._inbox.put(None)

    def run(self) -> None:
        self.resume()
        while self.turn():
            self._heartbeat()

    def turn(self) -> bool:
        """One event, or what is due meanwhile. False when `stop` was asked for."""
        try:
            event = self._inbox.get(timeout=self._patience())
        except queue.Empty:
            self._enforce()
            return True
        if event is None:
            return False
        self._handle(event)
        self._enforce()
        return True

    def _handle(self, event: Event) -> None:
        match event:
            case Received(Command() as command, acknowledge):
                self._consider(command, acknowledge)
            case Received(Result() as refusal, acknowledge):
                self._answer(refusal, acknowledge)
            case Acted():
                self._settle(event)
            case LinkChanged(up):
                self._link_lost = None if up else self._clock.monotonic()
            case Alarm() | State():
                self._record(event)
            case Total(device, channel, total):
                what = f"total of {device}"
                self._commit(what, lambda: self._store.remember_total(device, channel, total))

    def _consider(self, command: Command, acknowledge: Acknowledge) -> None:
        appliance = self._appliances.get(command.device)
        if appliance is None:
            self._refuse(command, Outcome.REFUSED, "no such appliance", acknowledge)
            return
        try:
            value = appliance.parse(command.value)
            situation = self._situation(command, appliance)
        except ValueError as error:
            self._refuse(command, Outcome.REFUSED, str(error), acknowledge)
            return
        except StateFault as fault:
            self._refuse_for(fault, command, acknowledge)
            return
        if command.uncertain and appliance.action is Action.PULSE and not situation.known:
            reason = "delivered again without an id of its own: it may have run"
            self._refuse(command, Outcome.INDETERMINATE, reason, acknowledge)
            return
        verdict = appliances.consider(command, value, situation)
        match verdict:
            case Allow(value, deadline):
                self._begin(command, appliance, value, deadline, acknowledge)
            case Refuse(outcome, reason):
                self._refuse(command, outcome, reason, acknowledge)
            case Repeat(result):
                reply = replace(
                    result, response_topic=command.response_topic, correlation=command.correlation
                )
                self._answer(reply, acknowledge)
            case Running():
                acknowledge()

    def _situation(self, command: Command, appliance: Appliance) -> Situation:
        stamp = self._clock.stamp()
        known = self._known[command.device]
        found = self._store.known(command.device, command.id, stamp)
        group = appliance.limits.interlock
        return Situation(
            now=self._clock.monotonic(),
            stamp=stamp,
            nonce=self._nonce(),
            locked=self._locked,
            known=found if isinstance(found, Result) else None,
            running=command.id in known.running,
            amnesia=bool(self._store.reset),
            limits=appliance.limits,
            output=known.output,
            others={
                name: self._known[name].output
                for name, other in self._appliances.items()
                if group and other.limits.interlock == group and name != command.device
            },
        )

    def _begin(
        self,
        command: Command,
        appliance: Appliance,
        value: Value,
        deadline: float | None,
        acknowledge: Acknowledge,
    ) -> None:
        command = replace(command, value=value)
        try:
            self._store.begin(command, deadline)
        except StateFault as fault:
            self._refuse_for(fault, command, acknowledge)
            return
        self._act(command, appliance, acknowledge)

    def _act(
        self,
        command: Command,
        appliance: Appliance,
        acknowledge: Acknowledge = lambda: None,
    ) -> None:
        known = self._known[command.device]
        known.running[command.id] = acknowledge
        known.output = replace(known.output, wanted=command.value)
        appliance.act(Act(command.device, command.value, command.id, command))

    def _settle(self, acted: Acted) -> None:
        """The worker's word: the state is known, and a command behind it gets its answer."""
        act, now = acted.act, self._clock.monotonic()
        known = self._known[act.device]
        before = known.output
        if acted.state is None:
            known.output = replace(before, wanted=None)
            known.not_before = now + RETRY
        else:
            known.output = appliances.switched(before, acted.state, now)
            state, wall = acted.state, acted.stamp.wall
            self._commit(
                f"state of {act.device}",
                lambda: self._store.remember_output(act.device, state, wall),
            )
        if act.command is not None:
            self._conclude(act.command, acted, known)
        elif acted.state is not None and before.value != acted.state:
            self._record(State(act.device, acted.stamp, acted.state, act.cause))

    def _conclude(self, command: Command, acted: Acted, known: Known) -> None:
        outcome = Outcome.FAILED if acted.state is None else Outcome.DONE
        self._end(answer(command, outcome, acted.stamp, acted.error, acted.state))
        acknowledge = known.running.pop(command.id, None)
        if acknowledge is not None:
            acknowledge()

    def _refuse(
        self, command: Command, outcome: Outcome, reason: str, acknowledge: Acknowledge
    ) -> None:
        self._answer(answer(command, outcome, self._clock.stamp(), reason), acknowledge)

    def _refuse_for(self, fault: StateFault, command: Command, acknowledge: Acknowledge) -> None:
        """Without a ledger nothing can be promised, so nothing is switched; telemetry goes on."""
        log.error("command %s for %s: %s", command.id, command.device, fault)
        self._refuse(command, Outcome.REFUSED, f"ledger not usable: {fault}", acknowledge)

    def _answer(self, result: Result, acknowledge: Acknowledge) -> None:
        """A word without an act, and not in the ledger: the same id may be tried again."""
        if result.outcome is not Outcome.DONE:
            self.refused += 1
        self._record(result)
        acknowledge()

    def _end(self, result: Result) -> None:
        self._record(result)
        self._commit(f"result of {result.id}", lambda: self._store.conclude(result))

    def _commit(self, what: str, change: Callable[[], None]) -> None:
        """After the act. Where it fails the intent stays open; a restart asserts or reports it."""
        try:
            change()
        except StateFault as fault:
            log.error("%s not committed: %s", what, fault)

    def resume(self) -> None:
        """Commands whose act was begun when the last run died, and whose end nobody knows."""
        try:
            intents = self._store.open_intents(self._clock.stamp())
        except StateFault as fault:
            log.error("open commands: %s", fault)
            return
        for intent in intents:
            command = intent.command
            appliance = self._appliances.get(command.device)
            if appliance is not None and appliances.may_resume(
                command, intent.deadline, appliance.action, self._clock.stamp()
            ):
                self._act(command, appliance)
                continue
            reason = "the gateway stopped while it was carried out; it is not repeated"
            self._end(answer(command, Outcome.INDETERMINATE, self._clock.stamp(), reason))

    def _coming(self) -> list[appliances.Overdue]:
        outputs = {name: known.output for name, known in self._known.items()}
        limits = {name: appliance.limits for name, appliance in self._appliances.items()}
        return appliances.overdue(outputs, limits, self._link_lost)

    def _enforce(self) -> None:
        """What must happen by itself and is due."""
        now = self._clock.monotonic()
        for item in self._coming():
            known = self._known[item.device]
            if item.due > now or known.not_before > now:
                continue
            log.warning("%s: set to %s (%s)", item.device, item.value, item.cause)
            known.output = replace(known.output, wanted=item.value)
            self._appliances[item.device].act(Act(item.device, item.value, item.cause))

    def _patience(self) -> float:
        now = self._clock.monotonic()
        dues = [max(o.due, self._known[o.device].not_before) - now for o in self._coming()]
        return max(0.0, min([IDLE, *dues]))
