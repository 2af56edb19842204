"""May this command run, and what must happen by itself: the decisions, without any effect.

Pure. Times named now, due and the like are seconds of a clock that never jumps; wall seconds are
named wall. `control.py` asks, and does what the verdict says. What an output may do at all, whoever
asks, is in `limits.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.limits import Burden, Limits, Output, is_on, limit
from gateway.model import Action, Command, Outcome, Result, Stamp, Value


@dataclass(frozen=True, slots=True)
class Allow:
    """Run it, unless it is later than deadline (wall seconds; None: the clock cannot be asked)."""

    value: Value
    deadline: float | None


@dataclass(frozen=True, slots=True)
class Refuse:
    """wait: seconds after which it would be allowed, where that is known."""

    outcome: Outcome
    reason: str
    wait: float | None = None


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
    nonce: the session's. group: the other outputs of the same interlock, by name. burden: of the
    output's load budget. unauthorised: why the one who signed may not, empty if they may.
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
    action: Action
    group: Mapping[str, Output]
    burden: Burden | None = None
    unauthorised: str = ""


def consider(command: Command, value: Value, situation: Situation) -> Verdict:
    """The verdict on a command whose value was parsed to `value`.

    An id that ran is answered again whatever else holds: no act follows from it. Then freshness,
    then whether the one who signed may, then the lock, then the limits.
    """
    if situation.known is not None:
        return Repeat(situation.known)
    if situation.running:
        return Running()
    stale = _stale(command, situation)
    if stale is not None:
        return stale
    if situation.unauthorised:
        return Refuse(Outcome.REFUSED, situation.unauthorised)
    if situation.locked:
        return Refuse(Outcome.REFUSED, "the gateway is locked")
    output, group = situation.output, situation.group
    forbidden = limit(value, situation.limits, output, group, situation.now, situation.burden)
    if forbidden is not None:
        return Refuse(Outcome.REFUSED, forbidden.reason, forbidden.wait)
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
        asked=command.value,
    )


def deadline(command: Command, ttl: float) -> float:
    """Wall seconds after which the command must not run: its own word, else ttl from receipt."""
    return command.expires if command.expires is not None else command.received.wall + ttl


def life(command: Command, ttl: float, stamp: Stamp) -> float:
    """Seconds for which the command may still be begun, by a clock that does not jump."""
    believable = command.expires is not None and stamp.synchronised
    if command.received.boot_id != stamp.boot_id:  # resumed after a reboot
        if command.expires is None or not believable:
            return float("-inf")
        return command.expires - stamp.wall
    left = ttl - (stamp.boot - command.received.boot)
    if command.expires is None or not believable:
        return left
    return min(left, command.expires - stamp.wall)


def is_local(message: Command | Result) -> bool:
    """Of this very machine, made now, by a rule or the like: it has no session to quote from."""
    return not message.source.startswith("mqtt")


def _stale(command: Command, situation: Situation) -> Refuse | None:
    """Freshness: by the session's nonce, which needs no clock, and by the expiry, which does."""
    fresh = is_local(command) or (command.nonce is not None and command.nonce == situation.nonce)
    if command.nonce is not None and not fresh:
        return Refuse(Outcome.EXPIRED, "stale: the nonce is of an earlier session")
    if situation.limits.fresh_only and not fresh:
        return Refuse(Outcome.REFUSED, "the session's nonce is demanded; see topic session")
    if command.uncertain and situation.action is Action.PULSE:
        return Refuse(
            Outcome.INDETERMINATE, "delivered again without an id, so it may have run before"
        )
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


def may_resume(command: Command, deadline: float | None, action: Action, stamp: Stamp) -> bool:
    """Whether an act that was begun when the process died is to be asserted again.

    Only an absolute value, and only within its life: by the boot clock if this is still the same
    boot, else by the wall clock if that can be believed now and could then, else never.
    """
    if action is not Action.SET or deadline is None:
        return False
    received = command.received
    if received.boot_id == stamp.boot_id:
        return stamp.boot - received.boot < deadline - received.wall
    return stamp.synchronised and received.synchronised and stamp.wall < deadline


@dataclass(frozen=True, slots=True)
class Overdue:
    """An output that must change by itself: to value, because of cause, at the time due."""

    device: str
    value: Value
    cause: str
    due: float


def overdue(
    outputs: Mapping[str, Output],
    limits: Mapping[str, Limits],
    link_lost: float | None,
    locked: float | None = None,
    back: Mapping[str, float] | None = None,
) -> list[Overdue]:
    """Everything that will have to happen if nobody acts, the soonest first.

    link_lost, locked: since when the broker is not reached, or all is locked; None: it is not.
    back: since when outputs are online again that were offline.
    """
    coming = []
    for name, output in outputs.items():
        rule = limits[name]
        if locked is not None:
            if output.current != rule.off and not (rule.momentary and output.told >= locked):
                coming.append(Overdue(name, rule.off, "lock", locked))
            continue
        if rule.max_on > 0 and is_on(output.value) and is_on(output.current):
            coming.append(Overdue(name, rule.off, "max_on", output.on_since + rule.max_on))
        if rule.link_loss is not None and link_lost is not None:
            # Once a loss: what a limit or somebody here tells the output later holds.
            due = link_lost + rule.link_loss_after
            if _is_older(output, due, rule.link_loss):
                coming.append(Overdue(name, rule.link_loss, "link_loss", due))
        since = (back or {}).get(name)
        if rule.offline is not None and since and _is_older(output, since, rule.offline):
            coming.append(Overdue(name, rule.offline, "offline", since))
    return sorted(coming, key=lambda o: o.due)


def _is_older(output: Output, then: float, wanted: Value) -> bool:
    """Whether an output has another value than wanted, and was last told so before then."""
    return output.current not in (None, wanted) and output.told < then
