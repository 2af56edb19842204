"""May this command run, and what must happen by itself: the decisions, without any effect.

Pure. Times named now, changed and the like are seconds of a clock that never jumps; wall seconds
are named wall. `control.py` asks, and does what the verdict says. The limits hold below every
source of commands: MQTT, rules, the command line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gateway.model import Action, Command, Outcome, Result, Stamp, Value

HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one output's owner allows; the fields of `[[device]]` for outputs, in seconds.

    interlock names a group of which one output at most is on. link_loss None: keeps its state.
    """

    off: Value = False
    command_ttl: float = 30.0
    fresh_only: bool = False
    max_on: float = 0.0
    min_on: float = 0.0
    min_off: float = 0.0
    max_switches_per_hour: int = 0
    interlock: str = ""
    dead_time: float = 0.0
    link_loss: Value | None = None
    link_loss_after: float = 300.0


@dataclass(frozen=True, slots=True)
class Output:
    """What is known of an output. wanted is a value on its way to it, else None.

    value None: not known yet. changed: when it last went on or off, or was claimed at the start,
    which counts as a change: what it did before is not known. switched: when it went on, within
    the last hour.
    """

    value: Value | None = None
    changed: float = 0.0
    wanted: Value | None = None
    switched: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Allow:
    """Run it, unless it is later than deadline (wall seconds; None: the clock cannot be asked)."""

    value: Value
    deadline: float | None


@dataclass(frozen=True, slots=True)
class Refuse:
    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class Repeat:
    """It ran before: answer again, act no more."""

    result: Result


@dataclass(frozen=True, slots=True)
class Running:
    """The same command is being carried out: its answer will come."""


Verdict = Allow | Refuse | Repeat | Running


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """Everything a verdict depends on besides the command.

    known: the ledger's answer for this id; running: it is open in this very run.
    amnesia: the ledger was lost, so an id that it does not know may have run before.
    nonce: the session's. others: the outputs of the same interlock group, with their names.
    """

    now: float
    stamp: Stamp
    nonce: str
    locked: bool
    known: Result | None
    running: bool
    amnesia: bool
    limits: Limits
    output: Output
    others: Mapping[str, Output]


def is_on(value: Value | None) -> bool:
    """Whether a state lets an appliance run: true, a number above 0, a text other than off."""
    if isinstance(value, str):
        return value.lower() not in ("", "off", "closed", "stop")
    return bool(value)


def consider(command: Command, value: Value, situation: Situation) -> Verdict:
    """The verdict on a command whose value was parsed to `value`.

    An id that ran is answered again whatever else holds: no act follows from it. Then freshness,
    then the lock, then the limits.
    """
    if situation.known is not None:
        return Repeat(situation.known)
    if situation.running:
        return Running()
    stale = _stale(command, situation)
    if stale is not None:
        return stale
    if situation.locked:
        return Refuse(Outcome.REFUSED, "the gateway is locked")
    limited = limit(value, situation)
    if limited is not None:
        return Refuse(Outcome.REFUSED, limited)
    return Allow(value, deadline(command, situation.limits.command_ttl))


def answer(
    command: Command, outcome: Outcome, stamp: Stamp, reason: str = "", state: Value | None = None
) -> Result:
    """The result of a command, on the way back that the command named."""
    return Result(
        id=command.id,
        device=command.device,
        stamp=stamp,
        outcome=outcome,
        reason=reason,
        state=state,
        source=command.source,
        response_topic=command.response_topic,
        correlation=command.correlation,
    )


def deadline(command: Command, ttl: float) -> float:
    """Wall seconds after which the command must not run: its own word, else ttl from receipt."""
    return command.expires if command.expires is not None else command.received.wall + ttl


def _stale(command: Command, situation: Situation) -> Refuse | None:
    """Freshness: by the session's nonce, which needs no clock, and by the expiry, which does."""
    fresh = command.nonce is not None and command.nonce == situation.nonce
    if command.nonce is not None and not fresh:
        return Refuse(Outcome.EXPIRED, "stale: the nonce is of an earlier session")
    if situation.limits.fresh_only and not fresh:
        return Refuse(Outcome.REFUSED, "this output demands the session's nonce; see topic session")
    if situation.amnesia and not fresh:
        return Refuse(
            Outcome.REFUSED, "ledger-reset: earlier commands are unknown; quote the session's nonce"
        )
    age = situation.stamp.boot - command.received.boot
    if age > situation.limits.command_ttl:
        return Refuse(Outcome.EXPIRED, f"waited {age:.0f} s here, longer than its life")
    if command.expires is None or (fresh and not situation.stamp.synchronised):
        return None
    if not situation.stamp.synchronised:
        return Refuse(
            Outcome.REFUSED,
            "the gateway's clock is not set, so an expiry means nothing; quote the session's nonce",
        )
    late = situation.stamp.wall - command.expires
    if late > 0:
        return Refuse(Outcome.EXPIRED, f"expired {late:.0f} s ago")
    return None


def limit(value: Value, situation: Situation) -> str | None:
    """Which limit forbids this value now, in words with the time it would be allowed; else None."""
    turns_on = is_on(value)
    output, limits, now = situation.output, situation.limits, situation.now
    current = output.value if output.wanted is None else output.wanted
    if turns_on and limits.interlock:
        blocked = _interlocked(limits, situation.others, now)
        if blocked is not None:
            return blocked
    if current is None or turns_on == is_on(current):
        return None
    since = now - output.changed
    if not turns_on and since < limits.min_on:
        return f"min_on: may go off in {limits.min_on - since:.0f} s"
    if turns_on and since < limits.min_off:
        return f"min_off: may go on in {limits.min_off - since:.0f} s"
    if turns_on and limits.max_switches_per_hour:
        recent = [t for t in output.switched if now - t < HOUR]
        if len(recent) >= limits.max_switches_per_hour:
            free = recent[-limits.max_switches_per_hour] + HOUR - now
            return f"max_switches_per_hour: may go on in {free:.0f} s"
    return None


def _interlocked(limits: Limits, others: Mapping[str, Output], now: float) -> str | None:
    for name, other in others.items():
        if is_on(other.value) or is_on(other.wanted):
            return f"interlock {limits.interlock}: {name} is on"
        wait = limits.dead_time - (now - other.changed)
        if wait > 0:
            return f"interlock {limits.interlock}: dead time after {name}, {wait:.0f} s more"
    return None


def switched(output: Output, value: Value, now: float) -> Output:
    """The output after its state was read back as value."""
    recent = tuple(t for t in output.switched if now - t < HOUR)
    before = output.value
    if before is not None and is_on(before) == is_on(value):
        return replace(output, value=value, wanted=None, switched=recent)
    if is_on(value):
        recent = (*recent, now)
    return Output(value, now, None, recent)


def may_resume(command: Command, deadline: float | None, action: Action, stamp: Stamp) -> bool:
    """Whether an act that was begun when the process died is to be asserted again.

    Only an absolute value, and only within its life: by the boot clock if this is still the same
    boot, else by the wall clock if that can be believed, else never.
    """
    if action is not Action.SET or deadline is None:
        return False
    received = command.received
    if received.boot_id == stamp.boot_id:
        return stamp.boot - received.boot < deadline - received.wall
    return stamp.synchronised and stamp.wall < deadline


@dataclass(frozen=True, slots=True)
class Overdue:
    """An output that must change by itself: to value, because of cause, at the time due."""

    device: str
    value: Value
    cause: str
    due: float


def overdue(
    outputs: Mapping[str, Output], limits: Mapping[str, Limits], link_lost: float | None
) -> list[Overdue]:
    """Everything that will have to happen if nobody acts, the soonest first.

    link_lost: since when the broker is not reached, None while it is.
    """
    coming = []
    for name, output in outputs.items():
        rule = limits[name]
        current = output.value if output.wanted is None else output.wanted
        if rule.max_on > 0 and is_on(output.value) and is_on(current):
            coming.append(Overdue(name, rule.off, "max_on", output.changed + rule.max_on))
        if rule.link_loss is not None and link_lost is not None and current != rule.link_loss:
            due = link_lost + rule.link_loss_after
            coming.append(Overdue(name, rule.link_loss, "link_loss", due))
    return sorted(coming, key=lambda o: o.due)
