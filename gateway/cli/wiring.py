"""`tidegate wiring`: which pin of the header is for what, as a table and as a drawing."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from gateway.catalog import find
from gateway.cli.header import GPIO, Use, clashes, uses
from gateway.cli.header_svg import draw
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain
from gateway.cli.tables import table
from gateway.settings import BusSettings, DeviceSettings, Settings

HELP = "Print the pins that a configuration uses, and draw them."
EXAMPLES = """\
tidegate wiring ./gateway.toml                  # a table
tidegate wiring ./gateway.toml -o wiring.svg    # and a drawing of the header"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="draw the header into this SVG")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    loaded = load_or_explain(args.config)
    if loaded is None:
        return EX_CONFIG
    settings = loaded.settings
    found = uses(settings)
    wrong = clashes(found)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return EX_CONFIG
    if args.json:
        print(json.dumps({"pins": [{"pin": GPIO[u.gpio], **asdict(u)} for u in found]}))
    else:
        print(_table(found))
        print("\n".join(_elsewhere(settings)), end="")
    if args.output:
        Path(args.output).write_text(draw(settings.gateway.id, found), encoding="utf-8")
    return 0


def _table(found: Sequence[Use]) -> str:
    if not found:
        return "no pin of the header is used"
    lines: dict[int, list[Use]] = {}
    for use in found:
        lines.setdefault(GPIO[use.gpio], []).append(use)
    rows = [
        (
            str(pin),
            f"GPIO{shared[0].gpio}",
            ", ".join(dict.fromkeys(use.what for use in shared)),
            ", ".join(dict.fromkeys(use.who for use in shared)),
            shared[0].note,
        )
        for pin, shared in sorted(lines.items())
    ]
    return table([("pin", "name", "line", "for", ""), *rows])


def _elsewhere(settings: Settings) -> list[str]:
    """What hangs on each bus beside the header's plain lines."""
    rows = []
    for bus in settings.bus:
        users = [device for device in settings.device if device.bus == bus.name]
        if bus.kind == "gpio" or not users:
            continue
        names = ", ".join(map(_with_address, users))
        rows.append(f"\n{bus.name} ({_where(bus)}): {names}")
    return [*rows, ""] if rows else []


def _with_address(device: DeviceSettings) -> str:
    option = find(device.driver).options.get("address")
    address = device.options.get("address", None if option is None else option.default)
    shown = f"0x{address:02x}" if isinstance(address, int) else address
    return device.name if address is None else f"{device.name} at {shown}"


def _where(bus: BusSettings) -> str:
    if bus.kind == "i2c-mux":
        return f"channel {bus.channel} of 0x{bus.address:02x} on {bus.parent}"
    return bus.device or bus.kind
