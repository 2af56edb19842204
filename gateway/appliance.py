"""One output as control knows it: what it takes, what limits it, its state, and who acts for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.limits import Limits, Output
from gateway.model import Act, Action, Command, Value


@dataclass(frozen=True, slots=True)
class Appliance:
    """An output as control sees it: what it takes, what limits it, and who acts for it."""

    action: Action
    parse: Callable[[Value], Value]
    limits: Limits
    act: Callable[[Act], None]
    """Hands the act to the output's worker; returns at once."""
    signed_by: frozenset[str] = frozenset()
    """The roles that may command it; empty: anybody, unsigned too."""


@dataclass(slots=True)
class Underway:
    """A command that is being carried out. accepted: it was answered that it takes a while."""

    command: Command
    acknowledge: Callable[[], None]
    since: float
    accepted: bool = False


@dataclass(slots=True)
class Known:
    """An output's state, the acts on their way to it, and the commands behind those by their ids.

    not_before: monotonic seconds before which nothing is enforced again. was_lost: its device is
    offline; back: since when it is online again, None if it never was lost.
    """

    output: Output = field(default_factory=Output)
    acts: list[Act] = field(default_factory=list)
    running: dict[str, Underway] = field(default_factory=dict)
    not_before: float = 0.0
    was_lost: bool = False
    back: float | None = None
