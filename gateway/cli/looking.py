"""What `read` and `capture` share: a device by its name, and waiting for what it says."""

from __future__ import annotations

import select
import time

from drivers.base import Stream
from gateway.config_report import nearest
from gateway.settings import DeviceSettings, Settings

POLL = 0.05
"""Seconds between looks at a port that has no file descriptor."""


class Unreadable(Exception):
    """The device cannot be read this way; the message says why."""


def named(name: str, settings: Settings) -> DeviceSettings:
    """The [[device]] of this name. Unreadable, with the nearest one."""
    for device in settings.device:
        if device.name == name:
            return device
    known = [device.name for device in settings.device]
    hint = nearest(name, known) or f"there is: {', '.join(known) or 'none'}"
    raise Unreadable(f"no [[device]] of the configuration has this name; {hint}")


def wait_for(device: Stream, longest: float) -> None:
    """Until bytes wait on its port, at most so many seconds."""
    descriptor = device.fileno()
    if descriptor is None:
        time.sleep(min(POLL, longest))
    else:
        select.select([descriptor], [], [], longest)
