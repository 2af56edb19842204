"""The daemon: reads the configuration, builds the house, and runs it until it is told to stop.

SIGHUP: the configuration is read again. A bad one is refused and the old one runs on; with a good
one the process starts over in its own place (execve), so that nothing of the old one is left.
Outputs that both describe alike are not touched by it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway import service, wiping
from gateway.config import ConfigErrors, load
from gateway.crashes import SAFE_FOR, Crashes
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.build import House

log = logging.getLogger("tidegate")

LINGER = 1.0  # seconds
EX_CONFIG = 78
"""sysexits.h: something is wrong with the configuration."""
KEPT = "TIDEGATE_KEPT_OUTPUTS"
"""For the process that starts over: outputs that stay as they are, and the file to go back to."""
BEFORE = "TIDEGATE_CONFIG_BEFORE"
IN_USE = "config-in-use.toml"


def main(config_path: str) -> int:
    """Exit status: 0 stopped as asked, 1 a part failed, 78 the configuration cannot be used."""
    kept = os.environ.pop(KEPT, "").split()
    before = os.environ.pop(BEFORE, "")
    try:
        settings = _settings(config_path)
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        return EX_CONFIG
    state = Path(settings.gateway.state)
    if wiping.is_asked(state):
        return _wiped(settings, config_path)
    if wiping.is_wiped(state):
        print(
            f"this gateway was wiped; to use it again: rm {state / wiping.WIPED}", file=sys.stderr
        )
        return EX_CONFIG
    # Only now: what a configuration error costs must not include the drivers and paho.
    from gateway.build import without_devices
    from gateway.build_devices import BuildError
    from gateway.clock import SystemClock

    crashes = Crashes(Path(settings.gateway.state))
    safe_mode = crashes.begin(SystemClock().stamp())
    try:
        house = _house(without_devices(settings) if safe_mode else settings, kept, safe_mode)
    except BuildError as error:
        print(f"{config_path}: {error}", file=sys.stderr)
        if not before:
            return EX_CONFIG
        log.error("%s is refused, the configuration before it runs on", config_path)
        settings = _settings(before)
        house = _house(settings, kept, safe_mode)
    return _run(house, crashes, config_path, settings)


def _settings(config_path: str) -> Settings:
    """ConfigErrors. Sets up the log as the configuration wants it."""
    settings, warnings = load(config_path)
    service.set_up_logging(settings.gateway.log_level)
    for warning in warnings:
        log.warning("%s", warning)
    return settings


def _house(settings: Settings, kept: list[str], safe_mode: bool) -> House:
    from gateway.build import assemble

    return assemble(settings, kept=kept, safe_for=SAFE_FOR if safe_mode else 0.0)


def _run(house: House, crashes: Crashes, config_path: str, settings: Settings) -> int:
    changed: dict[str, Any] = {}

    def reload() -> bool:
        new = _reloaded(config_path)
        if new is not None:
            changed["kept"] = unchanged_outputs(settings, new)
            house.keep(changed["kept"])
        return new is not None

    _remember(config_path, Path(settings.gateway.state))
    status = house.supervisor.run(reload)
    if status == 0 and wiping.is_asked(Path(settings.gateway.state)):
        status = _wiped(settings, config_path)
    elif status == 0:
        crashes.over()
        if changed:
            _start_over(changed["kept"], Path(settings.gateway.state) / IN_USE)
    _do_not_linger(status)
    return status


def _wiped(settings: Settings, config_path: str) -> int:
    """Everything has stopped, or nothing has started."""
    secrets = wiping.secrets_of(settings, config_path)
    for left in wiping.carry_out(Path(settings.gateway.state), secrets):
        log.error("not deleted: %s", left)
    log.warning("this gateway is wiped")
    return EX_CONFIG


def _reloaded(config_path: str) -> Settings | None:
    try:
        return load(config_path).settings
    except ConfigErrors as errors:
        log.error("the new configuration is refused, the old one runs on:\n%s", errors)
        return None


def unchanged_outputs(old: Settings, new: Settings) -> list[str]:
    """The outputs that both describe alike, on a bus that both describe alike. Pure."""
    buses = {bus.name for bus in old.bus if bus in new.bus}
    return [
        device.name
        for device in old.device
        if device.output is not None and device.bus in buses and device in new.device
    ]


def _remember(config_path: str, state: Path) -> None:
    """A copy of what runs, for when the next one cannot be built."""
    try:
        text = Path(config_path).read_bytes()
        copy = state / IN_USE
        if not copy.exists() or copy.read_bytes() != text:
            copy.write_bytes(text)
            copy.chmod(0o600)
    except OSError as error:
        log.warning("no copy of the configuration in use: %s", error)


def _start_over(kept: list[str], before: Path) -> None:
    """Does not return. Everything of this run is on disk, and its files close with it."""
    environment: Mapping[str, str] = {**os.environ, KEPT: " ".join(kept), BEFORE: str(before)}
    logging.shutdown()
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)


def _do_not_linger(status: int) -> None:
    """A thread that hangs in the kernel must not hold the process back when all else has ended."""
    guard = threading.Timer(LINGER, os._exit, (status,))
    guard.daemon = True
    guard.start()
