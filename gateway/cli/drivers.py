"""`tidegate drivers`: what there is, and what one driver takes and measures."""

from __future__ import annotations

import argparse
import shutil
import sys
import textwrap
from collections.abc import Sequence

from drivers.base import Channel
from drivers.quantities import QUANTITIES
from gateway.catalog import Driver, DriverUnknown, DriverUnusable, everything, find
from gateway.cli.examples import block, channels, toml
from gateway.cli.tables import table
from gateway.config_schema import Setting, fields_of
from gateway.config_words import describe, limits_of
from gateway.settings import OutputSettings

HELP = "List the drivers; or the options, channels and a ready block of one."
EXAMPLES = """\
tidegate drivers
tidegate drivers bme280          # its options, channels and a block to copy"""

WIDEST = 60
"""Characters of a cell of values; longer lists stand below the table."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("driver", nargs="?", metavar="NAME")
    parser.add_argument("--names", action="store_true", help="names alone, one a line")


def run(args: argparse.Namespace) -> int:
    if args.driver is None:
        return _print_names() if args.names else _print_all()
    try:
        driver = find(args.driver)
    except (DriverUnknown, DriverUnusable) as error:
        print(f"{error}; {error.hint}", file=sys.stderr)
        return 1
    print(_page(driver))
    return 0


def _print_names() -> int:
    for name, _ in everything():
        print(name)
    return 0


def _print_all() -> int:
    rows = []
    for name, driver in everything():
        if isinstance(driver, Driver):
            rows.append((name, driver.bus_kinds[0], driver.summary))
        else:
            rows.append((name, "-", f"{driver}; {driver.hint}"))
    print(table([("name", "bus", "what it is"), *rows]))
    return 0


def _page(driver: Driver) -> str:
    kinds = ", ".join(driver.bus_kinds)
    bus = f"a bus of kind {kinds}" if driver.has_bus else "no bus needed"
    kind = "output" if driver.is_actuator else "speaks by itself" if driver.is_stream else "sensor"
    parts = [f"{driver.name}: {driver.summary}", f"{kind}; {bus}", _options(driver)]
    if driver.is_actuator:
        parts.append(
            _wrapped(f"As an output it also takes: {', '.join(fields_of(OutputSettings))}.")
        )
    parts += [_channels(channels(driver)), f"Configuration:\n\n{block(driver)}"]
    return "\n\n".join(parts)


def _options(driver: Driver) -> str:
    if not driver.options:
        return "No options."
    rows, below = [("option", "default", "values", "")], []
    for option in driver.options.values():
        default = "required" if option.required else _default(option)
        values = _values(option)
        if len(values) > WIDEST:
            below.append(_wrapped(f"{option.name}: {values}"))
            values = "see below"
        rows.append((option.name, default, values, option.note.help))
    return "\n\n".join([table(rows), *below])


def _wrapped(text: str) -> str:
    width = min(100, shutil.get_terminal_size().columns)
    return textwrap.fill(text, width, subsequent_indent="  ")


def _default(option: Setting) -> str:
    return "none" if option.default is None else toml(option.default, option.name)


def _values(option: Setting) -> str:
    what = describe(option.type, option.note, option.name == "address")
    limits = limits_of(option.note, option.name == "address")
    if what.endswith(f" in {option.note.unit}"):
        limits = limits.removesuffix(f" {option.note.unit}")
    return f"{what}, {limits}" if limits else what


def _channels(found: Sequence[Channel] | None) -> str:
    if found is None:
        return "Its channels depend on the options."
    rows = [("channel", "unit", "quantity", "")]
    for channel in found:
        counter = "counter" if channel.counter else ""
        rows.append((channel.name, QUANTITIES[channel.quantity], channel.quantity, counter))
    return table(rows)
