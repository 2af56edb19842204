"""The 40-pin header of a Raspberry Pi, and who uses which pin in a configuration. Pure.

Raspberry Pi documentation, "GPIO and the 40-pin header"; "BCM2835 ARM Peripherals", 6.2 (pulls at
power-up).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.catalog import find
from gateway.settings import BusSettings, DeviceSettings, Settings

POWER = {
    1: "3V3", 2: "5V", 4: "5V", 6: "GND", 9: "GND", 14: "GND", 17: "3V3", 20: "GND", 25: "GND",
    30: "GND", 34: "GND", 39: "GND",
}  # fmt: skip

GPIO = {
    2: 3, 3: 5, 4: 7, 17: 11, 27: 13, 22: 15, 10: 19, 9: 21, 11: 23, 0: 27, 5: 29, 6: 31, 13: 33,
    19: 35, 26: 37, 14: 8, 15: 10, 18: 12, 23: 16, 24: 18, 25: 22, 8: 24, 7: 26, 1: 28, 12: 32,
    16: 36, 20: 38, 21: 40,
}  # fmt: skip
"""GPIO number to pin of the header."""

PULLED_UP = range(9)
"""GPIO0 to GPIO8 come up with a pull-up, the others with a pull-down."""

BUSES: tuple[tuple[str, dict[int, str]], ...] = (
    # what `device` matches, and the function of each GPIO
    (r"/dev/i2c-1", {2: "SDA", 3: "SCL"}),
    (r"/dev/i2c-0", {0: "SDA", 1: "SCL"}),
    (r"/dev/spidev0\.\d", {10: "MOSI", 9: "MISO", 11: "SCLK"}),
    (r"/dev/spidev0\.0", {8: "CE0"}),
    (r"/dev/spidev0\.1", {7: "CE1"}),
    (r"/dev/spidev1\.\d", {20: "MOSI", 19: "MISO", 21: "SCLK"}),
    (r"/dev/spidev1\.0", {18: "CE0"}),
    (r"/dev/spidev1\.1", {17: "CE1"}),
    (r"/dev/spidev1\.2", {16: "CE2"}),
    (r"/dev/(serial0|ttyAMA0|ttyS0)", {14: "TXD", 15: "RXD"}),
)

W1_DEFAULT = 4
"""Where dtoverlay=w1-gpio puts the bus unless it says gpiopin=N."""

HEADER_CONTROLLERS = ("", "lgpio", "mock")


@dataclass(frozen=True, slots=True)
class Use:
    """What a GPIO of the header is used for: `key` of a device, or a bus's line."""

    gpio: int
    what: str
    who: str
    kind: str
    note: str = ""
    shared: str = ""
    """Uses with the same text here are one: the clock of two chip selects."""


def uses(settings: Settings) -> list[Use]:
    """Every use of a pin of the header, as far as a configuration tells."""
    buses = {bus.name: bus for bus in settings.bus}
    found = [use for bus in settings.bus for use in _of_bus(bus)]
    for one in settings.bus:
        if one.recover and buses[one.recover].device in HEADER_CONTROLLERS:
            found += _of_recovery(one)
    for device in settings.device:
        bus = buses.get(device.bus)
        if bus is not None and bus.kind == "gpio" and bus.device in HEADER_CONTROLLERS:
            found += _of_device(device)
    return found


def _of_bus(bus: BusSettings) -> Iterator[Use]:
    if bus.kind == "onewire":
        note = "the overlay's gpiopin, if it is another"
        yield Use(W1_DEFAULT, "DQ", bus.name, "onewire", note, shared="1-Wire")
    for pattern, lines in BUSES:
        if bus.kind in ("i2c", "spi", "serial") and re.fullmatch(pattern, bus.device):
            for gpio, what in lines.items():
                common = "" if what.startswith("CE") else pattern
                yield Use(gpio, what, bus.name, bus.kind, shared=common)


def _of_recovery(bus: BusSettings) -> Iterator[Use]:
    for gpio, what in ((bus.sda, "frees SDA"), (bus.scl, "frees SCL")):
        assert gpio is not None
        yield Use(gpio, what, bus.name, "i2c", "330 Ω to the line, for when a chip holds it")


def _of_device(device: DeviceSettings) -> Iterator[Use]:
    output = find(device.driver).is_actuator
    for key, value in device.options.items():
        if key in ("pin", "pins") or key.endswith("_pin"):
            for gpio in _numbers(value):
                pull = "up" if gpio in PULLED_UP else "down"
                note = f"pulled {pull} until the gateway starts" if output else ""
                yield Use(gpio, key, device.name, "output" if output else "input", note)


def _numbers(value: Any) -> Sequence[int]:
    if isinstance(value, Mapping):
        value = list(value.values())
    values = value if isinstance(value, list | tuple) else [value]
    return [number for number in values if isinstance(number, int)]


def clashes(found: Sequence[Use]) -> list[str]:
    """A sentence for each pin that two want."""
    sentences = []
    first: dict[int, Use] = {}
    for use in found:
        other = first.setdefault(use.gpio, use)
        if other is not use and not (use.shared and use.shared == other.shared):
            pin = GPIO[use.gpio]
            sentences.append(
                f"GPIO{use.gpio} (pin {pin}) is wanted twice: {other.who} {other.what}, "
                f"and {use.who} {use.what}"
            )
    return sentences
