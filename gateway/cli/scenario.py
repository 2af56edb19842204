"""What happens in a simulation, read from CSV or JSON Lines. Pure.

A CSV table has a column `time` and columns `DEVICE.CHANNEL`, `DEVICE.status`, `OUTPUT.set`, `link`,
`clock`; an empty cell changes nothing. A line of JSON has the same keys, or is an entry as the
gateway publishes it, with its `device`.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from gateway.config_values import DURATIONS
from gateway.model import Quality, Reading, Value

QUALITIES = {"bad": Quality.BAD, "uncertain": Quality.UNCERTAIN}
WORDS: dict[str, Value] = {"true": True, "on": True, "false": False, "off": False}
STATES = {"status": ("offline", "online"), "link": ("down", "up"), "clock": ("unset", "set")}
"""What each may be: not so, so."""
HEAD = frozenset({"time", "device", "class", "epoch", "seq", "clock"})
NO_SAMPLE = ("outcome", "cause", "gap_epoch", "text", "record")
"""Fields of the gateway's entries that are not readings."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?) ?(ms|s|min|h|d)?")


class ScenarioError(ValueError):
    """Where and why a scenario cannot be played."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Everything that a line says. at: seconds from the beginning; device to its readings.

    online, link, clock: what changes. wishes: output to the value that a person commands.
    recorded: it is an entry of a gateway, which may have had other devices.
    """

    at: float
    line: int
    readings: Mapping[str, tuple[Reading, ...]]
    online: Mapping[str, bool]
    wishes: Mapping[str, Value]
    link: bool | None = None
    clock: bool | None = None
    recorded: bool = False


@dataclass(frozen=True, slots=True)
class Scenario:
    """start: wall seconds of the first moment; None: it was not said."""

    start: float | None
    moments: tuple[Moment, ...]


def read(text: str, name: str, zone: tzinfo) -> Scenario:
    """name: for errors. zone: of times that do not say theirs. ScenarioError."""
    rows = _json_lines(text, name) if text.lstrip().startswith("{") else _table(text, name)
    moments, start = [], None
    for line, row in rows:
        where = f"{name}:{line}"
        if not isinstance(row.get("time"), str | int | float):
            raise ScenarioError(f'{where}: "time" is missing')
        at, absolute = _time(row["time"], where, zone)
        if absolute and start is None:
            start = at
        moments.append(_moment(at - (start or 0.0) if absolute else at, line, row, where))
    if not moments:
        raise ScenarioError(f"{name}: nothing happens in it")
    return Scenario(start, tuple(sorted(moments, key=lambda moment: moment.at)))


def _table(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(text.splitlines())
    head = reader.fieldnames or []
    if "time" not in head:
        raise ScenarioError(f'{name}:1: a table needs a column "time"')
    for row in reader:
        if None in row:
            raise ScenarioError(f"{name}:{reader.line_num}: more cells than columns")
        cells = {key.strip(): (cell or "").strip() for key, cell in row.items()}
        if any(cells.values()):
            yield reader.line_num, {key: cell for key, cell in cells.items() if cell}


def _json_lines(text: str, name: str) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ScenarioError(f"{name}:{number}: not valid JSON: {error}") from None
        if not isinstance(row, dict):
            raise ScenarioError(f"{name}:{number}: must be an object")
        if not any(field in row for field in NO_SAMPLE):
            yield number, row


def _time(written: str | float, where: str, zone: tzinfo) -> tuple[float, bool]:
    """Seconds, and whether they count from 1970."""
    if match := _DURATION.fullmatch(str(written)):
        return float(match.group(1)) * DURATIONS[match.group(2) or "s"], False
    try:
        moment = datetime.fromisoformat(str(written))
    except ValueError:
        hint = "a duration as 10min, or 2026-11-23T14:00:00Z"
        raise ScenarioError(f"{where}: {written!r} is no time: {hint}") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp(), True


def _moment(at: float, line: int, row: Mapping[str, Any], where: str) -> Moment:
    readings: dict[str, list[Reading]] = {}
    online: dict[str, bool] = {}
    wishes: dict[str, Value] = {}
    for key, cell in _cells(row):
        device, _, channel = key.rpartition(".")
        if not device and key not in ("link", "clock"):
            raise ScenarioError(f"{where}: {key!r} is neither DEVICE.CHANNEL nor link nor clock")
        if channel == "status":
            online[device] = _state("status", cell, where)
        elif channel == "set":
            wishes[device] = _value(cell)
        elif device:
            readings.setdefault(device, []).append(_reading(channel, cell))
    return Moment(
        at,
        line,
        {device: tuple(found) for device, found in readings.items()},
        online,
        wishes,
        _state("link", row["link"], where) if "link" in row else None,
        _state("clock", row["clock"], where) if "clock" in row and "device" not in row else None,
        "device" in row,
    )


def _cells(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    """As `DEVICE.CHANNEL`, whichever way it is written."""
    if "device" not in row:
        return [(key, cell) for key, cell in row.items() if key != "time"]
    qualities = {key for key in row if key.endswith("_quality")}
    return [
        (f"{row['device']}.{key}", row.get(f"{key}_quality") or cell)
        for key, cell in row.items()
        if key not in HEAD and key not in qualities
    ]


def _state(what: str, cell: Any, where: str) -> bool:
    words = STATES[what]
    if cell not in words:
        raise ScenarioError(f"{where}: {what} is {words[0]} or {words[1]}, not {cell!r}")
    return words.index(cell) == 1


def _reading(channel: str, cell: Any) -> Reading:
    if cell is None or cell in QUALITIES:
        return Reading(channel, None, QUALITIES.get(cell, Quality.BAD))
    return Reading(channel, _value(cell))


def _value(cell: Any) -> Value:
    if not isinstance(cell, str):
        value: Value = cell
        return value
    if cell.lower() in WORDS:
        return WORDS[cell.lower()]
    try:
        return float(cell)
    except ValueError:
        return cell
