"""TOML values into types, and what is said when they are of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Option
from gateway.config_report import ConfigErrors, Place, Report
from gateway.config_values import INVALID, convert, substitute, with_unit
from gateway.settings import FilterSettings

SECONDS = Option("a time", "s", low=0.5, high=86400)
BYTES = Option("a size", "B", low=1)
PLAIN = Option("a thing")


def converted(value: Any, kind: Any, note: Option = PLAIN) -> Any:
    report = Report("x.toml", [], {}, {})
    found = convert(value, kind, note, Place(report).at("key"))
    report.raise_errors()
    return found


def complaint(value: Any, kind: Any, note: Option = PLAIN, key: str = "key") -> str:
    report = Report("x.toml", [], {}, {})
    assert convert(value, kind, note, Place(report).at(key)) is INVALID
    with pytest.raises(ConfigErrors) as raised:
        report.raise_errors()
    return "; ".join(problem.message for problem in raised.value.errors)


@pytest.mark.parametrize(
    ("value", "kind", "note", "expected"),
    [
        (3, float, PLAIN, 3.0),
        (3, int, PLAIN, 3),
        (0x76, int, Option("address", choices=(0x76, 0x77)), 0x76),
        ("x", str, PLAIN, "x"),
        (True, bool, PLAIN, True),
        ("10s", float, SECONDS, 10.0),
        ("500ms", float, SECONDS, 0.5),
        ("1.5min", float, SECONDS, 90.0),
        ("2 h", float, SECONDS, 7200.0),
        ("1d", float, SECONDS, 86400.0),
        ("30s", int, SECONDS, 30),
        ("64MiB", int, BYTES, 64 << 20),
        ("1GB", int, BYTES, 10**9),
        ("1.5 kB", int, BYTES, 1500),
        ("5", Literal["5", "3.1.1"], PLAIN, "5"),
        (2, Literal[1, 2], PLAIN, 2),
        (["a", "b"], tuple[str, ...], PLAIN, ("a", "b")),
        ([], tuple[str, ...], PLAIN, ()),
        ([1, 2.5], tuple[float, float], PLAIN, (1.0, 2.5)),
        ({"17": 2}, Mapping[str, float], PLAIN, {"17": 2.0}),
        ("a", str | tuple[str, ...], PLAIN, "a"),
        (["a"], str | tuple[str, ...], PLAIN, ("a",)),
        (3, float | None, PLAIN, 3.0),
        (False, bool | int | float | str | None, PLAIN, False),
        (1, bool | int | float | str | None, PLAIN, 1),
        (["refresh"], tuple[str, ...], Option("x", choices=("refresh",)), ("refresh",)),
    ],
)
def test_conversions(value: Any, kind: Any, note: Option, expected: Any) -> None:
    found = converted(value, kind, note)
    assert (type(found), found) == (type(expected), expected)


def test_tables_become_dataclasses() -> None:
    found = converted({"load": {"deadband": 1, "max_silence": "1h"}}, Mapping[str, FilterSettings])
    assert found == {"load": FilterSettings(deadband=1.0, max_silence=3600.0)}


@pytest.mark.parametrize(
    ("value", "kind", "note", "message"),
    [
        ("10", float, PLAIN, 'must be a number, not "10"'),
        (True, float, PLAIN, "must be a number, not true"),
        (True, int, PLAIN, "must be a whole number, not true"),
        (1.5, int, PLAIN, "must be a whole number, not 1.5"),
        (1, bool, PLAIN, "must be true or false, not 1"),
        (5, str, PLAIN, "must be a text, not 5"),
        ("soon", float, SECONDS, 'must be a duration (10, "10s", "5min"), not "soon"'),
        ("10m", float, SECONDS, 'must be a duration (10, "10s", "5min"), not "10m"'),
        ("2d", float, SECONDS, 'must be from 0.5 to 86400 s, not "2d"'),
        ("1.0001s", int, SECONDS, 'must be a duration (10, "10s", "5min"), not "1.0001s"'),
        (0, int, BYTES, "must be at least 1 B, not 0"),
        (float("nan"), float, PLAIN, "must be a finite number, not nan"),
        (float("inf"), float, Option("x", low=0), "must be at least 0, not inf"),
        ("6", Literal["5", "3.1.1"], PLAIN, 'must be "5" or "3.1.1", not "6"'),
        (True, Literal[0, 1, 2], PLAIN, "must be 0, 1 or 2, not true"),
        ("a", tuple[str, ...], PLAIN, 'must be a list of texts, not "a"'),
        ([1], tuple[str, ...], PLAIN, "must be a text, not 1"),
        ([1, "b", 2], tuple[str, ...], PLAIN, "must be a text, not 1; must be a text, not 2"),
        ([1], tuple[float, float], PLAIN, "must be a list of 2, not of 1"),
        (1, str | tuple[str, ...], PLAIN, "must be a text or a list of texts, not 1"),
        ({"load": 5}, Mapping[str, FilterSettings], PLAIN, "must be a table, not 5"),
        ([], Mapping[str, float], PLAIN, "must be a table, not a list"),
        ("x" * 90, int, PLAIN, f'must be a whole number, not "{"x" * 55}...'),
    ],
)
def test_complaints(value: Any, kind: Any, note: Option, message: str) -> None:
    assert complaint(value, kind, note) == message


def test_an_address_is_shown_as_i2cdetect_shows_it() -> None:
    note = Option("I2C address", choices=(0x76, 0x77))
    assert complaint(0x50, int, note, "address") == "must be 0x76 or 0x77, not 0x50"
    note = Option("I2C address", low=0x08, high=0x77)
    assert complaint(0x80, int, note, "address") == "must be from 0x08 to 0x77, not 0x80"


def test_a_secret_is_never_shown() -> None:
    report = Report("x.toml", ["key = 12345"], {("key",): (1, 1)}, {"key": 12345})
    convert(12345, str, PLAIN, Place(report).at("key", secret=True))
    with pytest.raises(ConfigErrors) as raised:
        report.raise_errors()
    assert "12345" not in repr(raised.value.errors)


@given(st.integers(0, 10**6), st.sampled_from(["ms", "s", "min", "h", "d"]))
def test_durations_scale(number: int, unit: str) -> None:
    scale = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}[unit]
    assert with_unit(f"{number}{unit}", "s", None) == pytest.approx(number * scale)
    assert with_unit(f"{number}{unit}", "B", None) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
       st.sampled_from([float, int, str, bool, Literal[1, "a"], tuple[int, ...], float | None,
                        Mapping[str, int], FilterSettings, str | tuple[str, ...]]),
       st.sampled_from([PLAIN, SECONDS, BYTES]))  # fmt: skip
def test_anything_is_converted_or_complained_about(value: Any, kind: Any, note: Option) -> None:
    report = Report("x.toml", [], {}, {})
    if convert(value, kind, note, Place(report).at("key")) is INVALID:
        with pytest.raises(ConfigErrors):
            report.raise_errors()


def substituted(value: Any, **env: str) -> Any:
    report = Report("x.toml", [], {}, {})
    found = substitute(value, env, Place(report).at("key"))
    report.raise_errors()
    return found


def test_the_environment_goes_into_texts() -> None:
    assert substituted("mqtts://${HOST}:8883", HOST="h") == "mqtts://h:8883"
    assert substituted({"a": ["${A}", 1]}, A="x") == {"a": ["x", 1]}
    assert substituted("${A:-b}") == "b"
    assert substituted("${A:-b}", A="") == ""
    assert substituted("${A:-}") == ""
    assert substituted("$${A} $A ${B}", B="${A}") == "${A} $A ${A}"


@pytest.mark.parametrize("text", ["${NOPE}", "${}", "${1A}", "${A-b}", "a${A"])
def test_what_cannot_be_substituted_is_an_error(text: str) -> None:
    report = Report("x.toml", [], {}, {})
    assert substitute(text, {"A": "a"}, Place(report).at("key")) is INVALID
    with pytest.raises(ConfigErrors):
        report.raise_errors()
