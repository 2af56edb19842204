"""Values, types and limits in the words of an error message or a help text. Pure."""

from __future__ import annotations

import json
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

from drivers.base import Option

_NAMES = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
_PLURALS = {int: "whole numbers", float: "numbers", str: "texts"}


def describe(kind: Any, note: Option, as_hex: bool = False) -> str:
    """The values that there are, in words: `a duration (10, "10s", "5min")`."""
    origin, args = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return " or ".join(describe(a, note, as_hex) for a in args if a is not type(None))
    if origin is Literal:
        return listed(args, as_hex)
    if origin is tuple:
        return f"a list of {_PLURALS[args[0]]}" if args[0] in _PLURALS else "a list"
    if note.choices:
        return listed(note.choices, as_hex)
    if kind in (int, float) and note.unit == "s":
        return 'a duration (10, "10s", "5min")'
    if kind in (int, float) and note.unit == "B":
        return 'a size (65536, "64MiB", "1GB")'
    name = _NAMES.get(kind, "a table")
    return f"{name} in {note.unit}" if note.unit and kind in (int, float) else name


def limits_of(note: Option, as_hex: bool = False) -> str:
    """`from 5 to 3600 s`, `at least 1`, or the empty string."""
    low = "" if note.low is None else number(note.low, as_hex)
    high = "" if note.high is None else number(note.high, as_hex)
    unit = f" {note.unit}" if note.unit else ""
    if low and high:
        return f"from {low} to {high}{unit}"
    if low:
        return f"at least {low}{unit}"
    return f"at most {high}{unit}" if high else ""


def listed(choices: tuple[Any, ...], as_hex: bool = False) -> str:
    """`"auto", "5" or "3.1.1"`."""
    texts = [number(c, as_hex) if type(c) is int else show(c) for c in choices]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def show(value: Any) -> str:
    """A value as TOML writes it, cut where it is long."""
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, bool | str):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 60 else f"{text[:56]}..."
    return f"{value}"


def number(value: float, as_hex: bool) -> str:
    return f"0x{int(value):02x}" if as_hex else f"{value:g}" if abs(value) < 1e6 else f"{value:.0f}"
