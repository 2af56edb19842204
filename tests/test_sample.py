"""deploy/gateway.toml is what it says it is: it loads, is complete, and shows the real defaults."""

from __future__ import annotations

import copy
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from gateway import catalog
from gateway.cli.schema import schema
from gateway.config import TABLES, Loaded, load, parse
from gateway.config_report import Place, Report
from gateway.config_schema import Setting, fields_of
from gateway.config_values import convert
from gateway.settings import DeviceSettings, FilterSettings, OutputSettings

DEPLOY = Path(__file__).parent.parent / "deploy"
SAMPLE = DEPLOY / "gateway.toml"
SCHEMA = DEPLOY / "gateway.schema.json"

COMMENTED = re.compile(r"#(\w+) = (.+)")
HEADER = re.compile(r"\[+([\w.]+)\]+")
HOST = catalog.find("host").options
DEVICE: Mapping[str, Setting] = {**fields_of(DeviceSettings), **HOST}
KNOWN: dict[str, Mapping[str, Setting]] = {
    **{name: fields_of(cls) for name, cls in TABLES.items()},
    "device": DEVICE,
    "device.filter.load": fields_of(FilterSettings),
}


def text() -> tuple[str, str]:
    """The file down to the examples, and the examples."""
    whole, _, examples = SAMPLE.read_text().partition("# Examples follow.")
    return whole, examples


def defaults() -> Iterator[tuple[str, str, str]]:
    """Table, key and value of every option that is commented out."""
    table = ""
    for line in text()[0].splitlines():
        if header := HEADER.fullmatch(line):
            table = header.group(1)
        elif match := COMMENTED.fullmatch(line):
            yield table, match.group(1), match.group(2)


def default_of(setting: Setting, written: str) -> Any:
    """The value as the configuration would read it."""
    value = tomllib.loads(f"v = {written}")["v"]
    report = Report("", [], {}, {})
    found = convert(value, setting.type, setting.note, Place(report).at(setting.name))
    report.raise_errors()
    return found


def loaded(extra: str = "") -> Loaded:
    return parse(text()[0] + extra, "gateway.toml", {})


def test_it_loads() -> None:
    settings, warnings = load(SAMPLE, {})
    assert (warnings, [device.name for device in settings.device]) == ((), ["host"])


@pytest.mark.parametrize(("table", "key", "written"), list(defaults()))
def test_commented_options_show_their_default(table: str, key: str, written: str) -> None:
    setting = KNOWN[table][key]
    assert default_of(setting, written) == setting.default


def test_every_option_is_there() -> None:
    document = tomllib.loads(text()[0])
    prose = set(re.findall(r"\w+", "".join(re.findall(r"^# .*\n", text()[0], re.MULTILINE))))
    host = document["device"][0]
    there = {
        **{name: document[name] for name in TABLES},
        "device": {**host, "filter": None},
        "device.filter.load": host["filter"]["load"],
    }
    for table, known in KNOWN.items():
        shown = set(there[table]) | {key for at, key, _ in defaults() if at == table}
        # What has no default is explained in words.
        unset = {key for key in known if known[key].default is None and key in prose}
        assert shown | unset == set(known), table


def test_every_example_loads_and_every_key_of_an_output_is_shown() -> None:
    blocks = re.findall(r"(?:^#(?:[\[\w].*)?\n)+", text()[1], re.MULTILINE)
    blocks = [block for block in blocks if "[[" in block]
    assert len(blocks) >= 3
    settings, warnings = loaded("".join(re.sub("^#", "", b, flags=re.MULTILINE) for b in blocks))
    assert [warning.path for warning in warnings] == ["device[pump].interlock"]
    shown = re.findall(r"^#(\w+) = ", blocks[-1], re.MULTILINE)
    assert set(fields_of(OutputSettings)) <= set(shown)
    assert settings.device[-1].output is not None


def test_the_schema_for_editors_is_up_to_date() -> None:
    drivers = [d for _, d in catalog.everything() if isinstance(d, catalog.Driver)]
    made = json.loads(json.dumps(schema(drivers)))
    assert json.loads(SCHEMA.read_text()) == made, "`make schema` writes it anew"


def test_the_schema_accepts_the_sample_and_refuses_mistakes() -> None:
    validator = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    validator.check_schema(validator.schema)
    document = tomllib.loads(SAMPLE.read_text())
    assert list(validator.iter_errors(document)) == []
    for path, value in [
        (("gateway", "id"), 5),
        (("upstream", "windoww"), 5),
        (("upstream", "window"), 0),
        (("outbox", "size"), "64 elephants"),
        (("device", 0, "driver"), "hots"),
        (("device", 0, "interval"), "10 fortnights"),
        (("device", 0, "dsk"), "/"),
        (("device", 0, "name"), "A B"),
        (("device", 0, "filter", "load", "deadbnd"), 1),
    ]:
        wrong = copy.deepcopy(document)
        here: Any = wrong
        for step in path[:-1]:
            here = here[step]
        here[path[-1]] = value
        assert list(validator.iter_errors(wrong)), path
