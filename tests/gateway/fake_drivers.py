"""Drivers for the tests of the configuration: one of each kind, with options of every type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import pytest

from drivers.base import (
    Action,
    Channel,
    Corrupt,
    I2CBus,
    Option,
    OptionError,
    Reading,
    SerialPort,
    Telegram,
    Value,
)
from gateway import catalog


class Factory:
    """Has the name of gpiozero's pin factory, by which the catalog knows it."""


class Thermometer:
    """A sensor on I2C."""

    channels: Sequence[Channel] = (Channel("temperature", "temperature"),)

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("I2C address", low=0x08, high=0x77)] = 0x40,
        settle: Annotated[float, Option("wait after power-up", "s", low=0, high=10)] = 0.1,
        gain: Annotated[Literal[1, 2, 4], Option("amplification")] = 1,
        label: Annotated[str | None, Option("free text")] = None,
        offsets: Annotated[tuple[float, float], Option("low and high", "°C")] = (0.0, 0.0),
        names: Annotated[Mapping[str, int], Option("numbers by name")] | None = None,
        key: Annotated[str, Option("pairing key", secret=True)] = "",
    ) -> None:
        if settle > 5 and gain > 1:
            raise OptionError("settle above 5 s needs gain 1")

    def start(self) -> None: ...

    def read(self) -> Sequence[Reading]:
        return [Reading("temperature", 21.5)]

    def close(self) -> None: ...


class Meter:
    """A meter that speaks by itself."""

    silence = 15.0
    channels: Sequence[Channel] = (Channel("energy", "energy"),)

    def __init__(self, port: SerialPort, *, speed: Annotated[int, Option("speed", "Bd")]) -> None:
        pass

    def start(self) -> None: ...

    def receive(self) -> Sequence[Telegram | Corrupt]:
        return []

    def fileno(self) -> int | None:
        return None

    def close(self) -> None: ...


class Valve:
    """An output on a GPIO."""

    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "state"),)

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO number", low=0, high=27)],
        sense_pin: Annotated[int | None, Option("GPIO of the end switch", low=0, high=27)] = None,
    ) -> None:
        pass

    def parse(self, value: Value) -> Value:
        states: dict[Value, bool] = {"open": True, "closed": False}
        if value not in states:
            raise ValueError("open or closed")
        return states[value]

    def start(self, value: Value | None) -> None: ...

    def set(self, value: Value) -> None: ...

    def state(self) -> Value:
        return False

    def close(self) -> None: ...


class Clock:
    """Needs no bus."""

    channels: Sequence[Channel] = (Channel("uptime", "duration"),)

    def start(self) -> None: ...

    def read(self) -> Sequence[Reading]:
        return [Reading("uptime", 1.0)]

    def close(self) -> None: ...


DRIVERS = {
    "thermometer": catalog.describe("thermometer", Thermometer, "i2c"),
    "meter": catalog.describe("meter", Meter, "serial"),
    "valve": catalog.describe("valve", Valve, "gpio"),
    "clock": catalog.describe("clock", Clock, "host"),
}


def find(name: str) -> catalog.Driver:
    if name not in DRIVERS:
        raise catalog.DriverUnknown(name, "")
    return DRIVERS[name]


@pytest.fixture
def fake_catalog(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only these drivers exist."""
    monkeypatch.setattr("gateway.catalog.find", find)
