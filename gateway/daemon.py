"""The daemon: reads the configuration, builds the house, and runs it until it is told to stop."""

from __future__ import annotations

import logging
import os
import sys
import threading

from gateway import service
from gateway.config import ConfigErrors, load
from gateway.deferred import defer

LINGER = 1.0  # seconds
EX_CONFIG = 78
"""sysexits.h: something is wrong with the configuration."""


def main(config_path: str) -> int:
    """Exit status: 0 stopped as asked, 1 a part failed, 78 the configuration cannot be used."""
    try:
        settings, warnings = load(config_path)
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        return EX_CONFIG
    service.set_up_logging(settings.gateway.log_level)
    log = logging.getLogger("tidegate")
    for warning in warnings:
        log.warning("%s", warning)
    # Only now: what a configuration error costs must not include the drivers and paho.
    defer()
    from gateway.build import assemble
    from gateway.build_devices import BuildError

    try:
        house = assemble(settings)
    except BuildError as error:
        print(f"{config_path}: {error}", file=sys.stderr)
        return EX_CONFIG
    status = house.supervisor.run()
    _do_not_linger(status)
    return status


def _do_not_linger(status: int) -> None:
    """A thread that hangs in the kernel must not hold the process back when all else has ended."""
    guard = threading.Timer(LINGER, os._exit, (status,))
    guard.daemon = True
    guard.start()
