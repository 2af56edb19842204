"""`tidegate simulate`: what rules and limits would do with recorded or made-up samples."""

from __future__ import annotations

import argparse
import dataclasses
import json
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, tzinfo
from pathlib import Path

from gateway.build_devices import BuildError
from gateway.build_rules import site_of
from gateway.cli import scenario
from gateway.cli.problems import EX_CONFIG, plainly, render
from gateway.cli.simulation import Line, Simulation
from gateway.cli.tables import table
from gateway.config import ConfigErrors, load
from gateway.model import Value

HELP = "Play samples to the rules and limits of a configuration; print what would switch when."
EXAMPLES = """\
tidegate simulate gateway.toml hot-day.csv
tidegate simulate gateway.toml week.jsonl --json        # one JSON object a line
tidegate simulate gateway.toml day.csv --start 2026-06-21T00:00"""
SCENARIO = """\
A scenario is a table (CSV) with a column "time" and columns "DEVICE.CHANNEL", "DEVICE.status",
"OUTPUT.set", "link" and "clock", or JSON Lines with these keys, or a gateway's own entries with
their "device". Times are durations from the start, or ISO 8601. docs/rules.md has more."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{HELP}\n\n{SCENARIO}"
    parser.add_argument("config", metavar="CONFIG")
    parser.add_argument("scenario", metavar="SCENARIO", help="a file, or - for stdin")
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")
    parser.add_argument(
        "--start", metavar="TIME", help="when durations count from (default: today's midnight)"
    )
    parser.add_argument(
        "--once",
        action="store_true",
        help="each sample is one look; otherwise it is seen at each interval until the next",
    )


def run(args: argparse.Namespace) -> int:
    try:
        settings, _ = load(args.config)
    except ConfigErrors as found:
        print("\n".join(render(problem) for problem in found.errors), file=sys.stderr)
        return EX_CONFIG
    zone = site_of(settings.site).zone
    name = "stdin" if args.scenario == "-" else args.scenario
    try:
        text = sys.stdin.read() if args.scenario == "-" else Path(name).read_text("utf-8")
        played = scenario.read(text, name, zone)
        start = played.start if played.start is not None else _start(args.start, zone)
        with _silence():
            lines = Simulation(settings, played, start, hold=not args.once).run()
    except (OSError, UnicodeDecodeError, ValueError, BuildError) as error:
        print(f"tidegate simulate: {plainly(error)}", file=sys.stderr)
        return 1
    if args.json:
        for line in lines:
            print(json.dumps(_fields(line, zone), ensure_ascii=False))
    else:
        print(page(lines, start, start + played.moments[-1].at, zone))
    return 0


@contextmanager
def _silence() -> Iterator[None]:
    """What the daemon would log is in the table."""
    log = logging.getLogger("gateway")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _start(written: str | None, zone: tzinfo) -> float:
    if written is None:
        today = datetime.fromtimestamp(time.time(), zone)
        return today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise ValueError(f"--start {written!r} is no time: write 2026-06-21T00:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp()


def _fields(line: Line, zone: tzinfo) -> dict[str, object]:
    fields = dataclasses.asdict(line)
    at = datetime.fromtimestamp(fields.pop("wall"), zone).isoformat(timespec="milliseconds")
    return {"time": at, **fields}


def page(lines: Sequence[Line], start: float, end: float, zone: tzinfo) -> str:
    """A table of what happened, and how long each output was on."""
    rows = [("TIME", "WHAT", "", "BY", "WHY"), *(_row(line, zone) for line in lines)]
    found = [table(rows)] if lines else ["Nothing would switch."]
    times = on_times(lines, end)
    if times:
        head = f"{_at(start, zone)} to {_at(end, zone)}:"
        found.append("\n".join([head, *(f"  {name} {words}" for name, words in times.items())]))
    return "\n\n".join(found)


def _row(line: Line, zone: tzinfo) -> tuple[str, str, str, str, str]:
    kind = "" if line.kind in ("output", "refused") else f"{line.kind} "
    return (_at(line.wall, zone), f"{kind}{line.what}", _shown(line.to), line.by, line.why)


def _at(wall: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(wall, zone).strftime("%Y-%m-%d %H:%M:%S")


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else f"{value}"


def on_times(lines: Sequence[Line], end: float) -> dict[str, str]:
    """Of each output that switched: how often it went on, and for how long in all."""
    since: dict[str, float] = {}
    totals: dict[str, tuple[int, float]] = {}
    for line in lines:
        if line.kind != "output" or line.to == "pulse":
            continue
        count, seconds = totals.get(line.what, (0, 0.0))
        begun = since.pop(line.what, None)
        if begun is not None:
            seconds += line.wall - begun
        if line.to:
            since[line.what] = line.wall
            count += begun is None
        totals[line.what] = (count, seconds)
    return {
        name: f"on {_times(count)}, {_span(seconds + end - since.get(name, end))} in all"
        for name, (count, seconds) in totals.items()
    }


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _span(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    minutes, left = divmod(rest, 60)
    parts = [(hours, "h"), (minutes, "min"), (left, "s")]
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 s"
