"""The composition root: the only module that sees drivers and the gateway's parts together.

It wires and holds no behaviour. Settings end here: a part gets the values it needs.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway import safe
from gateway.alarms import AlarmRule, Alarms
from gateway.attached import Attached
from gateway.build_authority import make_authority
from gateway.build_devices import (
    BuildError,
    attach,
    by_bus,
    describe_device,
    make_appliances,
    self_freeing,
)
from gateway.build_link import make_batches, make_link, stop_link
from gateway.build_local import make_local
from gateway.build_orders import Position, make_handlers
from gateway.build_safe import renew, steps_of
from gateway.build_safe_mode import alarm_of, end_of, without_devices
from gateway.clock import Clock, SystemClock, corrected
from gateway.codecs.base import About, Dialect, Settlement
from gateway.control import Control
from gateway.journal import Journal
from gateway.journal_open import open_journal
from gateway.link.link import Link
from gateway.lock import StateInUse, hold
from gateway.outbox import Outbox
from gateway.reporter import Reporter
from gateway.settings import Settings
from gateway.shelf import Shelf
from gateway.state import StateFault, Store
from gateway.supervisor import Chore, Heartbeats, Part, Supervisor, threaded
from gateway.version import VERSION
from gateway.worker import Worker

__all__ = ["House", "assemble", "without_devices"]

log = logging.getLogger(__name__)

STUCK = 60.0
"""Seconds without progress after which a part counts as stuck: more than the slowest card takes
for a sync, more than the longest time-out of a bus."""


@dataclass(frozen=True, slots=True)
class House:
    """What was built. The parts are here for those who add one of their own, such as the bench."""

    supervisor: Supervisor
    outbox: Outbox
    link: Link
    clock: Clock
    keep: Callable[[Collection[str]], None]
    """These outputs are not put to their stop states when the house closes."""


def journal_of(settings: Settings) -> Callable[[], Journal]:
    """How to open the journal, again and again if the disk fails."""
    values, state = settings.outbox, Path(settings.gateway.state)
    return lambda: open_journal(
        state,
        size=values.size,
        store=values.store,
        keep_free=values.keep_free,
        report=log.error,
    )


def assemble(settings: Settings, *, kept: Collection[str] = (), safe_for: float = 0.0) -> House:
    """Everything, wired and not started. BuildError.

    kept: outputs that are found as the run before left them. safe_for: seconds of safe mode.
    """
    state = Path(settings.gateway.state)
    _hold(state)
    clock, hearts = SystemClock(believe=settings.site.battery_clock), Heartbeats()
    store = Store(state / "state.db")
    anchors = store.anchors()
    outbox = make_outbox(settings, store, clock)
    hearts.watch("outbox", STUCK, lambda: outbox.busy_since)
    dialect = make_dialect(settings, anchors)
    buses: dict[str, object] = {}
    attached = attach(settings, store, buses)
    for name in kept:
        if name in attached:
            attached[name].claimed = True
    workers: dict[str, Worker] = {}
    rules = None
    if settings.rule or (not safe_for and _had_rules(store)):
        from gateway.build_rules import RuleWork  # a house without rules does not load it

        rules = RuleWork(settings, attached, store, anchors, outbox.epoch)
    dialect.listen(rules.remote if rules else ())
    position = Position()
    control = Control(
        make_appliances(settings, attached, lambda act: workers[act.device].order(act)),
        store=store,
        record=outbox.append,
        nonce=lambda: link.nonce or "",
        clock=clock,
        heartbeat=hearts.register("control", STUCK),
        alarms=Alarms({a.name: AlarmRule(a.repeat, a.latch) for a in settings.alarm}),
        allowed=settings.gateway.allow,
        handlers=make_handlers(settings, position, outbox.stats, lambda: link),
        budgets={budget.name: budget.limit for budget in settings.load_budget},
        make_rules=rules.make if rules else None,
        authority=make_authority(settings),
    )
    batches = make_batches(settings, outbox)
    link = make_link(
        settings,
        batches or outbox,
        dialect,
        clock,
        control,
        hearts.register("link", STUCK),
        outbox.epoch,
    )
    if rules:
        rules.connect(control, clock, link.notice)
    reporter = Reporter(
        dialect=dialect,
        board=link,
        books=outbox,
        clock=clock,
        store=store,
        anchors=anchors,
        state=state,
        devices=attached.values(),
        recovering=self_freeing(settings, buses),
        epoch=outbox.epoch,
        gateway=settings.gateway.id,
        version=VERSION,
    )

    def changed(device: str, online: bool, reason: str) -> None:
        reporter.device(device, online, reason)
        control.device_changed(device, online)

    for bus, devices in by_bus(settings, attached).items():
        worker = Worker(
            bus,
            devices,
            clock=clock,
            append=position.watch(outbox.append),
            status=changed,
            acted=control.acted,
            save_total=control.keep_total,
            heartbeat=hearts.register(f"bus {bus}", STUCK),
        )
        workers.update(dict.fromkeys(worker.devices, worker))
    link.notice(dialect.about(describe(settings, outbox, clock, attached)))
    reporter.anchor()
    parts = [
        Part("outbox", outbox.start, lambda timeout: _close(outbox, store, timeout)),
        Part("link", link.start, lambda timeout: stop_link(link, timeout)),
        Part("safe states", lambda: renew(state / safe.FILE, steps_of(settings, attached)), _rest),
        threaded("control", control.run, control.stop),
        alarm_of(safe_for, control.alarm),
        *(threaded(f"bus {w.name}", w.run, w.stop) for w in dict.fromkeys(workers.values())),
    ]
    local = make_local(settings.gateway, reporter)
    if local is not None:
        parts.append(threaded("local", local.run, local.stop))
    chores = [Chore(settings.gateway.health_every, reporter.health), Chore(60.0, reporter.anchor)]
    chores += end_of(safe_for)
    if batches is not None:
        chores.append(Chore(settings.upstream.batch_every, batches.due))

    def keep(outputs: Collection[str]) -> None:
        for name in outputs:
            attached[name].stop = None

    return House(Supervisor(parts, chores, hearts), outbox, link, clock, keep)


def _hold(state: Path) -> None:
    try:
        hold(state)
    except StateInUse as error:
        raise BuildError(f"gateway.state: {error}") from error
    except OSError as error:
        # A disk that fails is no reason not to start; the outbox and the state say what it means.
        log.error("%s cannot be locked: %s", state, error.strerror or error)


def _had_rules(store: Store) -> bool:
    """Then their alarms have to be cleared."""
    try:
        return any(note is not None for note in store.recall("rule").values())
    except StateFault:
        return False  # which is said where it is met next


def describe(
    settings: Settings, outbox: Outbox, clock: Clock, attached: Mapping[str, Attached]
) -> About:
    previous = outbox.previous
    return About(
        version=VERSION,
        epoch=outbox.epoch,
        started=clock.stamp(),
        devices=tuple(describe_device(d, attached[d.name].device) for d in settings.device),
        previous=None if previous is None else Settlement(previous.epoch, previous.durable_seq),
        description=settings.gateway.description,
        allow=settings.gateway.allow,
    )


def make_outbox(settings: Settings, store: Store, clock: Clock) -> Outbox:
    values = settings.outbox
    before = store.last_epoch()
    outbox = Outbox(
        epoch=store.next_epoch(),
        before=before,
        open_journal=journal_of(settings),
        shelf=Shelf(Path(settings.gateway.state) / "shelf"),
        clock=clock.stamp,
        durability=values.durability,
        commit_every=values.commit_every,
        order=values.order,
        expire=values.expire,
        memory=values.memory,
        window=settings.upstream.window if settings.upstream.history == "same-topic" else 0,
        report=log.error,
    )
    store.raise_epoch(outbox.epoch)
    return outbox


DIALECTS = {
    "json": "gateway.codecs.json_",
    "plain": "gateway.codecs.plain",
    "msgpack": "gateway.codecs.msgpack_",
    "cbor": "gateway.codecs.cbor_",
}
"""Only the one that is configured is loaded."""


def make_dialect(settings: Settings, anchors: Mapping[str, float]) -> Dialect:
    module = importlib.import_module(DIALECTS[settings.upstream.dialect])
    dialect: Dialect = module.dialect(
        root=settings.upstream.root,
        gateway=settings.gateway.id,
        qos={device.name: device.qos for device in settings.device},
        restamp=lambda stamp: corrected(stamp, anchors),
    )
    return dialect


def _rest(timeout: float) -> None:
    """Nothing is to be stopped."""


def _close(outbox: Outbox, store: Store, timeout: float) -> None:
    if not outbox.close(timeout):
        log.error(
            "not everything is on disk: the storage fails, or takes more than %.1f s", timeout
        )
    store.close()
