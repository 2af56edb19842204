"""Readings as `read` and `decode` print them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from drivers.base import Channel, Quality, Reading
from drivers.quantities import unit_of


def units_of(channels: Iterable[Channel]) -> dict[str, str]:
    """Channel name to unit. KeyError for a quantity that the table lacks: a driver's mistake."""
    return {channel.name: unit_of(channel.quantity) for channel in channels}


def as_object(reading: Reading, units: Mapping[str, str]) -> dict[str, Any]:
    """For JSON. A channel that the driver cannot name beforehand brings its quantity with it;
    quality is left out where it is good."""
    listed = units.get(reading.channel, "")
    found: dict[str, Any] = {
        "channel": reading.channel,
        "value": reading.value,
        "unit": unit_of(reading.quantity) if reading.quantity else listed,
    }
    if reading.code:
        found["code"] = reading.code
    if reading.quality is not Quality.GOOD:
        found["quality"] = reading.quality.value
    return found
