"""Any sensor that the Linux kernel drives, from /sys/bus/iio.

Names and units: Linux Documentation/ABI/testing/sysfs-bus-iio. Wiring and config: hardware/iio.md;
hardware/dht22.md for the DHT22.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from drivers.base import (
    BusFault,
    BusMissing,
    Channel,
    CorruptData,
    DriverError,
    NoAnswer,
    Option,
    OptionError,
    Quality,
    Reading,
)  # fmt: skip

TYPES: dict[str, tuple[str, str, float]] = {
    # in_TYPE of the ABI: channel, quantity, factor from the ABI's unit
    "temp": ("temperature", "temperature", 0.001),
    "humidityrelative": ("humidity", "humidity", 0.001),
    "pressure": ("pressure", "pressure", 10.0),
    "illuminance": ("illuminance", "illuminance", 1.0),
    "distance": ("distance", "distance", 1.0),
    "voltage": ("voltage", "voltage", 0.001),
    "current": ("current", "current", 0.001),
    "power": ("power", "power", 0.001),
    "resistance": ("resistance", "resistance", 1.0),
    "concentration_co2": ("co2", "co2", 10000.0),
    "massconcentration_pm1": ("pm1", "particulate_matter", 1.0),
    "massconcentration_pm2p5": ("pm2_5", "particulate_matter", 1.0),
    "massconcentration_pm10": ("pm10", "particulate_matter", 1.0),
    "electricalconductivity": ("conductivity", "conductivity", 10000.0),
    "ph": ("acidity", "acidity", 1.0),
}

THREAD = "iio {sensor}"
"""Without a bus each sensor has a thread of its own: the kernel holds it while it converts."""

_PART = re.compile(r"([a-z][a-z0-9_]*?)(\d+)?")


class Iio:
    """Each of `measures` is a channel; the number of an indexed one (voltage0) goes with it."""

    def __init__(
        self,
        *,
        sensor: Annotated[
            str, Option("what its file `name` says, see `tidegate scan`", example="bme280")
        ],
        measures: Annotated[
            tuple[str, ...], Option("in_... of the kernel, without in_", example="temp")
        ],
        root: Annotated[str, Option("where sys is mounted, for use in a container")] = "/",
    ) -> None:
        if not measures or len(set(measures)) < len(measures):
            raise OptionError("measures: name at least one, each once")
        self._parts = {part: _described(part) for part in measures}
        self.channels: Sequence[Channel] = [channel for channel, _ in self._parts.values()]
        self._sensor = sensor
        self._devices = Path(root, "sys/bus/iio/devices")
        self._folder: Path | None = None

    def start(self) -> None:
        """Find it by its name: the numbers of iio:deviceN change with the order of loading."""
        named = {folder: _text(folder / "name") for folder in self._devices.glob("iio:device*")}
        found = sorted(folder for folder, name in named.items() if name == self._sensor)
        if not found:
            there = ", ".join(sorted(named.values())) or "none"
            raise BusMissing(f'the kernel has no sensor "{self._sensor}"; there is: {there}')
        if len(found) > 1:
            raise BusFault(f'{len(found)} sensors are called "{self._sensor}"; give them a label')
        self._folder = found[0]

    def read(self) -> Sequence[Reading]:
        if self._folder is None:
            raise NoAnswer("read before start")
        return [
            reading_of(channel, _value(self._folder, part), factor)
            for part, (channel, factor) in self._parts.items()
        ]

    def close(self) -> None:
        pass


def _described(part: str) -> tuple[Channel, float]:
    match = _PART.fullmatch(part)
    kind, number = (part, "") if part in TYPES else match.groups("") if match else ("", "")
    if kind not in TYPES:
        raise OptionError(f'measures: "{part}" is not known; there is: {", ".join(sorted(TYPES))}')
    name, quantity, factor = TYPES[kind]
    return Channel(name + (f"_{number}" if number else ""), quantity), factor


def reading_of(channel: Channel, value: float, factor: float) -> Reading:
    return Reading(channel.name, value * factor, Quality.GOOD)


def _value(folder: Path, part: str) -> float:
    """`in_PART_input` in the ABI's unit, or (raw + offset) x scale; scale and offset may be shared
    by all of a kind (in_voltage_scale)."""
    processed = folder / f"in_{part}_input"
    if processed.exists():
        return _number(processed)
    raw = _number(folder / f"in_{part}_raw")
    offset, scale = (_shared(folder, part, what) for what in ("offset", "scale"))
    return (raw + (offset or 0.0)) * (1.0 if scale is None else scale)


def _shared(folder: Path, part: str, what: str) -> float | None:
    for name in (part, part.rstrip("0123456789")):
        path = folder / f"in_{name}_{what}"
        if path.exists():
            return _number(path)
    return None


def _number(path: Path) -> float:
    text = _text(path)
    try:
        return float(text)
    except ValueError as error:
        raise CorruptData(f"{path.name} reads {text!r}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise _explained(path, error) from error


def _explained(path: Path, error: OSError) -> DriverError:
    if isinstance(error, FileNotFoundError):
        others = sorted(p.name for p in path.parent.glob("in_*")) if path.parent.exists() else []
        return BusMissing(f"{path} does not exist; there is: {', '.join(others) or 'nothing'}")
    if error.errno in (errno.EIO, errno.ETIMEDOUT, errno.EREMOTEIO, errno.ENXIO):
        return NoAnswer(f"{path.name}: the sensor does not answer ({error.strerror})")
    return BusFault(f"{path}: {error.strerror or error}")


DRIVER = Iio
