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
from gateway.appliance import Appliance, Underway
from gateway.appliances import Allow, Refuse, Repeat, Running, Situation, answer
from gateway.clock import Clock
from gateway.events import Event, LinkChanged, Received, Total
from gateway.gate import Gate
from gateway.model import Acted, Alarm, Command, Outcome, Recorded, Result, State
from gateway.outputs import Outputs
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

Acknowledge = Callable[[], None]
IDLE = 5.0  # seconds between two turns without work, so that the heartbeat shows


class Control:
    """Start it with `run` on a thread of its own. Everything else may be called from any thread.

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
        self._store = store
        self._record = record
        self._nonce = nonce
        self._clock = clock
        self._heartbeat = heartbeat
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._outputs = Outputs(appliances, store, clock)
        self._gate = Gate()
        self._resumable: list[Command] = []
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
            self._look_after()
            return True
        if event is None:
            return False
        self._look_after()  # what was due before the event comes before it
        self._handle(event)
        self._look_after()
        return True

    def _handle(self, event: Event) -> None:
        match event:
            case Received(message, acknowledge):
                self._receive(message, acknowledge)
            case Acted():
                self._settle(event)
            case LinkChanged(up):
                self._outputs.link_changed(up)
            case Alarm() | State():
                self._record(event)
            case Total(device, channel, total):
                what = f"total of {device}"
                self._commit(what, lambda: self._store.remember_total(device, channel, total))

    def _receive(self, message: Command | Result, acknowledge: Acknowledge) -> None:
        """One answer a second to what is too much: a flood must not fill the disk."""
        now = self._clock.monotonic()
        output = message.device if message.device in self._outputs.known else ""
        if self._gate.passes(output, now):
            if isinstance(message, Result):
                self._answer(message, acknowledge)
            else:
                self._consider(message, acknowledge)
            return
        self.refused += 1
        reason = self._gate.answer(output, now)
        if reason and isinstance(message, Result):
            self._record(replace(message, reason=reason))
        elif reason and isinstance(message, Command):
            self._record(answer(message, Outcome.REFUSED, self._clock.stamp(), reason))
        acknowledge()

    def _consider(self, command: Command, acknowledge: Acknowledge) -> None:
        appliance = self._outputs.appliances.get(command.device)
        if appliance is None:
            self._refuse(command, Outcome.REFUSED, "no such appliance", acknowledge)
            return
        try:
            command = replace(command, value=appliance.parse(command.value))
            situation = self._situation(command, appliance)
        except ValueError as error:
            self._refuse(command, Outcome.REFUSED, str(error), acknowledge)
            return
        except StateFault as fault:
            self._refuse_for(fault, command, acknowledge)
            return
        match appliances.consider(command, command.value, situation):
            case Allow(_, deadline):
                self._begin(command, deadline, acknowledge)
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
        known = self._outputs.known[command.device]
        found = self._store.known(command.device, command.id, stamp)
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
            action=appliance.action,
            group=self._outputs.group_of(command.device),
        )

    def _begin(self, command: Command, deadline: float | None, acknowledge: Acknowledge) -> None:
        try:
            self._store.begin(command, deadline)
        except StateFault as fault:
            self._refuse_for(fault, command, acknowledge)
            return
        known = self._outputs.known[command.device]
        known.running[command.id] = Underway(command, acknowledge, self._clock.monotonic())
        self._act(command)

    def _act(self, command: Command) -> None:
        ttl = self._outputs.appliances[command.device].limits.command_ttl
        life = appliances.life(command, ttl, self._clock.stamp())
        self._outputs.tell(command.device, command.value, command.id, command, life)

    def _settle(self, acted: Acted) -> None:
        """The worker's word: the state is known, and a command behind it gets its answer."""
        act = acted.act
        is_new = self._outputs.settle(acted)
        if act.command is not None:
            self._conclude(act.command, acted)
        elif is_new and acted.state is not None:
            self._record(State(act.device, acted.stamp, acted.state, act.cause))
        self._resume_waiting(act.device)

    def _conclude(self, command: Command, acted: Acted) -> None:
        outcome = Outcome.FAILED if acted.state is None else Outcome.DONE
        if acted.expired:
            outcome = Outcome.EXPIRED
        self._end(answer(command, outcome, acted.stamp, acted.error, acted.state))
        self._acknowledge(command)

    def _acknowledge(self, command: Command) -> None:
        underway = self._outputs.known[command.device].running.pop(command.id, None)
        if underway is not None:
            underway.acknowledge()

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
        """A change of the ledger after the act.

        Where it fails the intent stays open: after a restart the act is asserted again, or
        reported as indeterminate. Both are true.
        """
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
            if forbidden is None:
                self._act(command)
            else:
                self._give_up(command, forbidden.reason)
                self._acknowledge(command)

    def _give_up(self, command: Command, why: str) -> None:
        reason = f"the gateway stopped while it was carried out; {why}"
        self._end(answer(command, Outcome.INDETERMINATE, self._clock.stamp(), reason))

    def _look_after(self) -> None:
        """What is due by itself."""
        self._outputs.enforce()
        for command in self._outputs.slow():
            stamp, reason = self._clock.stamp(), "it takes a while"
            self._record(answer(command, Outcome.ACCEPTED, stamp, reason))

    def _patience(self) -> float:
        return min(IDLE, self._outputs.patience())


def _nothing() -> None:
    """Acknowledges a command of an earlier run: its message was that connection's."""
