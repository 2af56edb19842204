"""What is known of the gateways one listens to: the state behind the live table. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.cli.messages import Fact, Notice, Numbered, Part, Status, moment

HEAD = frozenset({"epoch", "seq", "time", "clock", "device"})
"""Fields of a sample that are no channel."""
QUALITY = "_quality"
PLAUSIBLE_AGE = 365 * 86400.0
"""Beyond it, or in the future, one of the two clocks is wrong: then the time of arrival counts."""
FUTURE = 5.0


@dataclass(slots=True)
class Cell:
    """One channel's newest value. wall: when it was measured, None where that clock is not to be
    trusted; arrived: seconds by the monotonic clock. key: (epoch, seq), to tell new from old."""

    value: Any = None
    quality: str = ""
    key: tuple[int, int] = (-1, -1)
    wall: float | None = None
    arrived: float | None = None

    def age(self, now: float, wall: float) -> float | None:
        """Seconds since it was measured; None without a value."""
        if self.arrived is None:
            return None
        since = now - self.arrived
        if self.wall is None or not -FUTURE <= wall - self.wall <= PLAUSIBLE_AGE:
            return since
        return max(0.0, wall - self.wall)


@dataclass(slots=True)
class Device:
    """online: None until its status is known. output: the channel that a state belongs to.

    units: of every channel that it could have; cells: of those that had a value.
    """

    online: bool | None = None
    output: str = "state"
    units: dict[str, str] = field(default_factory=dict)
    cells: dict[str, Cell] = field(default_factory=dict)


@dataclass(slots=True)
class Gateway:
    """health: the newest health message, None before the first."""

    online: bool | None = None
    since: float | None = None
    """When that began, by the monotonic clock; None if it was so before we came."""
    health: Mapping[str, Any] | None = None
    health_at: float = 0.0
    devices: dict[str, Device] = field(default_factory=dict)


class Board:
    """Takes facts in; knows what the table shows."""

    def __init__(self) -> None:
        self.gateways: dict[str, Gateway] = {}
        self.unreadable = 0

    def observe(self, fact: Fact, now: float) -> None:
        """now: seconds by the monotonic clock."""
        gateway = self.gateways.setdefault(fact.gateway, Gateway())
        if isinstance(fact, Numbered):
            _values(gateway, fact, (fact.epoch, fact.seq), now)
        elif isinstance(fact, Part):
            _values(gateway, fact, None, now)
        elif isinstance(fact, Status):
            _status(gateway, fact, now)
        elif isinstance(fact, Notice):
            _notice(gateway, fact, now)
        else:
            self.unreadable += 1

    def unit(self, gateway: str, device: str, channel: str) -> str:
        known = self.gateways.get(gateway, Gateway()).devices.get(device, Device())
        return known.units.get(channel, "")


def _status(gateway: Gateway, status: Status, now: float) -> None:
    if status.device:
        gateway.devices.setdefault(status.device, Device()).online = status.online
    elif gateway.online is not status.online:
        gateway.since = None if gateway.online is None and status.retained else now
        gateway.online = status.online


def _notice(gateway: Gateway, notice: Notice, now: float) -> None:
    if notice.topic == "health":
        gateway.health, gateway.health_at = notice.fields, now
    elif notice.topic == "about":
        devices = notice.fields.get("devices")
        for name, about in devices.items() if isinstance(devices, Mapping) else ():
            if isinstance(about, Mapping):
                _describe(gateway.devices.setdefault(name, Device()), about)


def _describe(device: Device, about: Mapping[str, Any]) -> None:
    channels = about.get("channels")
    if not isinstance(channels, Mapping):
        return
    for name, channel in channels.items():
        unit = channel.get("unit") if isinstance(channel, Mapping) else ""
        device.units[name] = str(unit or "")
    if "action" in about and channels:
        device.output = next(iter(channels))


def _values(
    gateway: Gateway, entry: Numbered | Part, key: tuple[int, int] | None, now: float
) -> None:
    """key: None for what has no number, and so counts as newer than all."""
    if entry.kind not in ("data", "state"):
        return
    device = gateway.devices.setdefault(entry.device, Device())
    values = {k: v for k, v in entry.fields.items() if k not in HEAD and not k.endswith(QUALITY)}
    if entry.kind == "state":
        values = {device.output: entry.fields.get("value")}
    wall = None if "clock" in entry.fields else moment(entry.fields)
    for name, value in values.items():
        cell = device.cells.setdefault(name, Cell())
        if key is not None and key < cell.key:
            continue
        cell.value, cell.quality = value, str(entry.fields.get(name + QUALITY, ""))
        cell.key, cell.wall = key or cell.key, wall
        cell.arrived = now
