"""What control is told: its inbox holds nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.model import Acted, Command, Heard, Result

if TYPE_CHECKING:  # a house without rules does not load them
    from gateway import rules_model


@dataclass(frozen=True, slots=True)
class Received:
    message: Command | Result | Heard
    acknowledge: Callable[[], None]


@dataclass(frozen=True, slots=True)
class LinkChanged:
    up: bool


@dataclass(frozen=True, slots=True)
class Total:
    device: str
    channel: str
    total: float


@dataclass(frozen=True, slots=True)
class Happened:
    """The cause of an alarm is there (raised), or has gone."""

    name: str
    raised: bool
    text: str


@dataclass(frozen=True, slots=True)
class DeviceChanged:
    """A device is online again, or offline."""

    device: str
    online: bool


@dataclass(frozen=True, slots=True)
class ForRules:
    """Something that rules ask about."""

    event: rules_model.Event


Event = Received | Acted | LinkChanged | DeviceChanged | Total | Happened | ForRules
