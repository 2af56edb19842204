"""What the gateway says of itself: device status, health, alarms of its own, the clock's anchor."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

from gateway.attached import Attached
from gateway.clock import Clock, offset_of
from gateway.codecs import values
from gateway.codecs.base import Dialect, Health, LinkStatus, Publication
from gateway.health import host_health
from gateway.local import Page
from gateway.metrics import CONTENT_TYPE, DeviceHealth, exposition
from gateway.model import OutboxStats
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

ANCHOR_DRIFT = 0.5
"""Seconds by which a boot's offset must have moved to be worth another write."""


Faults = dict[str, Callable[[], str]]
"""By the name of a part: what is wrong with it, "" while nothing is."""


class Books(Protocol):
    def stats(self) -> OutboxStats: ...


class Board(Protocol):
    """Where notices are put up."""

    def notice(self, publication: Publication) -> None: ...

    def status(self) -> LinkStatus: ...


class Recovering(Protocol):
    """A bus that frees itself. held: the lines that are held low now, "" where it works. counts:
    what befell it since the start."""

    held: str

    @property
    def counts(self) -> Mapping[str, int]: ...


class Reporter:
    """device is for the workers' threads; health and anchor are main's chores; the pages are for
    whoever serves them.

    state: a path on the disk that holds the journal. anchors: boot id to wall offset, shared with
    whoever corrects old stamps; `anchor` adds this boot's once the clock can be believed.
    """

    def __init__(
        self,
        *,
        dialect: Dialect,
        board: Board,
        books: Books,
        clock: Clock,
        store: Store,
        anchors: dict[str, float],
        state: Path,
        devices: Iterable[Attached],
        recovering: Mapping[str, Recovering],
        faults: Faults,
        epoch: int,
        gateway: str,
        version: str,
    ) -> None:
        self._dialect = dialect
        self._board = board
        self._books = books
        self._clock = clock
        self._store = store
        self._anchors = anchors
        self._state = state
        self._devices = tuple(devices)
        self._recovering = recovering
        self._faults = faults
        self._epoch = epoch
        self._gateway = gateway
        self._version = version
        self._reasons: dict[str, str] = {}
        self._started = clock.monotonic()

    def device(self, name: str, online: bool, reason: str) -> None:
        self._reasons[name] = "" if online else reason
        self._board.notice(self._dialect.device_status(name, online, reason))

    def health(self) -> None:
        self._board.notice(self._dialect.health(self._now()))

    def _now(self) -> Health:
        devices = self._devices
        return Health(
            stamp=self._clock.stamp(),
            uptime=self._clock.monotonic() - self._started,
            epoch=self._epoch,
            outbox=self._books.stats(),
            link=self._board.status(),
            host=host_health(self._state),
            devices_offline=tuple(a.name for a in devices if a.online is False),
            faults={name: why for name, fault in self._faults.items() if (why := fault())},
            buses_held=tuple(name for name, bus in self._recovering.items() if bus.held),
            events={
                "device_failures": sum(a.failures for a in devices),
                "corrupt_telegrams": sum(a.corrupt for a in devices),
                "looks": sum(a.looks for a in devices),
                **self._of_buses(),
            },
        )

    def _of_buses(self) -> Mapping[str, int]:
        """What befell the buses that free themselves, added up."""
        total: Counter[str] = Counter()
        for bus in self._recovering.values():
            total.update(bus.counts)
        return total

    def status_page(self) -> Page:
        """What health says, with the link's state and every device: `tidegate status` shows it."""
        health = self._now()
        fields = values.health(health)
        fields["link"] |= {"connected": health.link.connected, "reason": health.link.reason}
        fields["devices"] = {
            device.name: {
                "online": device.online,
                "reason": device.reason,
                "looks": device.looks,
                "failures": device.failures,
                "corrupt": device.corrupt,
            }
            for device in self._device_health()
        }
        document = {"gateway": self._gateway, "version": self._version, **fields}
        return Page("application/json", json.dumps(document).encode() + b"\n")

    def metrics_page(self) -> Page:
        text = exposition(self._now(), self._device_health(), self._version)
        return Page(CONTENT_TYPE, text.encode())

    def _device_health(self) -> list[DeviceHealth]:
        return [
            DeviceHealth(
                a.name, a.online, self._reasons.get(a.name, ""), a.looks, a.failures, a.corrupt
            )
            for a in self._devices
        ]

    def anchor(self) -> None:
        """Remembers this boot's wall offset, so that stamps taken before can be corrected."""
        stamp = self._clock.stamp()
        if not stamp.synchronised:
            return
        offset = offset_of(stamp)
        known = self._anchors.get(stamp.boot_id)
        if known is not None and abs(known - offset) < ANCHOR_DRIFT:
            return
        self._anchors[stamp.boot_id] = offset
        try:
            self._store.remember_anchor(stamp.boot_id, offset)
        except StateFault as fault:
            log.error("the clock's offset was not remembered: %s", fault)
