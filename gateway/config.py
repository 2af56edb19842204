"""The configuration file -> settings. Every error is found before one is raised.

TOML is read once, here; everything behind it trusts the values (`settings.py` has them, with
their types and limits). A driver's options come from the driver itself (`catalog.py`).
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from gateway.config_check import check_alarms, check_buses, check_devices, check_gateway
from gateway.config_commanders import check_commanders
from gateway.config_devices import Configured, read_device
from gateway.config_lines import positions
from gateway.config_outputs import check_outputs
from gateway.config_people import check_people
from gateway.config_profile import with_profile
from gateway.config_report import ConfigErrors, Place, Problem, Report
from gateway.config_upstream import check_batches, check_linger, check_upstream
from gateway.config_values import INVALID, read_fields, refuse_unknown, substitute
from gateway.settings import (
    AlarmSettings,
    BusSettings,
    CommanderSettings,
    GatewaySettings,
    LoadBudgetSettings,
    OutboxSettings,
    Settings,
    SiteSettings,
    UpstreamSettings,
)
from gateway.settings_people import PeopleSettings

if TYPE_CHECKING:
    from gateway.settings_rules import RuleSettings

__all__ = ["ConfigErrors", "Loaded", "Problem", "load", "parse"]

T = TypeVar("T")

TABLES = {
    "gateway": GatewaySettings,
    "upstream": UpstreamSettings,
    "outbox": OutboxSettings,
    "site": SiteSettings,
}
ARRAYS = ("bus", "device", "alarm", "load_budget", "rule", "commander", "people")

_TOML_ERROR = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)


class Loaded(NamedTuple):
    """The settings of a file that can be used, and what is doubtful in it."""

    settings: Settings
    warnings: tuple[Problem, ...]


def load(path: str | os.PathLike[str], env: Mapping[str, str] = os.environ) -> Loaded:
    """Read a file; env is for `${NAME}`. ConfigErrors holds everything that is wrong."""
    file = os.fspath(path)
    try:
        with open(file, "rb") as stream:
            data = stream.read()
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigErrors([Problem(file, 0, 0, "", reason, _file_hint(error))]) from error
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problem = Problem(file, line, 0, "", "is not UTF-8 text", "save the file as UTF-8")
        raise ConfigErrors([problem]) from error
    return parse(text, file, env)


def parse(text: str, file: str, env: Mapping[str, str] = os.environ) -> Loaded:
    """As `load`, of a text; file is the name that the errors give."""
    text = text.replace("\r\n", "\n")
    raw = _toml(text, file)
    report = Report(file, text.split("\n"), positions(text), raw)
    root = Place(report)
    document = with_profile(substitute(raw, env, root))
    refuse_unknown(document, [*TABLES, *ARRAYS], root)
    tables = {
        name: read_fields(cls, document.get(name, {}), root.at(name))
        for name, cls in TABLES.items()
    }
    buses = _read_tables(BusSettings, "bus", document, root)
    devices = _read_devices(document, root)
    alarms = _read_tables(AlarmSettings, "alarm", document, root)
    check_alarms(alarms)
    budgets = _read_tables(LoadBudgetSettings, "load_budget", document, root)
    check_outputs(devices, budgets)
    rules = _read_rules(document, root)
    commanders = _read_tables(CommanderSettings, "commander", document, root)
    check_commanders(tables["gateway"], devices, commanders, root)
    people = _read_tables(PeopleSettings, "people", document, root)
    check_people(people, [device.settings for device in devices], tables["upstream"])
    _check(tables, buses, devices, document, root)
    if rules or "site" in document:
        # Only where they are used: what rules need is not in the memory of a house without them.
        from gateway.config_conditions import Around
        from gateway.config_rules import check_rules

        check_rules(rules, Around(tables["gateway"], tables["site"], devices, root.at("site")))
    report.raise_errors()
    settings = Settings(
        **tables,
        bus=tuple(bus for bus, _ in buses),
        device=tuple(device.settings for device in devices),
        alarm=tuple(alarm for alarm, _ in alarms),
        load_budget=tuple(budget for budget, _ in budgets),
        rule=tuple(rule for rule, _ in rules),
        commander=tuple(commander for commander, _ in commanders),
        people=tuple(group for group, _ in people),
    )
    return Loaded(settings, report.warnings)


def _check(
    tables: Mapping[str, Any],
    buses: list[tuple[BusSettings, Place]],
    devices: list[Configured],
    document: Mapping[str, Any],
    root: Place,
) -> None:
    if tables["gateway"] is not INVALID:
        check_gateway(tables["gateway"], root.at("gateway"))
    if tables["upstream"] is not INVALID:
        check_upstream(tables["upstream"], root.at("upstream"))
        if tables["outbox"] is not INVALID:
            check_batches(tables["upstream"], tables["outbox"], root)
            check_linger(tables["upstream"], tables["outbox"], root)
    check_buses(buses)
    named = [table.get("name") for table in document.get("bus", []) if isinstance(table, dict)]
    check_devices(devices, {bus.name: bus for bus, _ in buses}, named)


def _read_tables(
    cls: type[T], name: str, document: Mapping[str, Any], root: Place
) -> list[tuple[T, Place]]:
    found = []
    for index, table in enumerate(_array(document, name, root)):
        place = root.at(name, index)
        settings = read_fields(cls, table, place)
        if settings is not INVALID:
            found.append((settings, place))
    return found


def _read_rules(document: Mapping[str, Any], root: Place) -> Sequence[tuple[RuleSettings, Place]]:
    if "rule" not in document:
        return ()
    from gateway.settings_rules import RuleSettings  # a house without rules does not load them

    return _read_tables(RuleSettings, "rule", document, root)


def _read_devices(document: Mapping[str, Any], root: Place) -> list[Configured]:
    tables = enumerate(_array(document, "device", root))
    devices = (read_device(table, root.at("device", index)) for index, table in tables)
    return [device for device in devices if device is not None]


def _array(document: Mapping[str, Any], name: str, root: Place) -> list[Any]:
    array = document.get(name, [])
    if isinstance(array, list):
        return array
    root.at(name).error("must be a list of tables", f"write [[{name}]], with two brackets")
    return []


def _toml(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigErrors([_syntax_error(str(error), text, file)]) from error


def _syntax_error(message: str, text: str, file: str) -> Problem:
    lines = text.split("\n")
    match = _TOML_ERROR.fullmatch(message)
    said = match.group(1) if match else message
    if match and match.group(2):
        line, column = int(match.group(2)), int(match.group(3))
    else:
        line, column = len(text.rstrip().split("\n")), 0
    # No source: in a file that cannot be read, nothing says which line holds a secret.
    hint = "a text needs quotes" if said == "Invalid value" else ""
    if line <= len(lines) and re.match(r"\s*[\w.-]+\s*:", lines[line - 1]):
        hint = "TOML writes key = value"
    return Problem(file, line, column, "", f"not valid TOML: {said}", hint)


def _file_hint(error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return "give the path of the configuration, or copy deploy/gateway.toml there"
    if isinstance(error, PermissionError):
        return "run as a user who may read it"
    return ""
