"""`tidegate replay` of an I2C or SPI capture: the real driver on recorded transfers."""

from __future__ import annotations

import json
import sys
from collections.abc import Generator
from typing import Any

from drivers.base import Actuator, DriverError, Reading, Sensor, Stream
from gateway.attached import steps_of
from gateway.catalog import DriverUnknown, DriverUnusable, find
from gateway.cli.readings import as_object, units_of
from gateway.cli.transactions import NoTransfers, Played, Player, parsed
from gateway.config_report import ConfigErrors, Place, Report
from gateway.config_values import read_settings


def play(text: str) -> int:
    """Prints the readings of each look; 1 if the driver did something else than was recorded."""
    try:
        device, transfers = parsed(text)
        driver = find(device["driver"])
        report = Report("capture", [], {}, device)
        options = read_settings(driver.options, device["options"], Place(report, ("options",)))
        report.raise_errors()
        player = Player(transfers)
        made = driver.create(player, options)
    except (NoTransfers, DriverUnknown, DriverUnusable, ConfigErrors, KeyError) as error:
        print(f"not to be played: {error}", file=sys.stderr)
        return 1
    if isinstance(made, Actuator | Stream):
        print("not to be played: only sensors are", file=sys.stderr)
        return 1
    return _looks(made, player)


def _looks(made: Sensor, player: Player) -> int:
    units = units_of(made.channels)
    started = False
    while player.next is not None:
        try:
            if not started:
                _at_once(steps_of(made.start()))
                started = True
                continue
            readings = _at_once(steps_of(made.read()))
        except Played as error:
            print(error, file=sys.stderr)
            return 1
        except DriverError as error:  # as recorded: a gateway starts the device again after it
            started = False
            print(json.dumps({"error": f"{type(error).__name__}: {error}"}, ensure_ascii=False))
            continue
        print(json.dumps(_told(readings, units), ensure_ascii=False))
    return 0


def _told(readings: list[Reading], units: dict[str, str]) -> dict[str, Any]:
    return {"readings": [as_object(reading, units) for reading in readings]}


def _at_once(steps: Generator[float, None, Any]) -> Any:
    """Without the waits: a capture does not need the chip's time."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
