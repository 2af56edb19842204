"""The part of the composition root that comes first: what all others stand on."""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gateway.attached import Attached
from gateway.build_devices import BuildError, attach
from gateway.clock import Clock, SystemClock, corrected
from gateway.codecs.base import Dialect
from gateway.journal import Journal
from gateway.journal_open import open_journal
from gateway.lock import StateInUse, hold
from gateway.outbox import Outbox
from gateway.reporter import Faults
from gateway.settings import Settings
from gateway.shelf import Shelf
from gateway.state import Store
from gateway.supervisor import Heartbeats
from gateway.worker import Worker

log = logging.getLogger(__name__)

STUCK = 60.0
"""Seconds without progress after which a part counts as stuck: more than the slowest card takes
for a sync, more than the longest time-out of a bus."""
DIALECTS = {
    "json": "gateway.codecs.json_",
    "plain": "gateway.codecs.plain",
    "msgpack": "gateway.codecs.msgpack_",
    "cbor": "gateway.codecs.cbor_",
}
"""Only the one that is configured is loaded."""


@dataclass(frozen=True, slots=True)
class Ground:
    """workers: by device; filled when they are made, after those who order from them. held: whether
    no other gateway can have the state directory. faults: filled by those who may have some."""

    settings: Settings
    clock: Clock
    hearts: Heartbeats
    store: Store
    anchors: dict[str, float]
    outbox: Outbox
    dialect: Dialect
    buses: dict[str, object]
    attached: dict[str, Attached]
    held: bool
    workers: dict[str, Worker] = field(default_factory=dict)
    faults: Faults = field(default_factory=dict)


def make_ground(settings: Settings, kept: Collection[str]) -> Ground:
    """kept: outputs that are found as the run before left them. BuildError."""
    state = Path(settings.gateway.state)
    held = _hold(state)
    clock, hearts = SystemClock(believe=settings.site.battery_clock), Heartbeats()
    store = Store(state / "state.db")
    anchors = store.anchors()
    outbox = make_outbox(settings, store, clock)
    hearts.watch("outbox", STUCK, lambda: outbox.busy_since)
    dialect = make_dialect(settings, anchors)
    buses: dict[str, object] = {}
    attached = attach(settings, store, buses)
    for name in attached.keys() & set(kept):
        attached[name].claimed = True
    ground = Ground(settings, clock, hearts, store, anchors, outbox, dialect, buses, attached, held)
    ground.faults["state"] = lambda: store.volatile
    return ground


def _hold(state: Path) -> bool:
    try:
        hold(state)
        return True
    except StateInUse as error:
        raise BuildError(f"gateway.state: {error}") from error
    except OSError as error:
        # A disk that fails is no reason not to start; the outbox and the state say what it means.
        log.error("%s cannot be locked: %s", state, error.strerror or error)
        return False


def journal_of(settings: Settings) -> Callable[[], Journal]:
    """How to open the journal, again and again if the disk fails."""
    values, state = settings.outbox, Path(settings.gateway.state)
    said: set[str] = set()

    def report(text: str) -> None:
        """Once: what is wrong at one try is so at the next."""
        if text not in said:
            said.add(text)
            log.error(text)

    return lambda: open_journal(
        state,
        size=values.size,
        store=values.store,
        keep_free=values.keep_free,
        report=report,
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


def make_dialect(settings: Settings, anchors: Mapping[str, float]) -> Dialect:
    module = importlib.import_module(DIALECTS[settings.upstream.dialect])
    dialect: Dialect = module.dialect(
        root=settings.upstream.root,
        gateway=settings.gateway.id,
        qos={device.name: device.qos for device in settings.device},
        restamp=partial(corrected, anchors=anchors),
    )
    return dialect
