"""`tidegate read`: one look at one device of the configuration, without a gateway or a broker."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from drivers.base import Actuator, Channel, DriverError, NoAnswer, Reading, Sensor, Stream, Telegram
from gateway.attached import finish, steps_of
from gateway.cli.looking import Unreadable, named, wait_for
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain
from gateway.cli.readings import as_object, units_of
from gateway.cli.tables import table
from gateway.settings import DeviceSettings, Settings

HELP = "Read one device once, and print what it says."
EXAMPLES = """\
tidegate read boiler                         # a [[device]] of /etc/tidegate/gateway.toml
tidegate read boiler -c ./gateway.toml --json"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="its name in the configuration")
    add_config(parser, "-c", "--config")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    loaded = load_or_explain(args.config)
    if loaded is None:
        return EX_CONFIG
    try:
        settings = named(args.device, loaded.settings)
        readings, units = _look(settings, loaded.settings)
    except (Unreadable, DriverError) as error:
        print(f"{args.device}: {error}", file=sys.stderr)
        return 1
    found = [as_object(reading, units) for reading in readings]
    if args.json:
        print(json.dumps({"device": args.device, "readings": found}, ensure_ascii=False))
    else:
        print(table([("channel", "value", "unit", "quality"), *map(_row, found)]))
    return 0


def _look(device: DeviceSettings, settings: Settings) -> tuple[Sequence[Reading], dict[str, str]]:
    from gateway.build_devices import make_device, open_named  # loads every part: not for --help

    if device.output is not None:
        topic = f"{settings.upstream.root}/{settings.gateway.id}/{device.name}/state"
        raise Unreadable(
            f"is an output, and reading it would claim its pin; its state is at topic {topic}"
        )
    opened: dict[str, object] = {}
    try:
        made = make_device(device, open_named(device.bus, settings, opened))
        assert not isinstance(made, Actuator)
        return _rounded(read_once(made), made.channels), units_of(made.channels)
    finally:
        for bus in reversed(opened.values()):
            close = getattr(bus, "close", None)
            if close is not None:
                close()


def read_once(device: Sensor | Stream) -> Sequence[Reading]:
    """Start the device, take one look, and close it. DriverError."""
    try:
        finish(steps_of(device.start()))
        if isinstance(device, Stream):
            return _first_telegram(device)
        readings: Sequence[Reading] = finish(steps_of(device.read()))
        return readings
    finally:
        device.close()


def _rounded(readings: Sequence[Reading], channels: Sequence[Channel]) -> list[Reading]:
    """To the decimal places that carry information, as they are published."""
    digits = {channel.name: channel.digits for channel in channels}
    return [
        reading._replace(value=round(reading.value, digits[reading.channel]))
        if isinstance(reading.value, float) and reading.channel in digits
        else reading
        for reading in readings
    ]


def _first_telegram(device: Stream) -> Sequence[Reading]:
    """What a meter says next; NoAnswer after its `silence`, with what was wrong if it was noise."""
    deadline = time.monotonic() + device.silence
    wrong = ""
    while (left := deadline - time.monotonic()) > 0:
        for one in device.receive():
            if isinstance(one, Telegram):
                return one.readings
            wrong = f"; {one.length} bytes came that were no telegram: {one.reason}"
        wait_for(device, left)
    raise NoAnswer(f"silent for {device.silence:g} s{wrong}")


def _row(found: dict[str, Any]) -> tuple[str, str, str, str]:
    value = "" if found["value"] is None else json.dumps(found["value"], ensure_ascii=False)
    return found["channel"], value, found["unit"], found.get("quality", "good")
