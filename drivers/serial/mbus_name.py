"""Names of what M-Bus records hold: a channel a record, the same in every telegram. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from drivers.base import Channel, Reading
from drivers.serial.mbus_record import ERROR, MAXIMUM, MINIMUM, Record
from drivers.serial.mbus_value import (
    ADDED,
    DATES,
    DURATIONS,
    MANUFACTURER_FOLLOWS,
    MULTIPLIED,
    MULTIPLIED_BY_1000,
    Answer,
    modifiers,
)
from drivers.serial.mbus_vif import EXTENSION_FB, EXTENSION_FD, MANUFACTURER_VALUE, PRIMARY

FUNCTIONS = {MAXIMUM: "_maximum", MINIMUM: "_minimum", ERROR: "_error"}

MODIFIER_NAMES = {
    # EN 13757-3, table 15. Others are named by their number.
    **dict.fromkeys(DATES, "_time"),
    **dict.fromkeys(DURATIONS, "_duration"),
    0x28: "_per_pulse",
    0x29: "_per_pulse_2",
    0x3B: "_positive",
    0x3C: "_negative",
    0x3E: "_at_base",
    0x40: "_low_limit",
    0x41: "_below_count",
    0x48: "_high_limit",
    0x49: "_above_count",
    0x7E: "_future",
}
UNNAMED = frozenset({*MULTIPLIED, *ADDED, MULTIPLIED_BY_1000})

HEADER_CHANNELS = (
    Channel("device_id", "identity"),
    Channel("manufacturer", "identity"),
    Channel("medium", "identity"),
    Channel("status", "state"),
)

_QUANTITIES = {
    one.name: one.quantity
    for table in (PRIMARY, EXTENSION_FB, EXTENSION_FD)
    for one in table.values()
}

CHANNELS: tuple[Channel, ...] = (
    *(
        Channel(name, quantity, rising=name in ("energy", "volume"))
        for name, quantity in _QUANTITIES.items()
    ),
    *HEADER_CHANNELS,
    Channel("manufacturer_data", "text"),
    Channel("more_records", "text"),
    Channel("application_error", "text"),
    Channel("alarm", "state"),
)
"""The present values. Those of tariffs, subunits and billing dates have longer names."""


def name_of(record: Record) -> str:
    """What is measured and how, of which past date (_s), tariff (_t), part of the meter (_d)."""
    name = record.meaning.name
    if record.meaning is MANUFACTURER_VALUE:
        own = (vife & 0x7F for vife in record.modifiers)
        name += "".join(f"_v{code:02x}" for code in own if code != MANUFACTURER_FOLLOWS)
    for code in modifiers(record):
        if code not in UNNAMED:
            name += MODIFIER_NAMES.get(code, f"_v{code:02x}")
    name += FUNCTIONS.get(record.function, "")
    for letter, n in (("s", record.storage), ("t", record.tariff), ("d", record.subunit)):
        if n:
            name += f"_{letter}{n}"
    return name


def named(found: Iterable[tuple[Record, Answer]]) -> tuple[Reading, ...]:
    """Readings in the order of the records. A name that comes again gets a number: _2, _3."""
    times: dict[str, int] = {}
    out = []
    for record, answer in found:
        name = name_of(record)
        times[name] = times.get(name, 0) + 1
        channel = name if times[name] == 1 else f"{name}_{times[name]}"
        listed = _QUANTITIES.get(channel)
        quantity = "" if listed == answer.quantity else answer.quantity
        out.append(Reading(channel, answer.value, answer.quality, record.code, quantity))
    return tuple(out)
