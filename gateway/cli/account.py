"""The account of what a gateway promised and what came: gaps, duplicates and order. Pure.

Every entry carries (epoch, seq), numbered without holes. So a number that does not come is one of:
still kept by the gateway; dropped and named by a gap record; lost in a crash, above the number that
the next epoch's `about` calls durable; or lost without an explanation, which must never happen.

A hole is judged when the gateway has said, after the hole was noticed, that it keeps nothing so
old, and GRACE has passed since. Until then it is pending. At the end of the account a hole is also
judged where no backlog is possible: the connection has been one and the same since the account
began, or since health told that nothing was waiting.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.cli.holes import ENDLESS, Claim, Fate, Hole, Numbers, match
from gateway.cli.identity import Identity
from gateway.cli.messages import Fact, Notice, Numbered, Status
from gateway.cli.statement import Missing, Report, waiting

GRACE = 5.0
"""Seconds that a message may be on its way from broker to consumer, or overtake another."""
CRASH = "crash"
HELD = 1000
"""Entries of the backlog that are held until the first live one says where the account begins."""
ANSWERS = 1000
"""So many results and states are remembered, to know the two halves of one from duplicates."""


@dataclass(slots=True)
class _Run:
    """One epoch."""

    numbers: Numbers
    claims: list[Claim] = field(default_factory=list)


class GatewayAccount:
    """The account of one gateway.

    whole: the consumer has been there from the gateway's very first entry, so every epoch is
    judged from number 1; else from the first live entry that comes.
    """

    def __init__(self, gateway: str, grace: float = GRACE, whole: bool = False) -> None:
        self.gateway = gateway
        self._grace = grace
        self._whole = whole
        self._start: int | None = 0 if whole else None
        self._runs: dict[int, _Run] = {}
        self._early: set[tuple[int, int]] = set()
        self._before: deque[Numbered] = deque(maxlen=HELD)
        self._vague = False
        self._newest: dict[tuple[str, str, str], tuple[int, int]] = {}
        self._answers: dict[tuple[int, int], set[str]] = {}
        self._counts: Counter[str] = Counter()
        self._identity = Identity()
        self._found: list[Missing] = []
        self._settlements: dict[int, int] = {}
        self._online: bool | None = None
        self._backlog = False
        self._outbox: Mapping[str, Any] | None = None
        self._evidence: deque[tuple[float, float]] = deque()
        self._cleared = float("-inf")

    def observe(self, fact: Fact, now: float) -> None:
        """Takes in what a message said. now: seconds by a clock that never jumps."""
        if self._identity.contradicts(fact, max(self._runs, default=0)):
            self._begin_anew("renumbered", now)
        if isinstance(fact, Numbered):
            self._entry(fact, now)
        elif isinstance(fact, Status):
            if not fact.device:
                self._online = fact.online
                self._backlog |= not fact.retained
        elif isinstance(fact, Notice) and fact.topic == "health":
            self._health(fact.fields, now)
        elif isinstance(fact, Notice) and fact.topic == "about":
            self._about(fact.fields, now)

    def blinded(self, now: float) -> None:
        """The consumer was away and its session is gone: what was sent meanwhile nobody can know.

        Unexplained losses found so far stay found; the account begins anew.
        """
        self._begin_anew("blind", now)

    def _begin_anew(self, why: str, now: float) -> None:
        self._found = list(self.report(now).missing)
        self._counts["numbered"] += sum(n.size for n in self._numbers())
        self._counts["received"] += sum(n.received for n in self._numbers())
        self._counts[why] += 1
        self._runs.clear()
        self._settlements.clear()
        self._early.clear()
        self._newest.clear()
        self._start = None
        self._whole = False

    def _entry(self, entry: Numbered, now: float) -> None:
        if entry.retained:
            # The broker's memory, sent before this account began: it counts as here, no more.
            self._early.add((entry.epoch, entry.seq))
            return
        if self._start is None:
            if entry.lane != "live":
                # Older than the account or not: the first live one tells.
                self._before.append(entry)
                return
            self._begin(entry, now)
        run = self._run(entry.epoch)
        fate = run.numbers.add(entry.seq, now) if run else Fate.EARLIER
        if fate is Fate.NEW:
            self._after(entry, now)
        elif not self._other_half(entry):
            self._counts[fate.value] += 1

    def _begin(self, first: Numbered, now: float) -> None:
        """Alarms and gaps overtake: judged from the next word on how far the numbers go."""
        self._start, self._vague = first.epoch, True
        self._runs[first.epoch] = _Run(Numbers(first.seq))
        held, self._before = self._before, deque(maxlen=HELD)
        for entry in held:
            self._entry(entry, now)

    def _other_half(self, entry: Numbered) -> bool:
        """A result that brings a state is two messages with one number; neither is a duplicate."""
        kinds = self._answers.get((entry.epoch, entry.seq))
        if kinds is None or entry.kind in kinds:
            return False
        kinds.add(entry.kind)
        return True

    def _after(self, entry: Numbered, now: float) -> None:
        """An entry that is here for the first time."""
        if entry.lane == "history":
            self._counts["history"] += 1
        if entry.kind == "gap":
            self._gap(entry.fields, now)
        if entry.kind in ("state", "result"):
            self._answers[entry.epoch, entry.seq] = {entry.kind}
            if len(self._answers) > ANSWERS:
                del self._answers[next(iter(self._answers))]
        stream = (entry.device, entry.kind, entry.lane)
        key = (entry.epoch, entry.seq)
        if key < self._newest.get(stream, key):
            self._counts["disordered"] += 1
        else:
            self._newest[stream] = key
        self._admit_early(entry.epoch, now)

    def _admit_early(self, epoch: int, now: float) -> None:
        run = self._runs[epoch]
        for key in [key for key in self._early if key[0] == epoch and key[1] <= run.numbers.end]:
            self._early.discard(key)
            run.numbers.add(key[1], now)

    def _run(self, epoch: int) -> _Run | None:
        """The run that an epoch's numbers are counted in; None for those before the account."""
        if self._start is None or epoch < self._start:
            return None
        return self._runs.setdefault(epoch, _Run(Numbers(1)))

    def _gap(self, fields: Mapping[str, Any], now: float) -> None:
        epoch, first, last = (fields.get(n) for n in ("gap_epoch", "first_seq", "last_seq"))
        count, reason = fields.get("count"), str(fields.get("reason", "?"))
        if not isinstance(epoch, int) or not isinstance(first, int):
            return
        run = self._run(epoch)
        if run is None:
            return
        if reason == CRASH:
            self._crashed(epoch, run, first, now)
        elif not isinstance(last, int):
            run.claims.append(Claim(first, ENDLESS, ENDLESS, reason))
        else:
            span = last - first + 1
            stated = count if isinstance(count, int) and count > 0 else span
            run.claims.append(Claim(first, last, min(span, stated), reason))

    def _about(self, fields: Mapping[str, Any], now: float) -> None:
        previous = fields.get("previous")
        if not isinstance(previous, Mapping):
            return
        epoch, durable = previous.get("epoch"), previous.get("durable_seq")
        if not isinstance(epoch, int) or not isinstance(durable, int):
            return
        run = self._run(epoch)
        if run is not None:
            self._crashed(epoch, run, durable, now)

    def _crashed(self, epoch: int, run: _Run, durable: int, now: float) -> None:
        """That run is over: up to durable everything comes, of the rest what had been sent."""
        if self._settlements.get(epoch) == durable:
            return
        self._settlements[epoch] = durable
        self._clear_up(epoch, durable, now)
        run.numbers.expect(durable, now)
        run.claims.append(Claim(durable + 1, ENDLESS, ENDLESS, CRASH))

    def _clear_up(self, epoch: int, last: int, now: float) -> None:
        """The run in which the account began has come to `last`, or is over there."""
        if self._vague and epoch == self._start:
            self._runs[epoch].numbers.excuse(last, now)
        self._vague = self._vague and self._start is not None and epoch < self._start

    def _health(self, fields: Mapping[str, Any], now: float) -> None:
        outbox, epoch = fields.get("outbox"), fields.get("epoch")
        if not isinstance(outbox, Mapping):
            return
        self._outbox = outbox
        self._backlog = waiting(outbox) > 0
        last = outbox.get("last_seq")
        if isinstance(epoch, int) and isinstance(last, int) and (run := self._run(epoch)):
            self._clear_up(epoch, last, now)
            run.numbers.expect(last, now)
        age = outbox.get("oldest_age")
        while self._evidence and self._evidence[-1][0] == now:
            self._evidence.pop()  # of one instant only the last word holds
        if outbox.get("kept") == 0:
            self._evidence.append((now, now))
        elif isinstance(age, int | float):
            # What is kept was recorded after now - age; a hole noticed before that is not in it.
            self._evidence.append((now, now - age - self._grace))

    def _judged(self, hole: Hole, now: float, final: bool) -> bool:
        if hole.since <= self._cleared:
            return True
        ripe = final and now - hole.since >= self._grace
        return ripe and self._online is not False and not self._backlog

    def _numbers(self) -> Iterator[Numbers]:
        return (run.numbers for run in self._runs.values())

    def report(self, now: float, final: bool = False) -> Report:
        """The account as it stands. final: nothing more will come, so judge what can be judged."""
        while self._evidence and now - self._evidence[0][0] >= self._grace:
            self._cleared = max(self._cleared, self._evidence.popleft()[1])
        missing, explained, pending = list(self._found), Counter[str](), 0
        for epoch, run in sorted(self._runs.items()):
            holes = run.numbers.holes
            judged = [hole for hole in holes if self._judged(hole, now, final)]
            young = [hole for hole in holes if not self._judged(hole, now, final)]
            lost, reasons, spare = match(judged, run.claims)
            waiting, more, _ = match(young, spare)
            explained.update(reasons)
            explained.update(more)
            missing += [Missing(epoch, hole.first, hole.last) for hole in lost]
            pending += sum(hole.size for hole in waiting)
        return self._report(tuple(missing), dict(explained), pending)

    def _report(
        self, missing: tuple[Missing, ...], explained: Mapping[str, int], pending: int
    ) -> Report:
        epoch = max(self._runs, default=None)
        return Report(
            gateway=self.gateway,
            online=self._online,
            epoch=epoch,
            last_seq=self._runs[epoch].numbers.end if epoch is not None else 0,
            numbered=self._counts["numbered"] + sum(n.size for n in self._numbers()),
            received=self._counts["received"] + sum(n.received for n in self._numbers()),
            earlier=self._counts[Fate.EARLIER.value] + len(self._before),
            history=self._counts["history"],
            duplicates=self._counts[Fate.DUPLICATE.value],
            disordered=self._counts["disordered"],
            pending=pending,
            explained=explained,
            missing=missing,
            waiting=None if self._outbox is None else waiting(self._outbox),
            blind=self._counts["blind"],
            renumbered=self._counts["renumbered"],
        )


class Account:
    """The accounts of all gateways that a consumer hears."""

    def __init__(self, grace: float = GRACE, whole: bool = False) -> None:
        self._grace = grace
        self._whole = whole
        self._gateways: dict[str, GatewayAccount] = {}

    def observe(self, fact: Fact, now: float) -> None:
        known = self._gateways.get(fact.gateway)
        if known is None:
            known = GatewayAccount(fact.gateway, self._grace, self._whole)
            self._gateways[fact.gateway] = known
        known.observe(fact, now)

    def blinded(self, now: float) -> None:
        for known in self._gateways.values():
            known.blinded(now)

    def reports(self, now: float, final: bool = False) -> list[Report]:
        return [known.report(now, final) for _, known in sorted(self._gateways.items())]
