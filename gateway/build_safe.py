"""The crash states of all outputs, as the steps that `tidegate safe` carries out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

from drivers.base import Actuator, Safeguarded
from gateway import safe
from gateway.attached import Attached
from gateway.build_devices import level
from gateway.settings import BusSettings, DeviceSettings, Settings

log = logging.getLogger(__name__)

HEADERS = ("", "lgpio")
MOCK = "mock"


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
    if output is None or bus is None or bus.device == MOCK or not guarded:
        return ()
    assert isinstance(device, Actuator)
    assert isinstance(device, Safeguarded)
    crash = output.stop if output.crash is None else output.crash
    if bus.kind not in ("gpio", "i2c"):
        return ()
    where = safe.HEADER if bus.device in HEADERS else bus.device
    lines = device.safeguard(level(values, device, "crash", crash))
    return tuple(line.replace(f"{bus.kind} ", f"{bus.kind} {where} ", 1) for line in lines)


def renew(path: Path, steps: Mapping[str, tuple[str, ...]]) -> None:
    """Leaves the steps for a helper, and carries out those of outputs that are configured no more.

    Called before any output is claimed.
    """
    try:
        before = safe.read(path) if path.exists() else {}
        for name, old in safe.left_over(before, steps).items():
            log.warning("%s is configured no more: %s", name, "; ".join(old))
            safe.carry_out(name, old)
        safe.write(path, steps)
    except OSError as error:
        log.error("no states for after a crash are left: %s", error)
