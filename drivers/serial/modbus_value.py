"""Registers to values and back: widths, orders, scaling. Pure."""

from __future__ import annotations

import math
import struct

from drivers.base import Channel, Quality, Reading, Value
from drivers.serial.modbus_map import Register

DIGITS_MAX = 6
DEFAULT_DIGITS = 3

_FLOATS = {"float32": ">f", "float64": ">d"}


def channel(name: str, register: Register) -> Channel:
    quantity = "text" if register.names else register.quantity
    return Channel(name, quantity, digits=digits(register), rising=register.rising)


def digits(register: Register) -> int:
    """Decimal places that carry information: those of the scale, or a float's usual three."""
    if register.digits >= 0:
        return register.digits
    if register.kind in _FLOATS:
        return DEFAULT_DIGITS
    steps = (n for n in range(DIGITS_MAX) if abs(round(s := register.scale * 10**n) - s) < 1e-9)
    return next(steps, DIGITS_MAX)


def reading(name: str, register: Register, raw: bytes) -> Reading:
    """raw: the registers as they came; of a coil, one byte."""
    value = value_of(register, raw)
    quality = Quality.BAD if value is None else Quality.GOOD
    return Reading(name, value, quality, code=f"{register.table} {register.address}")


def value_of(register: Register, raw: bytes) -> Value | None:
    """None where the device says that it has no value."""
    if register.kind == "bool":
        return raw[0] != 0
    data = ordered(raw, register.order)
    if register.kind == "string":
        return data.split(b"\0", 1)[0].decode("ascii", "replace").strip()
    if register.kind in _FLOATS:
        return _float(register, data)
    whole = int.from_bytes(data, "big", signed=register.kind.startswith("int"))
    if int.from_bytes(data, "big") in register.absent or whole in register.absent:
        return None
    return _whole(register, whole)


def _float(register: Register, data: bytes) -> float | None:
    (number,) = struct.unpack(_FLOATS[register.kind], data)
    return scaled(number, register) if math.isfinite(number) else None


def _whole(register: Register, number: int) -> Value:
    if register.mask:
        number = (number & register.mask) // (register.mask & -register.mask)
    if register.names:
        return register.names.get(str(number), str(number))
    if register.quantity == "state" and register.mask:
        return number != 0
    return scaled(number, register)


def scaled(number: float, register: Register) -> int | float:
    """By a division where the scale is one part of something: 2301 with 0.1 is 230.1."""
    scale = register.scale
    if scale == 1.0 and register.offset == 0.0:
        return number
    parts = round(1 / scale) if 0 < abs(scale) < 1 else 0
    value = number / parts if parts and abs(parts * scale - 1) < 1e-12 else number * scale
    return value + register.offset


def ordered(raw: bytes, order: str) -> bytes:
    """The bytes with the most significant first. order: names them as they come over the wire.

    Of four registers, CDAB means words backwards, BADC bytes of each word swapped.
    """
    words = [raw[at : at + 2] for at in range(0, len(raw), 2)]
    if order in ("CDAB", "DCBA"):
        words.reverse()
    if order in ("BADC", "DCBA"):
        words = [word[::-1] for word in words]
    return b"".join(words)


def encoded(register: Register, value: float) -> bytes:
    """The registers that hold a value, in its unit. ValueError where it does not fit."""
    number = (value - register.offset) / register.scale
    try:
        if register.kind in _FLOATS:
            data = struct.pack(_FLOATS[register.kind], number)
        else:
            signed = register.kind.startswith("int")
            data = round(number).to_bytes(2 * register.words, "big", signed=signed)
    except (OverflowError, struct.error) as error:
        raise ValueError(f"{value:g} does not fit into {register.kind}") from error
    return ordered(data, register.order)
