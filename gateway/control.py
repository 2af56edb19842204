"""The one thread in which commands are decided and appliances' states are known.

It owns the ledger, the outputs' states and the alarms, so decisions need no lock. It calls no
device: an Act goes to the worker that owns the output, and comes back as Acted.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable, Container, Mapping
from functools import partial
from typing import TYPE_CHECKING

from gateway import trail
from gateway.alarms import Alarms
from gateway.appliance import Appliance
from gateway.clock import Clock
from gateway.commands import Around, Commands
from gateway.desk import LEDGER, WHOLE, AlarmDesk
from gateway.events import (
    DeviceChanged,
    Event,
    ForRules,
    Happened,
    LinkChanged,
    Received,
    Total,
)
from gateway.judge import Authority
from gateway.model import Acted, Command, Heard, Recorded, Result
from gateway.orders import Done, Handler
from gateway.outputs import Outputs
from gateway.state import StateFault, Store

if TYPE_CHECKING:  # a house without rules does not load them
    from gateway.rule_desk import RuleDesk
    from gateway.rules_model import Event as RuleEvent

log = logging.getLogger(__name__)
audit = logging.getLogger("tidegate.audit")

Raise = Callable[[str, bool, str], None]
"""Name of an alarm, whether its cause is there, text."""
IDLE = 20.0  # seconds between two turns without work, so that the heartbeat shows


class Control:
    """Start it with `run` on a thread of its own. Everything else may be called from any thread.

    record, nonce: as `commands.Around` has them. alarms: decides about alarms.
    allowed, handlers: commands to the gateway itself; lock, unlock and acknowledge are carried out
    here. budgets: W, by the load budget's name. make_rules: gives the desk of the rules, from how
    to give a command and how to raise an alarm. authority: whose signed commands count.
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
        alarms: Alarms | None = None,
        allowed: Container[str] = (),
        handlers: Mapping[str, Handler] | None = None,
        budgets: Mapping[str, float] | None = None,
        make_rules: Callable[[Clock, Callable[[Command], None], Raise], RuleDesk] | None = None,
        authority: Authority | None = None,
    ) -> None:
        self._store = store
        self._record = record
        self._heartbeat = heartbeat
        self._inbox: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._outputs = Outputs(appliances, store, clock, budgets or {})
        self._desk = AlarmDesk(alarms or Alarms(), store, clock, record)
        around = Around(self._put_down, nonce, self._answered, self._ledger_faulty)
        own = {"lock": self._lock, "unlock": self._unlock, "acknowledge": self._acknowledge}
        orders = {**own, **(handlers or {})}
        if "wipe" in orders:
            orders["wipe"] = partial(self._wipe, orders["wipe"])
        self._commands = Commands(
            self._outputs, store, clock, around, allowed, orders, authority or Authority()
        )
        self._rules = make_rules and make_rules(clock, self._command, self._desk.happened)

    @property
    def refused(self) -> int:
        """Commands that were not carried out, in this run."""
        return self._commands.refused

    def receive(self, message: Command | Result | Heard, acknowledge: Callable[[], None]) -> None:
        """A command, why it could not be parsed, or what another gateway tells.

        acknowledge settles its message.
        """
        self._inbox.put(Received(message, acknowledge))

    def acted(self, acted: Acted) -> None:
        self._inbox.put(acted)

    def link_changed(self, up: bool) -> None:
        self._inbox.put(LinkChanged(up))

    def device_changed(self, device: str, online: bool) -> None:
        self._inbox.put(DeviceChanged(device, online))

    def keep_total(self, device: str, channel: str, total: float) -> None:
        """A counter's total, to be on disk soon; the worker must not wait for the card."""
        self._inbox.put(Total(device, channel, total))

    def alarm(self, name: str, raised: bool, text: str) -> None:
        """The cause of an alarm is there, or has gone. Often the same is no more than once."""
        self._inbox.put(Happened(name, raised, text))

    def for_rules(self, event: RuleEvent) -> None:
        """A reading, or whether a device is there."""
        self._inbox.put(ForRules(event))

    def stop(self) -> None:
        """Ends `run` after what is already in the inbox."""
        self._inbox.put(None)

    def run(self) -> None:
        self.resume()
        while self.turn():
            self._heartbeat()

    def resume(self) -> None:
        """Takes up what the run before left: the lock, alarms, commands half done."""
        self._outputs.restore_lock()
        self._desk.open()
        self._commands.resume()
        if self._rules is not None:
            self._rules.open()

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

    def drain(self) -> float:
        """What is in the inbox, and what follows, without waiting: for who moves the clock himself.

        Seconds until something is due by itself.
        """
        while True:
            self._look_after()
            try:
                event = self._inbox.get_nowait()
            except queue.Empty:
                return self._due()
            if event is not None:
                self._handle(event)

    def _handle(self, event: Event) -> None:
        match event:
            case Received(Heard() as heard, acknowledge):
                if self._rules is not None:
                    self._rules.hear(heard)
                acknowledge()
            case Received(Command() | Result() as message, acknowledge):
                self._commands.receive(message, acknowledge)
            case Acted():
                self._commands.settle(event)
                if self._rules is not None:
                    self._rules.output(event.act.device, event.state)
            case LinkChanged(up):
                self._outputs.link_changed(up)
                if self._rules is not None:
                    self._rules.link(up)
            case DeviceChanged(device, online):
                if not online and device in self._outputs.known:
                    self._outputs.lost(device)
                if self._rules is not None:
                    self._rules.device(device, online)
            case ForRules(news):
                if self._rules is not None:
                    self._rules.tell(news)
            case Happened(name, raised, text):
                self._desk.happened(name, raised, text)
            case Total():
                self._keep(event)

    def _keep(self, total: Total) -> None:
        try:
            self._store.remember_total(total.device, total.channel, total.total)
        except StateFault as fault:
            log.error("the total of %s is not remembered: %s", total.device, fault)

    def _look_after(self) -> None:
        """What is due by itself."""
        self._outputs.enforce()
        self._commands.look_after()
        self._desk.look_after()
        if self._rules is not None:
            self._rules.look_after()

    def _patience(self) -> float:
        return max(0.0, min(IDLE, self._due()))

    def _due(self) -> float:
        rules = float("inf") if self._rules is None else self._rules.patience()
        return min(self._outputs.patience(), self._desk.patience(), rules)

    def _command(self, command: Command) -> None:
        """One of our own: it goes the way of all others, but nobody waits to be acknowledged."""
        self._commands.receive(command, lambda: None)

    def _put_down(self, recorded: Recorded) -> object:
        """Every decision is an entry of the outbox, and a line of the log."""
        if isinstance(recorded, Result):
            audit.info("%s", trail.line(recorded))
        return self._record(recorded)

    def _answered(self, result: Result, wait: float | None) -> None:
        if self._rules is not None:
            self._rules.answered(result, wait)

    def _ledger_faulty(self, fault: str) -> None:
        wrong = fault or self._store.reset
        self._desk.happened(LEDGER, bool(wrong), wrong or WHOLE)

    def _lock(self, argument: str) -> Done:
        self._outputs.lock(True)
        return Done("all outputs go to their off states")

    def _unlock(self, argument: str) -> Done:
        self._outputs.lock(False)
        return Done("commands are taken again")

    def _wipe(self, wipe: Handler, argument: str) -> Done:
        done = wipe(argument)
        try:
            self._outputs.lock(True)
        except StateFault as fault:
            log.error("locked for the wipe, in this run only: %s", fault)
        return done

    def _acknowledge(self, name: str) -> Done:
        return Done(self._desk.acknowledge(name))
