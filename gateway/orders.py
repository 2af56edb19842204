"""Commands to the gateway itself, as `log_level debug` or `acknowledge too-hot`. Pure.

Each has to be named in `[gateway] allow`.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass

from gateway.limits import Limits
from gateway.model import Value

ORDERS = {
    "lock": "every output to its off state, every command refused until unlock",
    "unlock": "commands are taken again",
    "acknowledge": "acknowledge NAME: somebody takes care of this alarm",
    "log_level": "log_level debug|info|warning|error, until the next start",
    "locate": "the board's LED blinks for a minute; answered with the position if one is known",
    "restart": "the process ends, and systemd starts it again",
    "reboot": "the machine starts anew",
    "diagnostics": "collects a support bundle and publishes it",
    "wipe": "wipe ID: outputs off, journal, ledger, keys and credentials gone; ID is the gateway's",
}
STALE_OK = frozenset({"acknowledge"})
"""All others demand the session's nonce, so that none of them runs late."""
NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Order:
    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What to answer, and what is to happen after the answer was recorded."""

    text: str = ""
    then: Callable[[], None] | None = None


Handler = Callable[[str], Done]
"""Carries an order out, given its argument. ValueError or OSError says why it cannot."""


def parse(value: Value, allowed: Container[str]) -> Order:
    """ValueError says which orders there are, and how to allow one."""
    if not isinstance(value, str):
        raise ValueError(f"a command to the gateway is a text: {', '.join(ORDERS)}")
    name, _, argument = value.strip().partition(" ")
    if name not in ORDERS:
        raise ValueError(f"no such command to the gateway; there are {', '.join(ORDERS)}")
    if name not in allowed:
        raise ValueError(f"{name} is not allowed; [gateway] allow in the configuration names it")
    return Order(name, argument.strip())


def limits_of(order: Order) -> Limits:
    return NO_LIMITS if order.name in STALE_OK else Limits(fresh_only=True)
