"""What no single value can tell: names, buses, addresses, pins, and how the broker is reached."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

from gateway.catalog import Driver, has_chip
from gateway.codecs import topics
from gateway.config_devices import Configured
from gateway.config_report import Place, nearest
from gateway.config_wiring import (
    check_addresses,
    check_multiplexers,
    check_recovery,
    check_selects,
    recovery_lines,
)
from gateway.settings import (
    NAME_PATTERN,
    AlarmSettings,
    BusSettings,
    DeviceSettings,
    GatewaySettings,
)

RESERVED = frozenset([*topics.OWN, *topics.NAMED, *topics.OTHERS])
"""Topic levels beside the devices: a device of this name would speak in the gateway's place."""

_PIN_CONTROLLER = re.compile(r"(lgpio|mock|/dev/gpiochip\d+)?")
_HOST_PORT = re.compile(r"\[?[\w.:-]+\]?:\d{1,5}")
_CHIP = re.compile(r"([a-z][a-z0-9_]*)@0x[0-9a-f]{2}")
_NAME_RULE = "small letters, digits, - and _, beginning with a letter or digit, at most 63"


def check_gateway(gateway: GatewaySettings, place: Place) -> None:
    check_name(gateway.id, place.at("id"))
    if not gateway.state.startswith("/"):
        place.at("state").error("must be an absolute path", "such as /var/lib/tidegate")
    if gateway.socket and not gateway.socket.startswith("/"):
        place.at("socket").error("must be an absolute path", "such as /run/tidegate/status.sock")
    if gateway.metrics and not _HOST_PORT.fullmatch(gateway.metrics):
        place.at("metrics").error("must be host:port", "such as 127.0.0.1:9464")


def check_alarms(alarms: Sequence[tuple[AlarmSettings, Place]]) -> None:
    check_unique((alarm.name, place.at("name")) for alarm, place in alarms)
    for alarm, place in alarms:
        check_name(alarm.name, place.at("name"))


def check_buses(buses: Sequence[tuple[BusSettings, Place]]) -> None:
    check_unique((bus.name, place.at("name")) for bus, place in buses)
    devices = [(bus.device, place.at("device")) for bus, place in buses if bus.device]
    check_unique(devices, "is already the device of another bus")
    for bus, place in buses:
        check_name(bus.name, place.at("name"))
        _check_bus(bus, place)
    check_multiplexers(buses)
    check_recovery(buses)


def _check_bus(bus: BusSettings, place: Place) -> None:
    device = place.at("device")
    if bus.kind == "i2c" and not bus.device.startswith("/dev/"):
        device.error('must be the adapter, as "/dev/i2c-1"', "`ls /dev/i2c-*` lists them")
    elif bus.kind == "serial" and not bus.device:
        device.error("must be the port", "`ls /dev/serial/by-id/*` lists names that stay")
    elif bus.kind == "spi" and not re.fullmatch(r"/dev/spidev\d+\.\d+", bus.device):
        device.error('must be bus and chip select, as "/dev/spidev0.0"', "`ls /dev/spidev*`")
    elif bus.kind == "gpio" and not _PIN_CONTROLLER.fullmatch(bus.device):
        hint = "empty: the header of this Pi"
        device.error('must be empty, "lgpio", "mock" or "/dev/gpiochipN"', hint)
    for key in ("chips", "heat"):
        if getattr(bus, key) and bus.kind != "simulated-i2c":
            place.at(key).error(f"only a bus of kind simulated-i2c has {key}")
    if bus.rts and bus.kind != "serial":
        place.at("rts").error("only a bus of kind serial has a line RTS")
    for index, chip in enumerate(bus.chips):
        match = _CHIP.fullmatch(chip)
        if match is None:
            place.at("chips", index).error("must be CHIP@ADDRESS, as bme280@0x76")
        elif not has_chip(match.group(1)):
            place.at("chips", index).error(f"there is no simulated chip {match.group(1)}")
    if bus.pulses and (bus.kind, bus.device) != ("gpio", "mock"):
        place.at("pulses").error('only a bus of kind gpio with device = "mock" makes pulses')
    for pin in bus.pulses:
        if not (pin.isdecimal() and int(pin) <= 27):
            place.at("pulses", pin).error("must be a GPIO number from 0 to 27")


def check_devices(
    devices: Sequence[Configured], buses: Mapping[str, BusSettings], named: Container[object]
) -> None:
    """buses by their names; named has also the names of those that could not be read."""
    check_unique((device.settings.name, device.place.at("name")) for device in devices)
    for device in devices:
        _check_device(device.settings, device)
        _check_bus_of(device, buses, named)
    check_addresses(devices, buses, _option)
    check_selects(devices, buses)
    _check_pins(devices, buses)
    _check_ports(devices)


def _check_device(settings: DeviceSettings, device: Configured) -> None:
    place = device.place
    check_name(settings.name, place.at("name"))
    if settings.name in RESERVED:
        place.at("name").error(f'"{settings.name}" is a topic of the gateway itself')
    if settings.interval == 0 and device.driver is not None and not device.driver.is_stream:
        place.at("interval").error("must be above 0: only a meter that speaks by itself can be 0")


def _check_bus_of(
    device: Configured, buses: Mapping[str, BusSettings], named: Container[object]
) -> None:
    name, place = device.settings.bus, device.place.at("bus")
    kinds = () if device.driver is None else device.driver.bus_kinds
    wanted = " or ".join(kinds)
    if not name:
        if device.driver is not None and device.driver.has_bus:
            suitable = [bus.name for bus in buses.values() if bus.kind in kinds]
            place.error(f"is missing: the driver needs a bus of kind {wanted}", _named(suitable))
    elif name not in named:
        hint = nearest(name, buses) or _named(buses)
        place.error(f'there is no [[bus]] with the name "{name}"', hint)
    elif kinds and name in buses and buses[name].kind not in kinds:
        place.error(f"must be of kind {wanted}, but bus {name} is of kind {buses[name].kind}")


def _check_pins(devices: Sequence[Configured], buses: Mapping[str, BusSettings]) -> None:
    taken: dict[tuple[str, object], tuple[Configured, str]] = {}
    for device in devices:
        bus = buses.get(device.settings.bus)
        if bus is None or bus.kind != "gpio":
            continue
        lines = recovery_lines(bus.name, buses)
        for key, pin in _pins(device):
            if pin in lines:
                device.place.at(key).error(f"GPIO {pin} is already {lines[pin]}")
            other, its_key = taken.setdefault((bus.device, pin), (device, key))
            if (other, its_key) != (device, key):
                whose = f'{its_key} of "{other.settings.name}"'
                device.place.at(key).error(f"GPIO {pin} is already {whose}")


def _pins(device: Configured) -> Iterator[tuple[str, object]]:
    """The options that are GPIO numbers: `pin`, `pins`, `trigger_pin`..."""
    for key in () if device.driver is None else device.driver.options:
        if key in ("pin", "pins") or key.endswith("_pin"):
            value = _option(device, key)
            for pin in value if isinstance(value, tuple) else (value,):
                if pin is not None:
                    yield key, pin


def _check_ports(devices: Sequence[Configured]) -> None:
    """A meter that speaks by itself cannot share its port: nothing says whose bytes they are."""
    first: dict[str, Configured] = {}
    for device in devices:
        bus, driver = device.settings.bus, device.driver
        if driver is None or "serial" not in driver.bus_kinds or not bus:
            continue
        other = first.setdefault(bus, device)
        if other is not device and _either_speaks(driver, other.driver):
            device.place.at("bus").error(
                f'port {bus} is already that of "{other.settings.name}"',
                "a meter that speaks by itself needs a port of its own",
            )


def _either_speaks(driver: Driver, other: Driver | None) -> bool:
    return driver.is_stream or (other is not None and other.is_stream)


def _option(device: Configured, key: str) -> object:
    """The value that the device will have; None where there is none, or a wrong one is written."""
    setting = None if device.driver is None else device.driver.options.get(key)
    if setting is None or key in device.settings.options:
        return device.settings.options.get(key)
    return setting.default if device.place.at(key).written is None else None


def check_name(name: str, place: Place) -> None:
    if not re.fullmatch(NAME_PATTERN, name):
        suggestion = re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:63]
        hint = f'"{suggestion}" would do' if suggestion else ""
        place.error(f"must be {_NAME_RULE}, since it is a topic level", hint)


def check_unique(
    names: Iterable[tuple[str, Place]], message: str = "is the name of another one already"
) -> None:
    seen: set[str] = set()
    for name, place in names:
        if name in seen:
            place.error(f'"{name}" {message}')
        seen.add(name)


def _named(names: Iterable[str]) -> str:
    listed = ", ".join(sorted(names))
    return f"there is: {listed}" if listed else "add a [[bus]]"
