"""`tidegate scan`: what is wired to this machine, and blocks for its configuration."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from drivers.base import BusMissing, DriverError, I2CBus
from drivers.i2c.identify import ADDRESSES, Found, identify
from gateway.attached import finish
from gateway.cli.tables import table

HELP = "Find what is wired to this machine; reads only, and prints blocks to copy."
EXAMPLES = """\
tidegate scan                        # I2C, 1-Wire, SPI, serial ports, GPIO controllers, IIO
tidegate scan --i2c /dev/i2c-1       # this I2C bus alone
tidegate scan --blocks > found.toml  # the blocks alone"""

W1_DRIVERS = {
    **dict.fromkeys(("10", "22", "28", "3b", "42"), "ds18b20"),
    "3a": "ds2413",
}


@dataclass(frozen=True, slots=True)
class Thing:
    """Something found: on what, where on it, what it is; and a block for it, "" for none."""

    bus: str
    where: str
    what: str
    block: str = ""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--i2c", action="append", metavar="DEVICE", help="an I2C bus, and no other")
    parser.add_argument("--blocks", action="store_true", help="print the blocks alone")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--root", default="/", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    things = list(everything(Path(args.root), args.i2c))
    if args.json:
        print(json.dumps({"found": [asdict(thing) for thing in things]}, ensure_ascii=False))
        return 0
    if not args.blocks:
        print(_listed(things))
    blocks = "\n".join(thing.block for thing in things if thing.block)
    if blocks:
        print(blocks if args.blocks else f"\nFor the configuration:\n\n{blocks}", end="")
    return 0


def _listed(things: Sequence[Thing]) -> str:
    if not things:
        return "nothing found; are I2C, SPI and 1-Wire enabled? `tidegate doctor` tells"
    return table([("bus", "where", "what"), *((t.bus, t.where, t.what) for t in things)])


def everything(root: Path, only_i2c: Sequence[str] | None) -> Iterator[Thing]:
    buses = only_i2c or sorted(str(path) for path in (root / "dev").glob("i2c-*"))
    for device in buses:
        yield from i2c(device, root)
    if not only_i2c:
        yield from one_wire(root)
        yield from plain(root)
        yield from iio(root)


def i2c(device: str, root: Path) -> Iterator[Thing]:
    from drivers.buses import LinuxI2C

    number = device.rpartition("-")[2]
    bus = LinuxI2C(device)
    try:
        yield from i2c_things(bus, device, kernels(root, number))
    except DriverError as error:
        what = "is not there" if isinstance(error, BusMissing) else "cannot be used"
        print(f"{device} {what}: {error}", file=sys.stderr)
    finally:
        bus.close()


def kernels(root: Path, number: str) -> dict[int, str]:
    """Addresses that a kernel driver owns, and its name: they are left alone."""
    owned = {}
    for path in (root / "sys/bus/i2c/devices").glob(f"{number}-*"):
        driver = path / "driver"
        if driver.exists():
            owned[int(path.name.partition("-")[2], 16)] = driver.resolve().name
    return owned


def i2c_things(bus: I2CBus, device: str, owned: dict[int, str]) -> Iterator[Thing]:
    name = device.rpartition("/")[2]
    header = f'[[bus]]\nname = "{name}"\nkind = "i2c"\ndevice = "{device}"\n'
    for address in sorted({*ADDRESSES, *owned}):
        where = f"0x{address:02x}"
        if address in owned:
            yield Thing(device, where, f"the kernel's driver {owned[address]} has it")
            continue
        found = finish(identify(bus, address))
        if found is None:
            continue
        doubt = "" if found.sure else ", perhaps"
        block = i2c_block(found, name)
        yield Thing(device, where, f"{found.chip}{doubt}", f"{header}\n{block}" if block else "")
        header = "" if block else header


def i2c_block(found: Found, bus: str) -> str:
    if found.driver:
        name = f"{found.driver}-{found.address:02x}".replace("_", "-")
        lines = [f'name = "{name}"', f'driver = "{found.driver}"', f'bus = "{bus}"']
        return "\n".join(
            ["[[device]]", *lines, f"address = 0x{found.address:02x}", *found.options, ""]
        )
    if found.chip == "TCA9548A":
        lines = [f'name = "{bus}-0"', 'kind = "i2c-mux"', f'parent = "{bus}"']
        return "\n".join(["[[bus]]", *lines, f"address = 0x{found.address:02x}", "channel = 0", ""])
    return ""


def one_wire(root: Path) -> Iterator[Thing]:
    header = '[[bus]]\nname = "w1"\nkind = "onewire"\n\n'
    for path in sorted((root / "sys/bus/w1/devices").glob("[0-9a-f][0-9a-f]-*")):
        driver = W1_DRIVERS.get(path.name[:2])
        if driver is None:
            yield Thing("1-Wire", path.name, f"family {path.name[:2]}, no driver")
            continue
        lines = [f'name = "{path.name}"', f'driver = "{driver}"', 'bus = "w1"']
        block = "\n".join(["[[device]]", *lines, f'address = "{path.name}"', ""])
        yield Thing("1-Wire", path.name, driver, header + block)
        header = ""


def plain(root: Path) -> Iterator[Thing]:
    """What answers no question: ports, chip selects, controllers."""
    dev = root / "dev"
    for path in sorted(dev.glob("serial/by-id/*")):
        block = f'[[bus]]\nname = "port"\nkind = "serial"\ndevice = "{path}"\n'
        yield Thing("serial", str(path), f"-> {path.resolve().name}; see `tidegate monitor`", block)
    for path in sorted(dev.glob("serial[0-9]")):
        yield Thing("serial", str(path), f"-> {path.resolve().name}, on the header")
    for path in sorted(dev.glob("spidev*")):
        block = (
            f'[[bus]]\nname = "{path.name.replace(".", "-")}"\nkind = "spi"\ndevice = "{path}"\n'
        )
        yield Thing(
            "SPI", str(path), "a chip select; SPI chips cannot be asked what they are", block
        )
    for path in sorted(dev.glob("gpiochip*")):
        link = root / "sys/bus/gpio/devices" / path.name
        parent = link.resolve().parent.name if link.exists() else ""
        yield Thing("GPIO", str(path), parent or "a controller")


def iio(root: Path) -> Iterator[Thing]:
    from drivers.iio.iio import TYPES

    for path in sorted((root / "sys/bus/iio/devices").glob("iio:device*")):
        name = (path / "name").read_text().strip() if (path / "name").exists() else path.name
        files = {file.name.removeprefix("in_") for file in path.glob("in_*")}
        parts = {
            part.removesuffix(end)
            for part in files
            for end in ("_input", "_raw")
            if part.endswith(end)
        }
        known = sorted(
            part for part in parts if part.rstrip("0123456789") in TYPES or part in TYPES
        )
        lines = [f'name = "{_topic(name)}"', 'driver = "iio"', f'sensor = "{name}"']
        block = "\n".join(["[[device]]", *lines, f"measures = {json.dumps(known)}", ""])
        yield Thing("IIO", name, ", ".join(known) or "nothing known", block if known else "")


def _topic(name: str) -> str:
    return "".join(
        c if (c.isalnum() and c.islower()) or c.isdigit() else "-" for c in name.lower()
    ).strip("-")
