"""`tidegate unit`: the service closed to all but what a configuration needs."""

from __future__ import annotations

import argparse
import ipaddress
import sys
from collections.abc import Iterable
from pathlib import Path

from gateway.__main__ import DEFAULT_CONFIG
from gateway.cli.interfaces import CREDENTIALS
from gateway.cli.placing import place
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain
from gateway.link.endpoint import parse_endpoint
from gateway.settings import BusSettings, Settings

HELP = "Print a systemd drop-in that opens only the devices and addresses of a configuration."
EXAMPLES = """\
tidegate unit                       # of /etc/tidegate/gateway.toml, to look at
tidegate unit --write               # as root: put it in place; then systemctl restart tidegate"""

DROP_IN = Path("/etc/systemd/system/tidegate.service.d/devices.conf")
CLASSES = {"i2c": "char-i2c", "i2c-mux": "char-i2c", "gpio": "char-gpiochip", "spi": "char-spi"}
"""Kind of bus to its class in /proc/devices: DeviceAllow in systemd.resource-control(5)."""
CLOCK_DAEMONS = (Path("/usr/sbin/chronyd"), Path("/usr/sbin/ntpd"))
"""They leave no mark of having set the clock, so that the kernel has to be asked."""
TTYS = ("ttyAMA", "ttyUSB", "ttyACM", "ttyS")


def configure(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--write", action="store_true", help=f"write it to {DROP_IN}")


def run(args: argparse.Namespace) -> int:
    loaded = load_or_explain(args.config)
    if loaded is None:
        return EX_CONFIG
    try:
        text = drop_in(loaded.settings, args.config, CREDENTIALS)
    except PermissionError as error:
        print(f"tidegate unit: {error.filename}: only root may look; try sudo", file=sys.stderr)
        return 1
    if not args.write:
        print(text, end="")
        return 0
    try:
        place(DROP_IN, text)
    except OSError as error:
        print(f"tidegate unit: {DROP_IN}: {error.strerror}; try sudo", file=sys.stderr)
        return 1
    print(f"{DROP_IN} is written. Next: systemctl daemon-reload && systemctl restart tidegate")
    return 0


def drop_in(settings: Settings, config: str, credentials: Path) -> str:
    """The text. PermissionError.

    Classes of devices, not single ones: what is plugged in later has to work too.
    """
    lines = [
        f"# Made by `tidegate unit` from {config}. Make it anew when a bus is added.",
        "[Service]",
        "DeviceAllow=",
        *(f"DeviceAllow={name} rw" for name in device_classes(settings.bus)),
    ]
    if credentials.is_dir():
        files = sorted(path for path in credentials.iterdir() if path.is_file())
        lines += [f"LoadCredential={path.name}:{path}" for path in files]
    addresses = broker_addresses(settings)
    if addresses is not None:
        lines += ["IPAddressDeny=any", f"IPAddressAllow={' '.join(['localhost', *addresses])}"]
    if any(path.exists() for path in CLOCK_DAEMONS):
        lines += ["ProtectClock=no", "SystemCallFilter=adjtimex clock_adjtime"]
    if config != DEFAULT_CONFIG:
        path = Path(config).resolve()
        lines += ["ExecStart=", f"ExecStart=/usr/bin/tidegate run {path}"]
    return "\n".join(lines) + "\n"


def device_classes(buses: Iterable[BusSettings]) -> list[str]:
    """Sorted, each once."""
    found = set()
    for bus in buses:
        if bus.kind in CLASSES and bus.device != "mock":
            found.add(CLASSES[bus.kind])
        elif bus.kind == "serial" and bus.device.startswith("/dev/"):
            found |= _serial_classes(bus.device)
    return sorted(found)


def _serial_classes(device: str) -> set[str]:
    """Of a port by its name; of one with a name that stays, of all kinds that are plugged in."""
    name = Path(device).resolve().name if Path(device).exists() else Path(device).name
    for prefix in TTYS:
        if name.startswith(prefix):
            return {f"char-{prefix}"}
    if name.startswith("serial") and Path(device).parent == Path("/dev"):
        return {"char-ttyAMA", "char-ttyS"}  # Raspberry Pi OS: /dev/serial0 is one or the other
    return {"char-ttyUSB", "char-ttyACM"}


def broker_addresses(settings: Settings) -> list[str] | None:
    """The brokers on other machines, where each is given by a number. None where one has a name:
    names need a resolver, and may move."""
    upstream = settings.upstream
    if upstream.proxy or settings.gateway.metrics:
        return None
    urls = (upstream.url,) if isinstance(upstream.url, str) else upstream.url
    found = []
    for url in urls:
        endpoint = parse_endpoint(url, upstream.insecure)
        if endpoint.local:
            continue
        try:
            found.append(str(ipaddress.ip_address(endpoint.host)))
        except ValueError:
            return None
    return found
