"""One output as control knows it: what it takes, what limits it, its state, and who acts for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from gateway.appliances import Limits, Output
from gateway.model import Act, Action, Value


@dataclass(frozen=True, slots=True)
class Appliance:
    """An output as control sees it: what it takes, what limits it, and who acts for it."""

    action: Action
    parse: Callable[[Value], Value]
    limits: Limits
    act: Callable[[Act], None]
    """Hands the act to the output's worker; returns at once."""


@dataclass(slots=True)
class Known:
    """An output's state, and the commands on their way to it with what acknowledges each."""

    output: Output = field(default_factory=Output)
    running: dict[str, Callable[[], None]] = field(default_factory=dict)
    not_before: float = 0.0
