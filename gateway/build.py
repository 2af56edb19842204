"""The composition root: the only module that sees drivers and the gateway's parts together.

It wires and holds no behaviour. Settings end here: a part gets the values it needs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import safe
from gateway.alarms import AlarmRule, Alarms
from gateway.attached import Attached
from gateway.build_authority import make_authority
from gateway.build_devices import (
    by_bus,
    describe_device,
    make_appliances,
    self_freeing,
)
from gateway.build_ground import STUCK, Ground, make_ground
from gateway.build_link import make_batches, make_day, make_link, stop_link, upkeep
from gateway.build_local import make_local
from gateway.build_orders import Position, make_handlers
from gateway.build_safe import renew, steps_of
from gateway.build_safe_mode import alarm_of, end_of, without_devices
from gateway.clock import Clock
from gateway.codecs.base import About, Settlement
from gateway.control import Control
from gateway.fullness import EVERY, Lookout
from gateway.link.link import Link
from gateway.outbox import Outbox
from gateway.reporter import Reporter
from gateway.settings import Settings
from gateway.state import StateFault, Store
from gateway.supervisor import Chore, Part, Supervisor, threaded
from gateway.version import VERSION
from gateway.worker import Worker

if TYPE_CHECKING:
    from gateway.build_rules import RuleWork

__all__ = ["House", "assemble", "without_devices"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class House:
    """What was built. The parts are here for those who add one of their own, such as the bench."""

    supervisor: Supervisor
    outbox: Outbox
    link: Link
    clock: Clock
    keep: Callable[[Collection[str]], None]
    """These outputs are not put to their stop states when the house closes."""


def assemble(settings: Settings, *, kept: Collection[str] = (), safe_for: float = 0.0) -> House:
    """Everything, wired and not started. BuildError.

    kept: outputs that are found as the run before left them. safe_for: seconds of safe mode.
    """
    ground = make_ground(settings, kept)
    outbox, clock, dialect, position = ground.outbox, ground.clock, ground.dialect, Position()
    rules = _rules(ground, safe_for)
    dialect.listen(rules.remote if rules else ())
    control = _control(ground, rules, position, lambda: link)
    batches = make_batches(settings, outbox)
    beat = ground.hearts.register("link", STUCK)
    day = make_day(settings, ground.store, clock)
    link = make_link(settings, batches or outbox, dialect, clock, control, beat, outbox.epoch, day)
    if rules:
        rules.connect(control, clock, link.notice)
    reporter = _reporter(ground, link)
    ground.workers.update(_workers(ground, control, reporter, position))
    link.notice(dialect.about(describe(settings, outbox, clock, ground.attached)))
    reporter.anchor()
    day_parts, day_chores = upkeep(day)
    parts = _parts(ground, control, link, reporter, safe_for, day_parts)
    chores = [Chore(settings.gateway.health_every, reporter.health), Chore(60.0, reporter.anchor)]
    chores.append(Chore(EVERY, Lookout(outbox, settings.outbox.expire, control.alarm).look))
    chores += [*end_of(safe_for), *day_chores, *_mending(ground, control)]
    if batches is not None:
        chores.append(Chore(settings.upstream.batch_every, batches.due))
    supervisor = Supervisor(parts, chores, ground.hearts)
    return House(supervisor, outbox, link, clock, partial(_keep, ground.attached))


def _rules(ground: Ground, safe_for: float) -> RuleWork | None:
    if not ground.settings.rule and (safe_for or not _had_rules(ground.store)):
        return None
    from gateway.build_rules import RuleWork  # a house without rules does not load it

    return RuleWork(
        ground.settings, ground.attached, ground.store, ground.anchors, ground.outbox.epoch
    )


def _control(
    ground: Ground, rules: RuleWork | None, position: Position, link: Callable[[], Link]
) -> Control:
    settings, workers = ground.settings, ground.workers
    return Control(
        make_appliances(settings, ground.attached, lambda act: workers[act.device].order(act)),
        store=ground.store,
        record=ground.outbox.append,
        nonce=lambda: link().nonce or "",
        clock=ground.clock,
        heartbeat=ground.hearts.register("control", STUCK),
        alarms=Alarms({a.name: AlarmRule(a.repeat, a.latch) for a in settings.alarm}),
        allowed=settings.gateway.allow,
        handlers=make_handlers(settings, position, ground.outbox.stats, link),
        budgets={budget.name: budget.limit for budget in settings.load_budget},
        make_rules=rules.make if rules else None,
        authority=make_authority(settings),
    )


def _reporter(ground: Ground, link: Link) -> Reporter:
    settings = ground.settings
    return Reporter(
        dialect=ground.dialect,
        board=link,
        books=ground.outbox,
        clock=ground.clock,
        store=ground.store,
        anchors=ground.anchors,
        state=Path(settings.gateway.state),
        devices=ground.attached.values(),
        recovering=self_freeing(settings, ground.buses),
        faults=ground.faults,
        epoch=ground.outbox.epoch,
        gateway=settings.gateway.id,
        version=VERSION,
    )


def _workers(
    ground: Ground, control: Control, reporter: Reporter, position: Position
) -> dict[str, Worker]:
    """By device."""

    def changed(device: str, online: bool, reason: str) -> None:
        reporter.device(device, online, reason)
        control.device_changed(device, online)

    made: dict[str, Worker] = {}
    for bus, devices in by_bus(ground.settings, ground.attached).items():
        worker = Worker(
            bus,
            devices,
            clock=ground.clock,
            append=position.watch(ground.outbox.append),
            status=changed,
            acted=control.acted,
            save_total=control.keep_total,
            heartbeat=ground.hearts.register(f"bus {bus}", STUCK),
        )
        made.update(dict.fromkeys(worker.devices, worker))
    return made


def _parts(
    ground: Ground,
    control: Control,
    link: Link,
    reporter: Reporter,
    safe_for: float,
    behind_link: list[Part],
) -> list[Part]:
    """In the order in which they start. behind_link: they stop when the link has stopped."""
    settings, attached, outbox = ground.settings, ground.attached, ground.outbox
    states = Path(settings.gateway.state) / safe.FILE
    parts = [
        Part("outbox", outbox.start, lambda timeout: _close(outbox, ground.store, timeout)),
        *behind_link,
        Part("link", link.start, lambda timeout: stop_link(link, timeout)),
        Part("safe states", lambda: renew(states, steps_of(settings, attached)), _rest),
        threaded("control", control.run, control.stop),
        alarm_of(safe_for, control.alarm),
        *(threaded(f"bus {w.name}", w.run, w.stop) for w in dict.fromkeys(ground.workers.values())),
    ]
    local = make_local(settings.gateway, reporter, ground.faults)
    return [*parts, threaded("local", local.run, local.stop)]


def _mending(ground: Ground, control: Control) -> list[Chore]:
    """For a state that cannot be kept."""
    if not ground.store.volatile:
        return []
    from gateway import mending  # it is seldom needed

    state = Path(ground.settings.gateway.state)
    steps = steps_of(ground.settings, ground.attached)
    leave = partial(safe.write, state / safe.FILE, steps)
    mender = mending.Mender(ground.store, state, ground.held, leave, control.alarm)
    return [Chore(mending.EVERY, mender.look)]


def _keep(attached: Mapping[str, Attached], outputs: Collection[str]) -> None:
    for name in outputs:
        attached[name].stop = None


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


def _rest(timeout: float) -> None:
    """Nothing is to be stopped."""


def _close(outbox: Outbox, store: Store, timeout: float) -> None:
    if not outbox.close(timeout):
        log.error(
            "not everything is on disk: the storage fails, or takes more than %.1f s", timeout
        )
    store.close()
