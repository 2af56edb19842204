"""Runs in the rig's machine: switches the outputs of a configuration to a value, and waits."""

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
    said = {}
    for device in settings.device:
        made: Any = make_device(device, open_named(device.bus, settings, opened))
        finish(steps_of(made.start(made.parse(sys.argv[2]))))
        said[device.name] = finish(steps_of(made.state()))
    print(json.dumps(said), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
