"""Driver name -> driver.

A driver is a module `drivers/FOLDER/NAME.py` with the constant `DRIVER`, its one driver class. Its
name is the module's, its description the first line of the module. A driver of another
distribution is an entry point of the group `tidegate.drivers` that leads to such a class. A name
in the folders wins.

What a driver needs is read from its constructor: the type of the first argument is its bus, the
keyword arguments are its options. Nothing registers itself; only a driver that is asked for is
imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from drivers.base import Actuator, Sensor, Stream
from gateway.config_report import nearest
from gateway.config_schema import Setting, arguments_of

FOLDERS = ("i2c", "gpio", "serial", "onewire", "host", "spi", "iio", "modbus")
ENTRY_POINTS = "tidegate.drivers"

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_BUS_KINDS: dict[str, tuple[str, ...]] = {
    # The contract that a constructor asks for, by its name: gpiozero need not be imported here.
    "I2CBus": ("i2c", "i2c-mux", "simulated-i2c"),
    "SPIBus": ("spi",),
    "SerialPort": ("serial",),
    "Factory": ("gpio",),
}


class DriverUnknown(Exception):
    """No driver has this name. hint: the nearest name."""

    def __init__(self, name: str, hint: str) -> None:
        super().__init__(f'there is no driver "{name}"')
        self.hint = hint


class DriverUnusable(Exception):
    """The driver is there but cannot be loaded. hint: what to install or to correct."""

    def __init__(self, name: str, reason: str, hint: str) -> None:
        super().__init__(f'driver "{name}" cannot be loaded: {reason}')
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Driver:
    """What the gateway knows of a driver before there is a device.

    bus_kinds: the kinds of [[bus]] that it can be on.
    has_bus: its constructor takes a bus; else `bus` only chooses the thread that reads it.
    module: for its constants: DECODER and CHANNELS of a stream, THREAD where no bus is needed.
    """

    name: str
    summary: str
    factory: type
    bus_kinds: tuple[str, ...]
    has_bus: bool
    options: Mapping[str, Setting]
    module: str

    @property
    def is_actuator(self) -> bool:
        return hasattr(self.factory, "parse") and hasattr(self.factory, "set")

    @property
    def is_stream(self) -> bool:
        return hasattr(self.factory, "receive")

    def create(self, bus: object, options: Mapping[str, Any]) -> Sensor | Stream | Actuator:
        """A device on this bus, which may be None if `has_bus` is False. OptionError."""
        device: Sensor | Stream | Actuator
        device = self.factory(bus, **options) if self.has_bus else self.factory(**options)
        return device

    def constant(self, name: str) -> Any:
        """A constant of the driver's module, None if it has no such constant."""
        return getattr(sys.modules[self.module], name, None)


def find(name: str) -> Driver:
    """The driver of this name. DriverUnknown, DriverUnusable."""
    folder = _folder_of(name)
    if folder:
        driver = _from_module(name, folder)
        if driver is not None:
            return driver
    for entry_point in _entry_points():
        if entry_point.name == name:
            return _from_entry_point(entry_point)
    raise DriverUnknown(name, nearest(name, names()) or "`tidegate drivers` lists them")


def names() -> list[str]:
    """The names of all drivers, those that cannot be loaded among them. Imports them."""
    return [name for name, _ in everything()]


def everything() -> Iterator[tuple[str, Driver | DriverUnusable]]:
    """All drivers by folder and name, then those of other distributions. Imports them."""
    import pkgutil  # for listings and the error path only

    for folder in FOLDERS:
        if importlib.util.find_spec(f"drivers.{folder}") is None:
            continue
        package = importlib.import_module(f"drivers.{folder}")
        for name in sorted(module.name for module in pkgutil.iter_modules(package.__path__)):
            driver = _or_reason(_from_module, name, folder)
            if driver is not None:
                yield name, driver
    for entry_point in _entry_points():
        driver = _or_reason(_from_entry_point, entry_point)
        if driver is not None:
            yield entry_point.name, driver


def has_chip(name: str) -> bool:
    """Whether a bus of kind simulated-i2c can have such a chip."""
    return importlib.util.find_spec(f"drivers.simulated.{name}") is not None


def _or_reason(load: Callable[..., Driver | None], *args: Any) -> Driver | DriverUnusable | None:
    try:
        return load(*args)
    except DriverUnusable as error:
        return error


def _folder_of(name: str) -> str:
    if not _NAME.fullmatch(name):
        return ""
    for folder in FOLDERS:
        if importlib.util.find_spec(f"drivers.{folder}") is None:
            continue
        if importlib.util.find_spec(f"drivers.{folder}.{name}") is not None:
            return folder
    return ""


def _from_module(name: str, folder: str) -> Driver | None:
    """None for a module without DRIVER: what the drivers of a folder share."""
    try:
        module = importlib.import_module(f"drivers.{folder}.{name}")
    except ImportError as error:
        raise DriverUnusable(name, str(error), _advice(error)) from error
    factory = getattr(module, "DRIVER", None)
    return None if factory is None else describe(name, factory, folder)


def _from_entry_point(entry_point: Any) -> Driver:
    try:
        factory = entry_point.load()
    except (ImportError, AttributeError) as error:
        raise DriverUnusable(entry_point.name, str(error), _advice(error)) from error
    return describe(entry_point.name, factory, "")


def _entry_points() -> list[Any]:
    # Imported here: it loads the e-mail parser, which a gateway of our own drivers never needs.
    from importlib.metadata import entry_points

    return sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name)


def describe(name: str, factory: type, folder: str) -> Driver:
    """What a driver class says of itself. DriverUnusable where it does not keep the contract."""
    try:
        bus, options = arguments_of(factory)
    except NameError as error:
        raise DriverUnusable(
            name, f"its constructor's types cannot be read: {error}", "a mistake in the driver"
        ) from error
    kinds = _bus_kinds(name, bus, folder)
    text = sys.modules[factory.__module__].__doc__ or factory.__doc__ or ""
    summary = text.strip().split("\n", 1)[0].removesuffix(".")
    return Driver(name, summary, factory, kinds, bus is not None, options, factory.__module__)


def _bus_kinds(name: str, bus: Any, folder: str) -> tuple[str, ...]:
    if bus is None:
        return ("onewire", "host") if folder == "onewire" else ("host",)
    contract = getattr(bus, "__name__", str(bus))
    if contract not in _BUS_KINDS:
        raise DriverUnusable(
            name,
            f"its constructor takes a {contract}, which is no bus",
            f"the first argument is one of {', '.join(_BUS_KINDS)}",
        )
    return _BUS_KINDS[contract]


def _advice(error: Exception) -> str:
    missing = getattr(error, "name", None)
    if missing and not missing.startswith(("drivers.", "gateway.")):
        return f"install the Python library {missing}"
    return "a mistake in the driver"
