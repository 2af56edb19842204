"""`tidegate capture` of an I2C or SPI device: it is started and read, and every transfer noted."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from drivers.base import Actuator, DriverError
from gateway.attached import finish, steps_of
from gateway.cli.looking import Unreadable
from gateway.cli.transactions import Recorder, Transfer, head
from gateway.settings import DeviceSettings, Settings

LOOK_EVERY = 5.0
"""Seconds between two looks, where the device's interval is longer."""


def transfers(
    device: DeviceSettings, settings: Settings, file: TextIO, seconds: float | None
) -> int:
    """0 once something passed. Without seconds until Ctrl-C; with 0, one look."""
    from gateway.build_devices import make_device, open_named  # loads every part: not for --help

    if device.output is not None:
        raise Unreadable("is an output, and looking at it could switch it")
    print(head(device), file=file)
    count = 0

    def tell(transfer: Transfer) -> None:
        nonlocal count
        count += 1
        print(transfer, file=file, flush=True)

    opened: dict[str, object] = {}
    bus: Any = open_named(device.bus, settings, opened)
    made: Any = make_device(device, Recorder(bus, tell, time.monotonic))
    assert not isinstance(made, Actuator)
    try:
        _look_on(made, min(device.interval or LOOK_EVERY, LOOK_EVERY), seconds)
    except KeyboardInterrupt:
        pass
    finally:
        made.close()
        for one in opened.values():
            getattr(one, "close", lambda: None)()
    return 0 if count else 1


def _look_on(made: Any, every: float, seconds: float | None) -> None:
    """As a gateway does: after a failure the device is started again."""
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    started = False
    while True:
        try:
            if not started:
                finish(steps_of(made.start()))
                started = True
            finish(steps_of(made.read()))
        except DriverError as error:
            started = False
            print(f"no reading: {error}", file=sys.stderr)
        left = deadline - time.monotonic()
        if left <= 0:
            return
        time.sleep(min(every, left))
