"""`tidegate capture`: what passes between a configured device and its bus, byte for byte."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from drivers.base import DriverError, Sensor, Stream
from gateway.attached import finish, steps_of
from gateway.cli import recording
from gateway.cli.capture_transfers import transfers
from gateway.cli.looking import Unreadable, named, wait_for
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain
from gateway.cli.recording import Recorder, Said
from gateway.config_wiring import I2C_KINDS
from gateway.settings import BusSettings, DeviceSettings, Settings

HELP = "Record what a device of the configuration says, to decode or replay it later."
EXAMPLES = """\
tidegate capture boiler -o boiler.capture            # until Ctrl-C
tidegate capture boiler -o boiler.capture --for 60   # a minute
tidegate capture room -o room.transfers --for 30     # an I2C or SPI sensor, each transfer
tidegate decode mbus boiler.capture
tidegate replay boiler.capture                       # plays it on a terminal of its own"""

LOOK_EVERY = 5.0
"""Seconds between two looks at a device that is asked, where its interval is longer."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="its name in the configuration")
    add_config(parser, "-c", "--config")
    parser.add_argument("-o", "--output", default="-", metavar="FILE", help="- for stdout")
    parser.add_argument(
        "--for", dest="seconds", type=float, metavar="S", help="end after S seconds"
    )


def run(args: argparse.Namespace) -> int:
    loaded = load_or_explain(args.config)
    if loaded is None:
        return EX_CONFIG
    try:
        with ExitStack() as stack:
            device = named(args.device, loaded.settings)
            file = _output(args.output, stack)
            if _bus_of(device, loaded.settings).kind != "serial":
                return transfers(device, loaded.settings, file, args.seconds)
            print(f"{recording.HEAD}\n# driver {device.driver}", file=file)
            count = _record(device, loaded.settings, _teller(file), args.seconds)
    except (Unreadable, DriverError, OSError) as error:
        print(f"{args.device}: {error}", file=sys.stderr)
        return 1
    if not count:
        print(f"{args.device}: nothing was said", file=sys.stderr)
    return 0 if count else 1


def _bus_of(device: DeviceSettings, settings: Settings) -> BusSettings:
    for bus in settings.bus:
        if bus.name == device.bus and bus.kind in ("serial", "spi", *I2C_KINDS):
            return bus
    raise Unreadable("is on no serial port, I2C bus or SPI: nothing passes that can be recorded")


def _output(name: str, stack: ExitStack) -> TextIO:
    if name == "-":
        return sys.stdout
    return stack.enter_context(Path(name).open("w", encoding="ascii"))


def _teller(file: TextIO) -> Callable[[Said], None]:
    def tell(said: Said) -> None:
        print(recording.written(said), file=file, flush=True)

    return tell


def _record(
    device: DeviceSettings,
    settings: Settings,
    tell: Callable[[Said], None],
    seconds: float | None,
) -> int:
    """How many pieces were heard or sent. Ctrl-C ends it as well as the time does."""
    from gateway.build_devices import make_device, open_bus  # loads every part: not for --help

    bus = _bus_of(device, settings)
    count = 0

    def count_and_tell(said: Said) -> None:
        nonlocal count
        count += 1
        tell(said)

    port = open_bus(bus)
    recorder = Recorder(port, count_and_tell, time.monotonic)  # type: ignore[arg-type]  # of kind serial
    made = make_device(device, recorder)
    if not isinstance(made, Sensor | Stream):
        raise Unreadable("is an output, and looking at it could switch it")
    try:
        _listen(made, min(device.interval or LOOK_EVERY, LOOK_EVERY), seconds)
    except KeyboardInterrupt:
        pass
    finally:
        made.close()
        recorder.close()
    return count


def _listen(device: Sensor | Stream, every: float, seconds: float | None) -> None:
    finish(steps_of(device.start()))
    deadline = float("inf") if seconds is None else time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        if isinstance(device, Stream):
            device.receive()
            wait_for(device, min(left, 1.0))
            continue
        try:
            finish(steps_of(device.read()))
        except DriverError as error:
            print(f"no reading: {error}", file=sys.stderr)
        time.sleep(max(0.0, min(every, deadline - time.monotonic())))
