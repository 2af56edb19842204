"""An I2C bus whose chips are objects: for the demo, the tests and the rig.

A chip is what a real one is to the bus: it takes written bytes and gives bytes to a read, and
raises NoAnswer where it does not acknowledge. A module drivers/simulated/NAME.py holds one chip as
CHIP, made without arguments; configuration calls it NAME@ADDRESS.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import drivers.simulated
from drivers.base import BusFault, NoAnswer, OptionError
from drivers.simulated.signals import warmed

ADDRESSES = range(0x08, 0x78)
"""7-bit addresses that are not reserved (I2C-bus specification UM10204, 3.1.12)."""


class Chip(Protocol):
    def write(self, data: bytes) -> None: ...

    def read(self, count: int) -> bytes: ...


class Multiplexer(ABC):
    """A chip with buses behind it."""

    @abstractmethod
    def behind(self, address: int) -> list[Chip]:
        """The chips at this address on the channels that are connected."""


class SimulatedI2CBus:
    """An I2CBus with chips by address. Chips may be added and removed at any time."""

    def __init__(self, chips: Mapping[int, Chip]) -> None:
        self.chips = dict(chips)

    def read(self, address: int, count: int) -> bytes:
        return self._chip(address).read(count)

    def write(self, address: int, data: bytes) -> None:
        self._chip(address).write(data)

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        chip = self._chip(address)
        chip.write(data)
        return chip.read(count)

    def close(self) -> None:
        pass

    def _chip(self, address: int) -> Chip:
        found = [self.chips[address]] if address in self.chips else []
        for chip in self.chips.values():
            if isinstance(chip, Multiplexer):
                found += chip.behind(address)
        if not found:
            raise NoAnswer(f"no answer at 0x{address:02x} on the simulated bus")
        if len(found) > 1:
            raise BusFault(f"two chips answer at 0x{address:02x}")
        return found[0]


class Registers:
    """A chip of byte registers with a pointer that counts up, as most sensors have.

    `written` is called after each byte a master writes.
    """

    def __init__(self, registers: Mapping[int, bytes]) -> None:
        self.memory = bytearray(256)
        self._pointer = 0
        for first, data in registers.items():
            self.memory[first : first + len(data)] = data

    def write(self, data: bytes) -> None:
        if not data:
            return
        self._pointer = data[0]
        for value in data[1:]:
            self.memory[self._pointer] = value
            self.written(self._pointer, value)
            self._pointer = (self._pointer + 1) & 0xFF

    def read(self, count: int) -> bytes:
        self.refresh()
        answer = bytes(self.memory[(self._pointer + i) & 0xFF] for i in range(count))
        self._pointer = (self._pointer + count) & 0xFF
        return answer

    def written(self, register: int, value: int) -> None:
        """What a write to this register does beyond storing the value."""

    def refresh(self) -> None:
        """Bring registers that change by themselves up to date before a read."""


def simulated_bus(specs: Sequence[str], heat: str = "") -> SimulatedI2CBus:
    """A bus with the chips of a configuration: `["bme280@0x76"]`. OptionError says what is not.

    heat: a file with the degrees by which chips whose temperature wanders are warmer; "": none.
    """
    chips: dict[int, Chip] = {}
    for spec in specs:
        name, _, written = spec.partition("@")
        address = _address(spec, written)
        if address in chips:
            raise OptionError(f"chips: {spec!r}: address 0x{address:02x} is taken")
        chips[address] = _new_chip(name)
        temperature = getattr(chips[address], "temperature", None)
        if heat and callable(temperature):
            setattr(chips[address], "temperature", warmed(temperature, Path(heat)))  # noqa: B010
    return SimulatedI2CBus(chips)


def _address(spec: str, written: str) -> int:
    try:
        address = int(written, 0)
    except ValueError:
        raise OptionError(f"chips: {spec!r} is not NAME@ADDRESS, as bme280@0x76") from None
    if address not in ADDRESSES:
        raise OptionError(f"chips: {spec!r}: addresses go from 0x08 to 0x77")
    return address


def _new_chip(name: str) -> Chip:
    names = chip_names()
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}?" if near else "there are: " + ", ".join(names)
        raise OptionError(f"chips: no simulated chip {name!r}; {hint}")
    chip: Chip = importlib.import_module(f"drivers.simulated.{name}").CHIP()
    return chip


def chip_names() -> list[str]:
    """Every module of drivers.simulated that holds a chip."""
    others = {"bus", "commands", "signals", "spi", "words"}
    return sorted(
        module.name
        for module in pkgutil.iter_modules(drivers.simulated.__path__)
        if module.name not in others
    )
