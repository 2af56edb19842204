"""Who shares a wire with whom: addresses on an I2C bus, also behind multiplexers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gateway.config_devices import Configured
from gateway.config_report import Place, nearest
from gateway.settings import BusSettings

I2C_KINDS = ("i2c", "simulated-i2c", "i2c-mux")
MUX_KEYS = ("parent", "channel")
LINES = ("sda", "scl")
OWN_PINS = {"/dev/i2c-1": (2, 3), "/dev/i2c-0": (0, 1)}
"""SDA and SCL of the Pi's own buses: as GPIOs they would be taken from the controller."""


def check_multiplexers(buses: Sequence[tuple[BusSettings, Place]]) -> None:
    """A bus of kind i2c-mux names the bus that it hangs on, and a channel that is free."""
    named = {bus.name: bus for bus, _ in buses}
    taken: dict[tuple[str, int, int], str] = {}
    for bus, place in buses:
        if bus.kind != "i2c-mux":
            for key in MUX_KEYS:
                if getattr(bus, key) not in ("", None):
                    place.at(key).error("only a bus of kind i2c-mux has it")
            continue
        _check_parent(bus, named, place.at("parent"))
        if bus.channel is None:
            place.at("channel").error("is missing", "0 to 7: SD0, SC0 to SD7, SC7")
            continue
        other = taken.setdefault((bus.parent, bus.address, bus.channel), bus.name)
        if other != bus.name:
            place.at("channel").error(f'is already that of bus "{other}"')


def check_recovery(buses: Sequence[tuple[BusSettings, Place]]) -> None:
    """`recover` names a bus of kind gpio, and two of its lines that nobody else has."""
    named = {bus.name: bus for bus, _ in buses}
    taken: dict[tuple[str, int], str] = {}
    for bus, place in buses:
        if not bus.recover:
            for key in (key for key in LINES if getattr(bus, key) is not None):
                place.at(key).error("says nothing without recover")
            continue
        pins = named.get(bus.recover)
        if bus.kind != "i2c":
            place.at("recover").error("only a bus of kind i2c is freed by clock pulses")
        elif pins is None or pins.kind != "gpio":
            place.at("recover").error("must name a [[bus]] of kind gpio")
        for key in LINES:
            gpio, where = getattr(bus, key), place.at(key)
            if gpio is None:
                where.error("is missing: the GPIO that is wired to it beside the controller")
            elif gpio in OWN_PINS.get(bus.device, ()):
                hint = "wire a spare GPIO to it"
                where.error(f"GPIO {gpio} is the controller's own pin of {bus.device}", hint)
            else:
                own = f"{key} of bus {bus.name}"
                other = taken.setdefault((bus.recover, gpio), own)
                if other != own:
                    where.error(f"GPIO {gpio} is already {other}")


def recovery_lines(pins: str, buses: Mapping[str, BusSettings]) -> dict[object, str]:
    """GPIO number -> whose it is, of the lines on this bus of kind gpio that free others."""
    freed = [bus for bus in buses.values() if bus.recover == pins]
    return {getattr(bus, key): f"{key} of bus {bus.name}" for bus in freed for key in LINES}


def _check_parent(bus: BusSettings, named: Mapping[str, BusSettings], place: Place) -> None:
    kinds = " or ".join(I2C_KINDS)
    if not bus.parent:
        suitable = sorted(b.name for b in named.values() if b.kind in I2C_KINDS and b is not bus)
        hint = f"there is: {', '.join(suitable)}" if suitable else "add a [[bus]] of kind i2c"
        place.error("is missing: the bus that the multiplexer hangs on", hint)
    elif bus.parent not in named:
        place.error(f'there is no [[bus]] with the name "{bus.parent}"', nearest(bus.parent, named))
    elif named[bus.parent].kind not in I2C_KINDS:
        place.error(f"must be of kind {kinds}")
    elif bus in chain(named[bus.parent], named)[:-1] or bus.parent == bus.name:
        place.error("hangs on itself")


def chain(bus: BusSettings, named: Mapping[str, BusSettings]) -> list[BusSettings]:
    """The bus, and those that it hangs on, up to the adapter."""
    found = [bus]
    while found[-1].kind == "i2c-mux" and found[-1].parent in named:
        parent = named[found[-1].parent]
        found.append(parent)
        if parent in found[:-1]:
            break
    return found


def root(name: str, named: Mapping[str, BusSettings]) -> str:
    """The bus at whose adapter this one ends: what hangs on one adapter takes turns on it."""
    return chain(named[name], named)[-1].name if name in named else name


def check_addresses(
    devices: Sequence[Configured],
    buses: Mapping[str, BusSettings],
    option: Callable[[Configured, str], object],
) -> None:
    """No two chips answer to one address at one time. What is behind a channel is connected
    together with everything on the buses that the multiplexer hangs on."""
    seen: list[tuple[Configured, object]] = []
    for device in devices:
        address = option(device, "address")
        if address is None or not device.settings.bus:
            continue
        for other, its in seen:
            if its == address and _meet(device, other, buses) and not _share(device, other, option):
                _clash(device, address, f'that of "{other.settings.name}"')
                break
        else:
            _check_against_multiplexers(device, address, buses)
        seen.append((device, address))


def check_selects(devices: Sequence[Configured], buses: Mapping[str, BusSettings]) -> None:
    """A chip select is one chip's."""
    first: dict[str, Configured] = {}
    for device in devices:
        bus = buses.get(device.settings.bus)
        if bus is not None and bus.kind == "spi":
            other = first.setdefault(bus.name, device)
            if other is not device:
                device.place.at("bus").error(
                    f'{bus.device} is already that of "{other.settings.name}"',
                    "a chip select has one chip; /dev/spidev0.1 is the next",
                )


def _clash(device: Configured, address: object, whose: str) -> None:
    shown = f"0x{address:02x}" if isinstance(address, int) else f"{address}"
    place = device.place.at("address")
    place.error(f"{shown} on bus {device.settings.bus} is {whose}")


def _meet(one: Configured, other: Configured, buses: Mapping[str, BusSettings]) -> bool:
    """Whether both are connected at one time: one's bus is the other's, or leads to it."""
    first, second = one.settings.bus, other.settings.bus
    if first == second:
        return True
    if first not in buses or second not in buses:
        return False
    return buses[second] in chain(buses[first], buses) or buses[first] in chain(
        buses[second], buses
    )


def _share(one: Configured, other: Configured, option: Callable[[Configured, str], object]) -> bool:
    """Inputs and outputs of one expander are devices of their own, on pins of their own."""
    chips = {
        getattr(device.driver and device.driver.factory, "SHARES", "") for device in (one, other)
    }
    if len(chips) != 1 or chips == {""}:
        return False
    theirs = pins_of(other, option)
    for key in ("pin", "pins"):
        for pin in _listed(option(one, key)):
            if pin in theirs:
                one.place.at(key).error(f'pin {pin} is already that of "{other.settings.name}"')
                return True
    return True


def pins_of(device: Configured, option: Callable[[Configured, str], object]) -> set[object]:
    return {*_listed(option(device, "pin")), *_listed(option(device, "pins"))}


def _listed(value: object) -> list[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, tuple):
        return list(value)
    return [] if value is None else [value]


def _check_against_multiplexers(
    device: Configured, address: object, buses: Mapping[str, BusSettings]
) -> None:
    bus = buses.get(device.settings.bus)
    if bus is None or bus.kind not in I2C_KINDS:
        return
    for mux in buses.values():
        hangs_here = mux.kind == "i2c-mux" and mux.parent in {b.name for b in chain(bus, buses)}
        if hangs_here and mux.address == address:
            _clash(device, address, f"that of the multiplexer of bus {mux.name}")
            return
