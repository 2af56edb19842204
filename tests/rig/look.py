"""Runs in the machine of the rig: each device of a configuration once, a line of JSON each."""

from __future__ import annotations

import json
import sys
from typing import Any

from drivers.base import DriverError
from gateway.attached import finish, steps_of
from gateway.build_devices import make_device, open_named
from gateway.config import load


def once(made: Any, output: bool) -> dict[str, Any]:
    """What a device says; of an output, its state after it was switched on."""
    finish(steps_of(made.start(made.parse("on")) if output else made.start()))
    if output:
        return {"state": finish(steps_of(made.state()))}
    return {reading.channel: reading.value for reading in finish(steps_of(made.read()))}


def main() -> None:
    settings = load(sys.argv[1]).settings
    opened: dict[str, object] = {}
    for device in settings.device:
        made = make_device(device, open_named(device.bus, settings, opened))
        try:
            said = once(made, device.output is not None)
        except DriverError as error:
            said = {"error": f"{type(error).__name__}: {error}"}
        made.close()
        print(json.dumps({"device": device.name, **said}), flush=True)


if __name__ == "__main__":
    main()
