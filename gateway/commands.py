"""A command's way: considered, intent committed, acted, result recorded, committed, acknowledged.

Part of control, and used in its thread alone. `appliances.py` decides, `outputs.py` knows the
states.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, replace

from gateway import appliances
from gateway.appliance import Underway
from gateway.appliances import Allow, Refuse, Repeat, Running, answer
from gateway.clock import Clock
from gateway.gate import Gate
from gateway.judge import Authority, Judge
from gateway.model import Acted, Command, Outcome, Recorded, Result, State
from gateway.orders import Handler, Order
from gateway.outputs import Outputs
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

Acknowledge = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Around:
    """What commands need of the house.

    record: puts something into the outbox; returns once it is durable.
    nonce: the session's, "" while there is none. answered: told of every answer, and in how many
    seconds a refused command would be allowed where that is known. faulty: told of a ledger that
    cannot be used, "" when it can be again.
    """

    record: Callable[[Recorded], object]
    nonce: Callable[[], str]
    answered: Callable[[Result, float | None], None]
    faulty: Callable[[str], None]


class Commands:
    """allowed, handlers: the commands to the gateway itself, by name. authority: whose count."""

    def __init__(
        self,
        outputs: Outputs,
        store: Store,
        clock: Clock,
        around: Around,
        allowed: Container[str],
        handlers: Mapping[str, Handler],
        authority: Authority,
    ) -> None:
        self._outputs = outputs
        self._store = store
        self._clock = clock
        self._around = around
        self._judge = Judge(outputs, store, clock, around.nonce, allowed, authority)
        self._handlers = handlers
        self._gate = Gate()
        self._resumable: list[Command] = []
        self.refused = 0

    def receive(self, message: Command | Result, acknowledge: Acknowledge) -> None:
        """A command, or why it could not be parsed. One answer a second to what is too much."""
        now = self._clock.monotonic()
        output = message.device if message.device in self._outputs.known else ""
        if appliances.is_local(message) or self._gate.passes(output, now):
            if isinstance(message, Result):
                self._answer(message, acknowledge)
            else:
                self._consider(message, acknowledge)
            return
        self.refused += 1
        reason = self._gate.answer(output, now)
        if reason and isinstance(message, Result):
            self._around.record(replace(message, reason=reason))
        elif reason and isinstance(message, Command):
            self._around.record(answer(message, Outcome.REFUSED, self._clock.stamp(), reason))
        acknowledge()

    def _consider(self, command: Command, acknowledge: Acknowledge) -> None:
        try:
            command, unauthorised = self._judge.identified(command)
            command, order, situation = self._judge.situation_of(command)
        except ValueError as error:
            self._refuse(command, Refuse(Outcome.REFUSED, str(error)), acknowledge)
            return
        except StateFault as fault:
            self._refuse_for(fault, command, acknowledge)
            return
        situation = replace(situation, unauthorised=unauthorised)
        verdict = appliances.consider(command, command.value, situation)
        match verdict:
            case Allow(_, deadline):
                self._begin(command, order, deadline, acknowledge)
            case Refuse():
                self._refuse(command, verdict, acknowledge)
            case Repeat(result):
                reply = replace(
                    result, response_topic=command.response_topic, correlation=command.correlation
                )
                self._answer(reply, acknowledge)
            case Running():
                acknowledge()

    def _begin(
        self,
        command: Command,
        order: Order | None,
        deadline: float | None,
        acknowledge: Acknowledge,
    ) -> None:
        try:
            self._store.begin(command, deadline)
        except StateFault as fault:
            self._refuse_for(fault, command, acknowledge)
            return
        self._around.faulty("")
        if order is not None:
            self._carry_out(command, order, acknowledge)
            return
        known = self._outputs.known[command.device]
        known.running[command.id] = Underway(command, acknowledge, self._clock.monotonic())
        self._act(command)

    def _carry_out(self, command: Command, order: Order, acknowledge: Acknowledge) -> None:
        then = None
        try:
            done = self._handlers[order.name](order.argument)
            outcome, text, then = Outcome.DONE, done.text, done.then
        except (ValueError, OSError, StateFault) as error:
            outcome, text = Outcome.FAILED, str(error)
        self._end(answer(command, outcome, self._clock.stamp(), text))
        acknowledge()
        if then is not None:
            then()

    def _act(self, command: Command) -> None:
        ttl = self._outputs.appliances[command.device].limits.command_ttl
        life = appliances.life(command, ttl, self._clock.stamp())
        self._outputs.tell(command.device, command.value, command.id, command, life)

    def settle(self, acted: Acted) -> None:
        """The worker's word: the state is known, and a command behind it gets its answer."""
        act = acted.act
        is_new = self._outputs.settle(acted)
        if act.command is not None:
            self._conclude(act.command, acted)
        elif is_new and acted.state is not None:
            self._around.record(State(act.device, acted.stamp, acted.state, act.cause))
        self._resume_waiting(act.device)

    def _conclude(self, command: Command, acted: Acted) -> None:
        outcome = Outcome.FAILED if acted.state is None or acted.error else Outcome.DONE
        if acted.expired:
            outcome = Outcome.EXPIRED
        self._end(answer(command, outcome, acted.stamp, acted.error, acted.state))
        self._acknowledge(command)

    def _acknowledge(self, command: Command) -> None:
        underway = self._outputs.known[command.device].running.pop(command.id, None)
        if underway is not None:
            underway.acknowledge()

    def look_after(self) -> None:
        """Those that take long are answered for the first time."""
        for command in self._outputs.slow():
            stamp, reason = self._clock.stamp(), "it takes a while"
            self._around.record(answer(command, Outcome.ACCEPTED, stamp, reason))

    def _refuse(self, command: Command, refusal: Refuse, acknowledge: Acknowledge) -> None:
        result = answer(command, refusal.outcome, self._clock.stamp(), refusal.reason)
        self._answer(result, acknowledge, refusal.wait)

    def _refuse_for(self, fault: StateFault, command: Command, acknowledge: Acknowledge) -> None:
        """Without a ledger nothing can be promised, so nothing is switched; telemetry goes on."""
        log.error("command %s for %s: %s", command.id, command.device, fault)
        self._around.faulty(str(fault))
        refusal = Refuse(Outcome.REFUSED, f"ledger not usable: {fault}")
        self._refuse(command, refusal, acknowledge)

    def _answer(self, result: Result, acknowledge: Acknowledge, wait: float | None = None) -> None:
        """A word without an act, and not in the ledger: the same id may be tried again."""
        if result.outcome is not Outcome.DONE:
            self.refused += 1
        self._around.record(result)
        self._around.answered(result, wait)
        acknowledge()

    def _end(self, result: Result) -> None:
        """Where the commit fails the intent stays open: after a restart the act is asserted again,
        or reported as indeterminate. Both are true."""
        self._around.record(result)
        self._around.answered(result, None)
        try:
            self._store.conclude(result)
        except StateFault as fault:
            log.error("result of %s not committed: %s", result.id, fault)

    def resume(self) -> None:
        """Commands whose act was begun when the last run died, and whose end nobody knows."""
        try:
            intents = self._store.open_intents(self._clock.stamp())
        except StateFault as fault:
            log.error("open commands: %s", fault)
            return
        for intent in intents:
            command, stamp = intent.command, self._clock.stamp()
            appliance = self._outputs.appliances.get(command.device)
            if appliance is not None and appliances.may_resume(
                command, intent.deadline, appliance.action, stamp
            ):
                known = self._outputs.known[command.device]
                known.running[command.id] = Underway(command, _nothing, self._clock.monotonic())
                self._resumable.append(command)
            else:
                self._give_up(command, "it is not repeated")

    def _resume_waiting(self, device: str) -> None:
        """Asserts what the last run began, now that the state is known that its limits need."""
        if self._outputs.known[device].output.value is None:
            return
        waiting = [command for command in self._resumable if command.device == device]
        self._resumable = [command for command in self._resumable if command.device != device]
        for command in waiting:
            forbidden = self._outputs.limit(device, command.value)
            if forbidden is None and self._outputs.locked is None:
                self._act(command)
            else:
                why = "the gateway is locked" if forbidden is None else forbidden.reason
                self._give_up(command, why)
                self._acknowledge(command)

    def _give_up(self, command: Command, why: str) -> None:
        reason = f"the gateway stopped while it was carried out; {why}"
        self._end(answer(command, Outcome.INDETERMINATE, self._clock.stamp(), reason))


def _nothing() -> None:
    """Acknowledges a command of an earlier run: its message was that connection's."""
