"""Example values of every type that an option may have."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from drivers.base import Channel, I2CBus, Option
from gateway.catalog import describe
from gateway.cli.examples import block, channels, example, toml
from gateway.config_schema import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    pin: Annotated[Literal["a0", "a1"], Option("which")]
    gain: Annotated[float, Option("amplification")] = 1.0


class Converter:
    def __init__(
        self,
        bus: I2CBus,
        *,
        serial: Annotated[str, Option("on the label", example="28-01")],
        inputs: Annotated[Mapping[str, Input], Option("by name")],
    ) -> None:
        self.channels = [Channel(name, "voltage") for name in inputs if inputs[name].pin == "a0"]


@pytest.mark.parametrize(
    ("kind", "note", "expected"),
    [
        (int, Option("x"), 1),
        (int, Option("x", low=300), 300),
        (int, Option("x", choices=(7, 8)), 7),
        (float, Option("x", low=0.5), 1.0),
        (str, Option("x"), "thing"),
        (str, Option("x", example="28-01"), "28-01"),
        (bool, Option("x"), False),
        (Literal["a", "b"], Option("x"), "a"),
        (tuple[float, float], Option("x"), (1.0, 1.0)),
        (tuple[str, ...], Option("x"), ("thing",)),
        (int | None, Option("x"), 1),
        (Mapping[str, int], Option("x"), {"name": 1}),
        (Mapping[str, Input], Option("x"), {"name": {"pin": "a0"}}),
    ],
)
def test_examples(kind: Any, note: Option, expected: Any) -> None:
    assert example(Setting("thing", kind, note, required=True)) == expected


def test_a_driver_with_inner_tables() -> None:
    driver = describe("converter", Converter, "i2c")
    (device,) = tomllib.loads(block(driver))["device"]
    assert (device["serial"], device["inputs"]) == ("28-01", {"name": {"pin": "a0"}})
    assert channels(driver) == [Channel("name", "voltage")]


@pytest.mark.parametrize(
    "value", [1, 1.5, "a\"b\\ü", True, [1, 2], {"a b": 1, "c": {"d": []}}, {}, -0.001, 1e-9]
)  # fmt: skip
def test_toml_reads_back(value: Any) -> None:
    assert tomllib.loads(f"v = {toml(value)}")["v"] == value


def test_addresses_are_hexadecimal() -> None:
    assert toml(0x76, "address") == "0x76"
    assert toml((0x08, 0x76), "address") == "[0x08, 0x76]"
