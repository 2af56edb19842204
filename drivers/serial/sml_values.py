"""What the messages of an SML telegram say: list entries to readings. Pure.

BSI TR-03109-1, annex IV b, section 5.1.14 (SML_GetList.Res).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from drivers.base import Quality, Reading, Value
from drivers.serial.obis import channel_of, fits, named_once, text_of
from drivers.serial.sml_message import GET_LIST_RESPONSE, Item, Malformed, Message, Negative
from drivers.serial.units import COSEM_UNITS, EXPONENT_MAX, scaled

UNIT_W = 27
UNIT_WH = 30
UNIT_NONE = 255
UNKNOWN_UNIT = ("count", 0)

POWER_ABSOLUTE = b"\x01\x00\x0f\x07\x00\xff"
POWER_NET = b"\x01\x00\x10\x07\x00\xff"

STATUS_EXPORT = 1 << 5
"""Status word of an energy register: power flows to the grid (FNN Lastenheft EDL 1.0, page 31)."""

DZG_ID = b"\x0a\x01DZG"
DZG_DVS74_SERIALS = (range(42_000_000, 49_000_000), range(55_000_000, 59_000_000))
"""Serial numbers of the DZG DVS74: these send positive power as a signed number that lacks its
leading zero byte, so that 356.24 W (8b28) reads as -299.12 W. Ranges as DZG told libsml (#136)."""


def readings(found: Iterable[Message], signed_power: bool) -> tuple[Reading, ...]:
    """All values of all SML_GetList.Res. Messages of other kinds say nothing about the meter."""
    out: list[Reading] = []
    for message in found:
        if message.kind == GET_LIST_RESPONSE:
            out += _of_list(message.body, signed_power)
    return tuple(out)


def _of_list(body: Item, signed_power: bool) -> list[Reading]:
    """clientId, serverId, listName, actSensorTime, valList, listSignature, actGatewayTime."""
    if not isinstance(body, list) or len(body) != 7 or not isinstance(body[4], list):
        raise Malformed("a GetList.Res without its seven elements")
    entries = [_entry(one) for one in body[4]]
    if _is_dvs74(body[1]):
        entries = [_dvs74(one) for one in entries]
    out = [_reading(one) for one in entries]
    if signed_power:
        out += _with_sign(entries)
    return named_once(out)


class Entry(NamedTuple):
    """An SML_ListEntry, without valTime and valueSignature.

    valTime is passed over: Holley's DTZ541 sends it in a wrong form (libsml #75), and a push
    telegram is of the moment in which it comes.
    """

    name: bytes
    status: Item
    unit: Item
    scaler: Item
    value: Item


def _entry(one: Item) -> Entry:
    """objName, status, valTime, unit, scaler, value, valueSignature."""
    if not isinstance(one, list) or len(one) != 7:
        raise Malformed("a list entry without its seven elements")
    name = one[0]
    if not isinstance(name, bytes) or len(name) != 6:
        raise Malformed("a list entry without an OBIS code of six bytes")
    return Entry(name, one[1], one[3], one[4], one[5])


def _is_dvs74(server_id: Item) -> bool:
    if not isinstance(server_id, bytes) or not server_id.startswith(DZG_ID):
        return False
    serial = int.from_bytes(server_id[len(DZG_ID) :], "big")
    return any(serial in serials for serials in DZG_DVS74_SERIALS)


def _dvs74(entry: Entry) -> Entry:
    """Truly negative power comes in four bytes; in one or two, the top bit counts."""
    value = entry.value
    if entry.unit == UNIT_W and isinstance(value, Negative) and value.width <= 2:
        return entry._replace(value=value + (1 << 8 * value.width))
    return entry


def _reading(entry: Entry) -> Reading:
    code = text_of(entry.name)
    value, quantity = _measured(entry)
    quality = Quality.BAD if value is None else Quality.GOOD
    known = channel_of(entry.name)
    if known is not None and (value is None or fits(known, quantity)):
        return Reading(known.name, value, quality, code)
    return Reading(code, value, quality, code, quantity)


def _measured(entry: Entry) -> tuple[Value | None, str]:
    """The value in the unit of its quantity, and that. An element left out gives None."""
    value = entry.value
    if isinstance(value, list):
        return _time(value), "timestamp"
    if isinstance(value, bytes):
        return _text(value), "text"
    if value is None or isinstance(value, bool):
        return value, "state"
    unit = entry.unit if isinstance(entry.unit, int) else UNIT_NONE
    scaler = entry.scaler if isinstance(entry.scaler, int) else 0
    quantity, shift = COSEM_UNITS.get(unit or UNIT_NONE, UNKNOWN_UNIT)
    if abs(scaler) > EXPONENT_MAX:
        return None, quantity
    return scaled(value, scaler + shift), quantity


def _text(octets: bytes) -> str:
    """Letters and digits as they are; anything else, such as a server id, in hexadecimal."""
    if octets.isalnum():
        return octets.decode("ascii")
    return octets.hex()


def _time(value: list[Item]) -> Value | None:
    """SML_Time: 1 and the meter's running seconds, or 2 or 3 and seconds since 1970."""
    if len(value) == 2 and isinstance(value[1], int):
        return int(value[1])
    return None


def _with_sign(entries: list[Entry]) -> list[Reading]:
    """Power with its direction, for a meter that tells the two apart."""
    by_name = {one.name: one for one in entries}
    power = by_name.get(POWER_ABSOLUTE)
    status = next((one.status for one in entries if one.status and one.unit == UNIT_WH), None)
    if power is None or POWER_NET in by_name or not isinstance(status, int):
        return []
    value, _ = _measured(power)
    if not isinstance(value, int | float):
        return []
    return [Reading("power", -value if status & STATUS_EXPORT else value)]
