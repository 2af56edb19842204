"""Safe mode: what is built when the daemon has crashed too often; `crashes.py` says when."""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from dataclasses import replace

from gateway.crashes import ALARM, LIMIT, WITHIN
from gateway.settings import Settings
from gateway.supervisor import Chore, Part

log = logging.getLogger(__name__)

TEXT = (
    f"{LIMIT} crashes within {WITHIN / 60:.0f} min: no device, rule or command until it has run "
    "in peace; the outputs are at their crash states"
)


def without_devices(settings: Settings) -> Settings:
    """What cannot be at fault: link, outbox, alarms. Outputs that nobody configures any more are
    put to their crash states (`build_safe.renew`)."""
    return replace(settings, bus=(), device=(), rule=(), load_budget=())


def alarm_of(safe_for: float, alarm: Callable[[str, bool, str], None]) -> Part:
    """Raises or clears the alarm when the house opens. safe_for: seconds, 0 for a normal run."""

    def begin() -> None:
        if safe_for:
            log.critical("safe mode: %s", TEXT)
        alarm(ALARM, bool(safe_for), TEXT if safe_for else "")

    return Part("safe mode", begin, lambda timeout: None)


def end_of(safe_for: float) -> list[Chore]:
    """After so long the process ends in good order, and systemd starts it with its devices."""
    if not safe_for:
        return []
    first = True

    def look() -> None:
        nonlocal first
        if first:
            first = False  # chores are done at once, and then every so often
            return
        log.warning("safe mode is over: starting with all devices")
        os.kill(os.getpid(), signal.SIGTERM)

    return [Chore(safe_for, look)]
