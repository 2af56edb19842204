"""`tidegate monitor`: what comes on a port, live; which meter it is, and a block for it."""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

from drivers.base import DriverError, LineSettings, SerialPort
from gateway.attached import finish
from gateway.cli import guess as guesses
from gateway.cli import recording
from gateway.cli.guess import LINES, Guess, Listener, dump, proposal, remarks
from gateway.cli.problems import plainly
from gateway.cli.recording import FROM_DEVICE, Said, written

HELP = "Show what comes on a serial port, guess which meter it is, and propose a configuration."
EXAMPLES = """\
tidegate monitor /dev/ttyUSB0                     # tries the usual speeds, one after the other
tidegate monitor /dev/ttyUSB0 --line "9600 8N1"   # this one, until Ctrl-C
tidegate monitor /dev/ttyUSB0 --ask               # also questions for meters that are asked
tidegate monitor /dev/ttyUSB0 --mbus              # lists the meters of a wired M-Bus
tidegate monitor socket://192.168.1.20:2000 --line "9600 8N1" --save meter.capture"""

PATIENCE = 12.0
"""Seconds at one speed: P1 sends every 10 s at the slowest, SML every 4."""
ANSWER = 1.5
POLL = 0.05
MBUS_LINE = "2400 8E1"
BY_ID = Path("/dev/serial/by-id")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("port", metavar="PORT", help="/dev/ttyUSB0, socket://HOST:PORT, ...")
    parser.add_argument("--line", metavar="LINE", help='only this speed and frame, as "9600 8N1"')
    parser.add_argument(
        "--patience", type=float, default=PATIENCE, metavar="S", help="at one speed"
    )
    parser.add_argument("--ask", action="store_true", help="send questions, too")
    parser.add_argument("--mbus", action="store_true", help="find all meters of a wired M-Bus")
    parser.add_argument("--save", metavar="FILE", help="keep what was heard, for decode and replay")


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if a meter was recognised."""
    from drivers.ports import TtyPort
    from drivers.serial.stream import line_settings

    try:
        lines = {line: line_settings(line) for line in ([args.line] if args.line else LINES)}
    except ValueError as error:
        print(f"--line {error}", file=sys.stderr)
        return 2
    port = TtyPort(args.port)
    try:
        if args.mbus:
            return _list_mbus(port, args.line or MBUS_LINE, stable_name(args.port))
        return _recognise(port, lines, args)
    except (DriverError, OSError) as error:
        print(f"tidegate monitor: {plainly(error)}", file=sys.stderr)
        return 1
    finally:
        port.close()


def _recognise(
    port: SerialPort, lines: Mapping[str, LineSettings], args: argparse.Namespace
) -> int:
    heard: list[tuple[str, bytes]] = []
    with ExitStack() as stack:
        tell = _teller(args.save, stack)
        for line, settings in lines.items():
            print(f"-- {line}", file=sys.stderr)
            port.open(settings)
            port.discard()
            listener = Listener(line)
            found = _listen(port, listener, args.patience, tell, forever=bool(args.line))
            if found is not None:
                return _announce(found, stable_name(args.port))
            heard.append((line, bytes(listener.heard)))
    if args.ask:
        return _ask(port, stable_name(args.port))
    print("\n".join(remarks(heard)), file=sys.stderr)
    return 1


def _list_mbus(port: SerialPort, line: str, device: str) -> int:
    """All meters of an M-Bus, found by trying secondary addresses digit by digit."""
    from drivers.serial.mbus_link import Link
    from drivers.serial.mbus_search import search
    from drivers.serial.stream import line_settings

    settings = line_settings(line)
    port.open(settings)
    print(f"-- looks for meters at {line}; this takes a minute and more", file=sys.stderr)
    found = finish(search(Link(port, settings)))
    if not found:
        print("no meter answered", file=sys.stderr)
        return 1
    rows = ["[[bus]]", 'name = "mbus"', 'kind = "serial"', f'device = "{device}"']
    for address in found:
        rows += ["", "[[device]]", f'name = "meter-{address[:8]}"', 'driver = "mbus"']
        rows += ['bus = "mbus"', f'secondary = "{address}"']
        rows += [] if line == MBUS_LINE else [f'line = "{line}"']
    print("\n".join(rows))
    return 0


def _teller(name: str | None, stack: ExitStack) -> Callable[[bytes], None]:
    """Shows bytes as they come, and keeps them where that is asked for."""
    file: TextIO | None = None
    if name is not None:
        file = stack.enter_context(Path(name).open("w", encoding="ascii"))  # noqa: SIM115
        print(recording.HEAD, file=file)
    begun = time.monotonic()

    def tell(data: bytes) -> None:
        print(dump(data), flush=True)
        if file is not None:
            said = Said(time.monotonic() - begun, FROM_DEVICE, data)
            print(written(said), file=file, flush=True)

    return tell


def _listen(
    port: SerialPort,
    listener: Listener,
    patience: float,
    tell: Callable[[bytes], None],
    forever: bool,
) -> Guess | None:
    """What is understood first. With `forever`, that is told and listening goes on to Ctrl-C."""
    deadline = time.monotonic() + patience
    found: Guess | None = None
    try:
        while (left := deadline - time.monotonic()) > 0 or (forever and found is None):
            _wait(port, max(POLL, min(left, 1.0)))
            data = port.receive()
            if data:
                tell(data)
                found = found or listener.feed(data)
            if found is not None and not forever:
                return found
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return found


def _wait(port: SerialPort, longest: float) -> None:
    descriptor = port.fileno()
    if descriptor is None:
        time.sleep(min(POLL, longest))
    else:
        select.select([descriptor], [], [], longest)


def _announce(found: Guess, device: str) -> int:
    print(f"\nThis is `{found.driver}` at {found.line}. It says:", file=sys.stderr)
    for one in found.readings[:8]:
        print(f"  {one.channel} = {one.value}", file=sys.stderr)
    print(f"\nFor the configuration:\n\n{proposal(found, device)}")
    return 0


def _ask(port: SerialPort, device: str) -> int:
    from drivers.serial.stream import line_settings
    from gateway.cli import probes  # the codecs of all that can be asked

    for probe in probes.PROBES:
        print(f"-- asks {probe.driver} at {probe.line}", file=sys.stderr)
        port.open(line_settings(probe.line))
        port.discard()
        port.write(probe.request)
        deadline = time.monotonic() + ANSWER + len(probe.request) * 11 / port_speed(probe.line)
        heard = b""
        while (left := deadline - time.monotonic()) > 0:
            heard += port.read(4096, min(left, 0.3))
            if probes.answers(probe, heard):
                print(dump(heard))
                block = probes.proposal(probe, device)
                print(f"\nThis is `{probe.driver}` at {probe.line}.\n\n{block}")
                return 0
    print(guesses.QUIET.splitlines()[0], file=sys.stderr)
    return 1


def port_speed(line: str) -> int:
    return int(line.split(" ", 1)[0])


def stable_name(port: str) -> str:
    """The link below /dev/serial/by-id that leads to this port, or the port's own name."""
    try:
        links = sorted(BY_ID.iterdir())
    except OSError:
        return port
    return next(
        (f"{link}" for link in links if os.path.realpath(link) == os.path.realpath(port)), port
    )
