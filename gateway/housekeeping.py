"""What some commands to the gateway itself do to the machine: log level, LED, restart, reboot."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from gateway.orders import Done, Handler

log = logging.getLogger(__name__)

LEVELS = ("debug", "info", "warning", "error")
LEDS = Path("/sys/class/leds")
BOARD_LEDS = ("ACT", "led0", "PWR")
"""Of the Raspberry Pi; led0 is ACT's name in kernels before 6.1."""
BLINK = 60.0  # seconds
REBOOT = ("systemctl", "reboot")
MAY_REBOOT = (
    *("busctl", "call", "org.freedesktop.login1", "/org/freedesktop/login1"),
    *("org.freedesktop.login1.Manager", "CanReboot"),
)
"""org.freedesktop.login1(5); prints `s "yes"`."""
Run = Callable[..., "subprocess.CompletedProcess[str]"]


def handlers(leds: Path = LEDS, run: Run = subprocess.run) -> dict[str, Handler]:
    """By the order's name."""

    def reboot(argument: str) -> Done:
        if not _may_reboot(run):
            raise OSError(
                "this machine does not let the service reboot it: logind or polkit says no"
            )
        return Done("the machine starts anew", lambda: _run(run))

    return {
        "log_level": set_log_level,
        "locate": lambda argument: locate(leds),
        "restart": restart,
        "reboot": reboot,
    }


def set_log_level(level: str) -> Done:
    """ValueError."""
    if level not in LEVELS:
        raise ValueError(f"log_level and one of {', '.join(LEVELS)}")
    logging.getLogger().setLevel(level.upper())
    return Done(f"logging {level} and worse")


def restart(argument: str) -> Done:
    """As by systemctl: everything is put on disk and outputs to their stop states first."""
    return Done("the process ends now", lambda: os.kill(os.getpid(), signal.SIGTERM))


def locate(leds: Path) -> Done:
    """OSError where there is no LED, or it may not be written."""
    for name in BOARD_LEDS:
        trigger = leds / name / "trigger"
        if trigger.exists():
            before = _chosen(trigger.read_text())
            trigger.write_text("timer")
            timer = threading.Timer(BLINK, _restore, (trigger, before))
            timer.daemon = True
            timer.start()
            return Done(f"LED {name} blinks for {BLINK:.0f} s")
    raise OSError("this machine has no LED that is known")


def _chosen(triggers: str) -> str:
    """Of `none timer [mmc0] heartbeat` the one in brackets."""
    words = [word for word in triggers.split() if word.startswith("[")]
    return words[0].strip("[]") if words else "none"


def _restore(trigger: Path, before: str) -> None:
    try:
        trigger.write_text(before)
    except OSError as error:
        log.warning("%s: %s", trigger, error)


def _may_reboot(run: Run) -> bool:
    """Asked before the answer, as what fails after it is told to nobody."""
    try:
        said = run(MAY_REBOOT, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        log.warning("may we reboot? %s", error)
        return False
    return '"yes"' in said.stdout


def _run(run: Run) -> None:
    try:
        run(REBOOT, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        log.error("no reboot: %s", error)
