"""Pure: the words and numbers that an output's command may be."""

from __future__ import annotations

import math

from drivers.base import Value

_SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


def switch(value: Value) -> bool:
    """on or off. ValueError says so."""
    wanted = _SWITCH.get(str(value).strip().lower())
    if wanted is None:
        raise ValueError("on or off (true or false, 1 or 0)")
    return wanted


def number(value: Value) -> float | None:
    """The number that a value is, as 40, "40" or "40 %"; None if it is none. A bool is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        try:
            value = float(value.strip().removesuffix("%").strip())
        except ValueError:
            return None
    return float(value) if math.isfinite(value) else None


def percent(value: Value, low: str, high: str) -> float:
    """0 to 100, where the words low and high, or off and on, mean the ends. ValueError."""
    ends = {low: 0.0, "off": 0.0, "false": 0.0, high: 100.0, "on": 100.0, "true": 100.0}
    found = ends.get(str(value).strip().lower())
    if found is None:
        found = number(value)
    if found is None or not 0.0 <= found <= 100.0:
        raise ValueError(f"a number from 0 to 100, {low} or {high}")
    return found
