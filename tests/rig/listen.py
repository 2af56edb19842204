"""Runs in the rig's machine: starts every device, says ready, and reads all at each line in."""

from __future__ import annotations

import json
import sys
from typing import Any

from gateway.attached import finish, steps_of
from gateway.build_devices import make_device, open_named
from gateway.config import load


def main() -> None:
    settings = load(sys.argv[1]).settings
    opened: dict[str, object] = {}
    made: dict[str, Any] = {}
    for device in settings.device:
        one: Any = make_device(device, open_named(device.bus, settings, opened))
        finish(steps_of(one.start()))
        made[device.name] = one
    print("ready", flush=True)
    for _ in sys.stdin:
        said = {
            name: {reading.channel: reading.value for reading in finish(steps_of(one.read()))}
            for name, one in made.items()
        }
        print(json.dumps(said), flush=True)


if __name__ == "__main__":
    main()
