"""What the value information of an M-Bus record stands for: quantity, scale and name. Pure.

EN 13757-3:2013, tables 10 (primary VIF), 12 (extension FB), 14 (extension FD); the M-Bus
documentation 4.8, section 8.4.3 and 8.4.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

MONTH_S = Fraction("2629743.83")
YEAR_S = 31556926
"""A mean month and year, as libmbus takes them: the standard gives them no length."""

KWH_PER_J = Fraction(1, 3_600_000)
W_PER_J_PER_H = Fraction(1, 3600)
M3_PER_CUBIC_FOOT = Fraction("0.028316846592")
M3_PER_US_GALLON = Fraction("0.003785411784")
KELVIN_PER_FAHRENHEIT = Fraction(5, 9)

DATE, DATE_TIME = "date", "meter_time"


class Meaning(NamedTuple):
    """name of the channel; quantity; factor and offset from the record's number to its unit."""

    name: str
    quantity: str
    factor: Fraction = Fraction(1)
    offset: Fraction = Fraction(0)


MANUFACTURER_VALUE = Meaning("manufacturer_value", "count")
"""VIF 7F and FF: what it is, and what all its VIFEs mean, the maker alone knows."""


def _decades(
    first: int, count: int, exponent: int, name: str, quantity: str, unit: Fraction | int = 1
) -> Iterator[tuple[int, Meaning]]:
    """`count` codes from `first` on, each ten times the one before, which is 10^exponent units."""
    for n in range(count):
        yield first + n, Meaning(name, quantity, Fraction(10) ** (exponent + n) * unit)


def _times(
    first: int, units: tuple[Fraction | int, ...], name: str
) -> Iterator[tuple[int, Meaning]]:
    for n, seconds in enumerate(units):
        yield first + n, Meaning(name, "duration", Fraction(seconds))


SECOND_TO_DAY = (1, 60, 3600, 86400)
HOUR_TO_YEAR = (3600, 86400, MONTH_S, YEAR_S)
FAHRENHEIT_ZERO = Fraction(-160, 9)

PRIMARY: dict[int, Meaning] = {
    **dict(_decades(0x00, 8, -6, "energy", "energy")),
    **dict(_decades(0x08, 8, 0, "energy", "energy", KWH_PER_J)),
    **dict(_decades(0x10, 8, -6, "volume", "volume")),
    **dict(_decades(0x18, 8, -3, "mass", "mass")),
    **dict(_times(0x20, SECOND_TO_DAY, "on_time")),
    **dict(_times(0x24, SECOND_TO_DAY, "operating_time")),
    **dict(_decades(0x28, 8, -3, "power", "power")),
    **dict(_decades(0x30, 8, 0, "power", "power", W_PER_J_PER_H)),
    **dict(_decades(0x38, 8, -6, "volume_flow", "volume_flow")),
    **dict(_decades(0x40, 8, -7, "volume_flow", "volume_flow", 60)),
    **dict(_decades(0x48, 8, -9, "volume_flow", "volume_flow", 3600)),
    **dict(_decades(0x50, 8, -3, "mass_flow", "mass_flow")),
    **dict(_decades(0x58, 4, -3, "flow_temperature", "temperature")),
    **dict(_decades(0x5C, 4, -3, "return_temperature", "temperature")),
    **dict(_decades(0x60, 4, -3, "temperature_difference", "temperature_difference")),
    **dict(_decades(0x64, 4, -3, "external_temperature", "temperature")),
    **dict(_decades(0x68, 4, 0, "pressure", "pressure")),
    0x6C: Meaning(DATE, "timestamp"),
    0x6D: Meaning(DATE_TIME, "timestamp"),
    0x6E: Meaning("heat_cost_units", "count"),
    0x6F: Meaning("reserved", "count"),
    **dict(_times(0x70, SECOND_TO_DAY, "averaging_duration")),
    **dict(_times(0x74, SECOND_TO_DAY, "actuality_duration")),
    0x78: Meaning("serial_number", "identity"),
    0x79: Meaning("enhanced_id", "identity"),
    0x7A: Meaning("bus_address", "identity"),
    0x7E: Meaning("any", "count"),
    0x7F: MANUFACTURER_VALUE,
}

EXTENSION_FD: dict[int, Meaning] = {
    **dict(_decades(0x00, 4, -3, "credit", "count")),
    **dict(_decades(0x04, 4, -3, "debit", "count")),
    0x08: Meaning("access_number", "count"),
    0x09: Meaning("medium_code", "identity"),
    0x0A: Meaning("manufacturer_code", "identity"),
    0x0B: Meaning("parameter_set", "identity"),
    0x0C: Meaning("model_version", "identity"),
    0x0D: Meaning("hardware_version", "identity"),
    0x0E: Meaning("firmware_version", "identity"),
    0x0F: Meaning("software_version", "identity"),
    0x10: Meaning("customer_location", "identity"),
    0x11: Meaning("customer", "identity"),
    0x17: Meaning("error_flags", "state"),
    0x18: Meaning("error_mask", "state"),
    0x1A: Meaning("digital_output", "state"),
    0x1B: Meaning("digital_input", "state"),
    0x1C: Meaning("baudrate", "count"),
    **dict(_times(0x24, SECOND_TO_DAY, "storage_interval")),
    0x28: Meaning("storage_interval", "duration", MONTH_S),
    0x29: Meaning("storage_interval", "duration", Fraction(YEAR_S)),
    **dict(_times(0x2C, SECOND_TO_DAY, "time_since_readout")),
    0x30: Meaning("tariff_start", "timestamp"),
    **dict(_times(0x31, SECOND_TO_DAY[1:], "tariff_duration")),
    **dict(_times(0x34, (*SECOND_TO_DAY, MONTH_S, YEAR_S), "tariff_period")),
    0x3A: Meaning("dimensionless", "count"),
    **dict(_decades(0x40, 16, -9, "voltage", "voltage")),
    **dict(_decades(0x50, 16, -12, "current", "current")),
    0x60: Meaning("reset_counter", "count"),
    0x61: Meaning("cumulation_counter", "count"),
    0x66: Meaning("activation_state", "state"),
    **dict(_times(0x68, HOUR_TO_YEAR, "time_since_cumulation")),
    **dict(_times(0x6C, HOUR_TO_YEAR, "battery_time")),
    0x70: Meaning("battery_changed", "timestamp"),
}

EXTENSION_FB: dict[int, Meaning] = {
    **dict(_decades(0x00, 2, 2, "energy", "energy")),
    **dict(_decades(0x02, 2, 0, "reactive_energy", "reactive_energy")),
    **dict(_decades(0x08, 2, 8, "energy", "energy", KWH_PER_J)),
    **dict(_decades(0x10, 2, 2, "volume", "volume")),
    **dict(_decades(0x14, 4, 0, "reactive_power", "reactive_power")),
    **dict(_decades(0x18, 2, 5, "mass", "mass")),
    **dict(_decades(0x1A, 2, -1, "humidity", "humidity")),
    0x21: Meaning("volume", "volume", M3_PER_CUBIC_FOOT / 10),
    0x22: Meaning("volume", "volume", M3_PER_US_GALLON / 10),
    0x23: Meaning("volume", "volume", M3_PER_US_GALLON),
    0x24: Meaning("volume_flow", "volume_flow", M3_PER_US_GALLON * 60 / 1000),
    0x25: Meaning("volume_flow", "volume_flow", M3_PER_US_GALLON * 60),
    0x26: Meaning("volume_flow", "volume_flow", M3_PER_US_GALLON),
    **dict(_decades(0x28, 2, 5, "power", "power")),
    0x2A: Meaning("voltage_angle", "phase_angle", Fraction(1, 10)),
    0x2B: Meaning("current_angle", "phase_angle", Fraction(1, 10)),
    **dict(_decades(0x2C, 4, -3, "frequency", "frequency")),
    **dict(_decades(0x30, 2, 8, "power", "power", W_PER_J_PER_H)),
    **dict(_decades(0x34, 4, 0, "apparent_power", "apparent_power")),
    **{
        code: Meaning(name, "temperature", one.factor * KELVIN_PER_FAHRENHEIT, FAHRENHEIT_ZERO)
        for first, name in ((0x58, "flow_temperature"), (0x5C, "return_temperature"))
        for code, one in _decades(first, 4, -3, name, "temperature")
    },
    **dict(
        _decades(
            0x60, 4, -3, "temperature_difference", "temperature_difference", KELVIN_PER_FAHRENHEIT
        )
    ),
    **{
        code: Meaning(name, "temperature", one.factor * KELVIN_PER_FAHRENHEIT, FAHRENHEIT_ZERO)
        for first, name in ((0x64, "external_temperature"), (0x70, "temperature_limit"))
        for code, one in _decades(first, 4, -3, name, "temperature")
    },
    **dict(_decades(0x74, 4, -3, "temperature_limit", "temperature")),
    **dict(_decades(0x78, 8, -3, "power_maximum_sum", "power")),
}


FIXED: dict[int, Meaning] = {
    # Units of the fixed data structure, M-Bus documentation 4.8, table 7.
    **dict(_decades(0x02, 9, -3, "energy", "energy")),
    **dict(_decades(0x0B, 9, 3, "energy", "energy", KWH_PER_J)),
    **dict(_decades(0x14, 9, 0, "power", "power")),
    **dict(_decades(0x1D, 9, 3, "power", "power", W_PER_J_PER_H)),
    **dict(_decades(0x26, 9, -6, "volume", "volume")),
    **dict(_decades(0x2F, 9, -6, "volume_flow", "volume_flow")),
    0x38: Meaning("temperature", "temperature", Fraction(1, 1000)),
    0x39: Meaning("heat_cost_units", "count"),
    0x3F: Meaning("dimensionless", "count"),
}


def meaning_of(vif: int, extension: int | None) -> Meaning:
    """The meaning of a VIF, or of the VIFE behind FD or FB; both without the extension bit."""
    if extension is None:
        return PRIMARY.get(vif, Meaning(f"vif_{vif:02x}", "count"))
    table, prefix = (EXTENSION_FD, "fd") if vif == 0x7D else (EXTENSION_FB, "fb")
    return table.get(extension, Meaning(f"vif_{prefix}{extension:02x}", "count"))
