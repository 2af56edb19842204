"""The crash states of all outputs, as the steps that `tidegate safe` carries out."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path

from drivers.base import Actuator, Safeguarded
from gateway import safe
from gateway.attached import Attached
from gateway.build_devices import level
from gateway.settings import BusSettings, DeviceSettings, Settings

log = logging.getLogger(__name__)

HEADERS = ("", "lgpio")
MOCK = "mock"
SOCKET = re.compile(r"socket://(.+):\d+")


def steps_of(settings: Settings, attached: Mapping[str, Attached]) -> dict[str, tuple[str, ...]]:
    """By the output's name. An output that nothing outside can reach has none."""
    buses = {bus.name: bus for bus in settings.bus}
    found = {}
    for values in settings.device:
        bus = buses.get(values.bus)
        steps = _steps(values, attached[values.name].device, bus)
        if steps:
            found[values.name] = steps
    return found


def _steps(values: DeviceSettings, device: object, bus: BusSettings | None) -> tuple[str, ...]:
    output = values.output
    guarded = isinstance(device, Actuator) and isinstance(device, Safeguarded)
    if output is None or not guarded:
        return ()
    assert isinstance(device, Actuator)
    assert isinstance(device, Safeguarded)
    where = _where(bus) if bus is not None else ""  # the kernel's 1-Wire needs no [[bus]]
    if where is None:
        return ()
    crash = output.stop if output.crash is None else output.crash
    steps = device.safeguard(level(values, device, "crash", crash))
    return tuple(_with_bus(step, where) for step in steps)


def _where(bus: BusSettings) -> str | None:
    """The words by which a step names the bus; None where nothing outside can reach it."""
    if bus.kind == "gpio" and bus.device != MOCK:
        return safe.HEADER if bus.device in HEADERS else bus.device
    if bus.kind == "serial" and _reached(bus.device):
        return f"{bus.device} {bus.rts or '-'}"
    return bus.device if bus.kind in ("i2c", "onewire") else None


def _reached(device: str) -> bool:
    """By a name a host cannot be looked up within a time that is sure."""
    if "://" not in device:
        return True
    address = SOCKET.fullmatch(device)
    try:
        return address is not None and bool(ip_address(address[1].strip("[]")))
    except ValueError:
        return False


def _with_bus(step: str, where: str) -> str:
    verb, _, rest = step.partition(" ")
    return f"{verb} {where} {rest}" if verb in safe.ON_A_BUS else step


def renew(path: Path, steps: Mapping[str, tuple[str, ...]]) -> None:
    """Leaves the steps for a helper, and carries out those of outputs that are configured no more.

    Called before any output is claimed.
    """
    try:
        before = safe.read(path) if path.exists() else {}
        gone = safe.left_over(before, steps)
        for name, old in gone.items():
            log.warning("%s is configured no more: %s", name, "; ".join(old))
        safe.all_done(gone)
        safe.write(path, steps)
    except OSError as error:
        log.error("no states for after a crash are left: %s", error)
