"""What an output's command may say, shared by the outputs of this family."""

from __future__ import annotations

import math

from drivers.base import Value

SWITCH = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}


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
