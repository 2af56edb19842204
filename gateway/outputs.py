"""The states of all outputs: what was told, what arrived, what is due by itself; over restarts too.

Part of control, and used in its thread alone. The decisions are those of `limits` and `appliances`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway import appliances, limits
from gateway.appliance import Appliance, Known, Underway
from gateway.clock import Clock
from gateway.limits import Burden, Forbidden, Output, is_on
from gateway.model import Act, Acted, Command, Stamp, Value
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

RETRY = 5.0  # seconds before a state that must be reached, and was not, is tried again
SLOW = 2.0  # seconds after which a command still under way is answered with `accepted`
NOTE = "output"
LOCK = ("gateway", "locked")


class Outputs:
    """budgets: what the outputs of a load budget may take together, in W, by its name.

    Where the store fails, that is logged: the limits then hold within this run."""

    def __init__(
        self,
        appliances: Mapping[str, Appliance],
        store: Store,
        clock: Clock,
        budgets: Mapping[str, float],
    ) -> None:
        self.appliances = appliances
        self._limits = {name: appliance.limits for name, appliance in appliances.items()}
        self._budgets = budgets
        self.known = {name: Known() for name in appliances}
        self.link_lost: float | None = clock.monotonic()
        self.locked: float | None = None
        self._store = store
        self._clock = clock
        try:
            self._notes = store.recall(NOTE)
        except StateFault as fault:
            log.error("the outputs' earlier states: %s", fault)
            self._notes = {}

    def link_changed(self, up: bool) -> None:
        if up:
            self.link_lost = None
        elif self.link_lost is None:
            self.link_lost = self._clock.monotonic()

    def lock(self, on: bool) -> None:
        """Everything off and every command refused; over restarts. StateFault: in this run only."""
        self.locked = self._clock.monotonic() if on else None
        for known in self.known.values():
            known.not_before = 0.0  # what failed a moment ago is tried at once
        self._store.remember(*LOCK, on)

    def restore_lock(self) -> None:
        kind, name = LOCK
        try:
            locked = self._store.recall(kind).get(name, False)
        except StateFault as fault:
            log.error("whether the gateway was locked is not known: %s", fault)
            return
        self.locked = self._clock.monotonic() if locked else None

    def group_of(self, name: str) -> dict[str, Output]:
        """The other outputs of its interlock."""
        group = self.appliances[name].limits.interlock
        return {
            other: self.known[other].output
            for other, appliance in self.appliances.items()
            if group and other != name and appliance.limits.interlock == group
        }

    def burden_of(self, name: str) -> Burden | None:
        """Of its load budget; None without one."""
        most = self._budgets.get(self._limits[name].budget)
        return None if most is None else limits.burden_of(name, most, self._limits, self._now())

    def limit(self, name: str, value: Value) -> Forbidden | None:
        """What forbids this value now."""
        own, output = self._limits[name], self.known[name].output
        group, burden = self.group_of(name), self.burden_of(name)
        return limits.limit(value, own, output, group, self._clock.monotonic(), burden)

    def lost(self, name: str) -> None:
        """The output's device is offline: its state is not known until it is back."""
        known = self.known[name]
        if known.output.value is None:
            return
        self._notes[name] = note_of(known.output, self._clock.stamp(), self._clock.monotonic())
        known.output = limits.lost(known.output)
        known.was_lost = True

    def tell(
        self, name: str, value: Value, cause: str, command: Command | None = None, life: float = 0.0
    ) -> None:
        """Hands an act to the worker. life: seconds in which a command's act has to begin."""
        known, now = self.known[name], self._clock.monotonic()
        known.output = limits.told(known.output, value, now)
        self._remember(name)
        act = Act(name, value, cause, command, now + life if command is not None else None)
        known.acts.append(act)
        self.appliances[name].act(act)

    def settle(self, acted: Acted) -> bool:
        """The worker's word on an act, or on what it found. Whether the state is another one."""
        name, now = acted.act.device, self._clock.monotonic()
        known = self.known[name]
        before = known.output
        told = any(act is acted.act for act in known.acts)
        if told:
            known.acts = [act for act in known.acts if act is not acted.act]
            known.output = (
                limits.dropped(before)
                if acted.expired
                else limits.arrived(before, acted.state, now)
            )
        elif acted.state is not None:
            known.output = limits.observed(before, acted.state, now)
        failed = acted.state is None and not acted.expired
        known.not_before = now + RETRY if failed else 0.0
        if acted.state is not None and before.value is None:
            known.output = self._as_before(name, known.output, acted.stamp, now)
            # Where an act of ours brought it back, its value is newer than the loss.
            known.back, known.was_lost = now if known.was_lost and not told else None, False
        if known.output != before:
            self._remember(name)
        return known.output.value != before.value

    def enforce(self) -> None:
        """Does what is due by itself. The limits hold here too, but a lock waits for nothing."""
        now = self._clock.monotonic()
        for item in self._due():
            known = self.known[item.device]
            if item.due > now or known.not_before > now:
                continue
            forbidden = self.limit(item.device, item.value)
            if forbidden is not None and item.cause != "lock":
                known.not_before = now + min(forbidden.wait or RETRY, RETRY)
                log.debug("%s: %s has to wait: %s", item.device, item.cause, forbidden.reason)
                continue
            log.warning("%s: set to %s (%s)", item.device, item.value, item.cause)
            self.tell(item.device, item.value, item.cause)

    def slow(self) -> list[Command]:
        """Commands that have been under way for so long that their senders should know; once."""
        now = self._clock.monotonic()
        slow = [underway for underway in self._unanswered() if underway.since + SLOW <= now]
        for underway in slow:
            underway.accepted = True
        return [underway.command for underway in slow]

    def patience(self) -> float:
        """Seconds until something is due; infinity where nothing is."""
        now = self._clock.monotonic()
        dues = [max(item.due, self.known[item.device].not_before) - now for item in self._due()]
        dues += [underway.since + SLOW - now for underway in self._unanswered()]
        return max(0.0, min(dues, default=float("inf")))

    def _unanswered(self) -> list[Underway]:
        running = [underway for known in self.known.values() for underway in known.running.values()]
        return [underway for underway in running if not underway.accepted]

    def _due(self) -> list[appliances.Overdue]:
        back = {name: known.back for name, known in self.known.items() if known.back is not None}
        return appliances.overdue(self._now(), self._limits, self.link_lost, self.locked, back)

    def _now(self) -> dict[str, Output]:
        return {name: known.output for name, known in self.known.items()}

    def _remember(self, name: str) -> None:
        """So that a restart extends no limit."""
        now, stamp = self._clock.monotonic(), self._clock.stamp()
        note = note_of(self.known[name].output, stamp, now)
        earlier = self._notes.get(name)
        if earlier is not None and note["value"] is None:
            note = {**earlier, "value": None}  # of a run before, and it has not been found yet
        try:
            self._store.remember(NOTE, name, note)
        except StateFault as fault:
            log.error("the state of %s is not remembered: %s", name, fault)

    def _as_before(self, name: str, output: Output, stamp: Stamp, now: float) -> Output:
        note = self._notes.pop(name, None)
        return output if note is None else restored(output, note, stamp, now)


def note_of(output: Output, stamp: Stamp, now: float) -> dict[str, Any]:
    """What `restored` needs; ages in seconds at the time of the stamp."""
    return {
        # What is on its way may have arrived when the process dies, and nobody will have seen it.
        "value": None if output.turning else output.value,
        "age": now - output.changed,
        "on_for": now - output.on_since,
        "switched": [now - t for t in output.switched],
        "wall": stamp.wall,
        "boot": stamp.boot,
        "boot_id": stamp.boot_id,
        "synchronised": stamp.synchronised,
    }


def restored(output: Output, note: Mapping[str, Any], stamp: Stamp, now: float) -> Output:
    """An output as it was found, with what an earlier run knew: since when, and how often on.

    The time in between is that of the boot clock; after a reboot that of the wall clock, if it
    could be believed then and now; else it counts as none.
    """
    between = 0.0
    if note["boot_id"] == stamp.boot_id:
        between = stamp.boot - note["boot"]
    elif stamp.synchronised and note.get("synchronised", False):
        between = max(0.0, stamp.wall - note["wall"])
    earlier = tuple(now - age - between for age in note["switched"])
    if note["value"] is None or is_on(note["value"]) != is_on(output.value):
        return replace(output, switched=(*earlier, *output.switched))
    # It was on or off already, so being claimed anew was neither a change nor one more switching.
    changed, on_since = now - note["age"] - between, now - note["on_for"] - between
    return replace(output, changed=changed, on_since=on_since, switched=earlier)
