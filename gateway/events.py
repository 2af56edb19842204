"""What control is told: its inbox holds nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.model import Acted, Command, Result


@dataclass(frozen=True, slots=True)
class Received:
    message: Command | Result
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


Event = Received | Acted | LinkChanged | Total | Happened
