"""OBIS codes of electricity meters as channels: one name for one thing, whatever the protocol.

A code A-B:C.D.E*F names the medium (A = 1 electricity), the channel (B), the quantity (C), what was
made of it (D: 7 momentary, 8 register, 6 maximum, 4 mean of the running period), the tariff (E)
and the billing period (F = 255 current). IEC 62056-61 and EN 13757-1; the EDI@Energy code list
("OBIS-Kennzahlen-System") for 15 and 16.
"""

from __future__ import annotations

from functools import lru_cache

from drivers.base import Channel, Reading

TARIFFS = 4
PHASES = ((20, "_l1"), (40, "_l2"), (60, "_l3"))

_DIGITS = {"energy": 4, "reactive_energy": 4, "apparent_energy": 4, "power_factor": 3}

_FLOWS = {
    # C of the total: (what, in which sense). C of phase n: 20 n more.
    1: ("", "_import"),
    2: ("", "_export"),
    3: ("reactive_", "_import"),
    4: ("reactive_", "_export"),
    5: ("reactive_", "_q1"),
    6: ("reactive_", "_q2"),
    7: ("reactive_", "_q3"),
    8: ("reactive_", "_q4"),
    9: ("apparent_", "_import"),
    10: ("apparent_", "_export"),
    15: ("", "_absolute"),
    16: ("", ""),
}
_QUADRANTS = range(5, 9)
_ACTIVE = (1, 2)
_BY_TARIFF = (1, 2, 3, 4)

_MOMENTARY = {
    # C of phase L1 and of the whole: quantity. C of L2 is 20 more, of L3 40 more.
    11: "current",
    12: "voltage",
    13: "power_factor",
    14: "frequency",
}

_ANGLES = {
    # E of 81.7.E, "angle of x minus angle of y" in two hexadecimal digits: 0-2 U, 4-6 I.
    1: "phase_angle_u2_u1",
    2: "phase_angle_u3_u1",
    4: "phase_angle_i1_u1",
    15: "phase_angle_i2_u2",
    26: "phase_angle_i3_u3",
}

_IDENTITIES = {
    "1-0:0.0.0*255": "device_id",
    "1-0:0.0.9*255": "server_id",
    "1-0:96.1.0*255": "server_id",
    "0-0:96.1.0*255": "device_id",
    "0-0:96.1.1*255": "device_id",
    "0-0:96.1.255*255": "device_id",
    "1-0:96.50.1*1": "manufacturer",
    "129-129:199.130.3*255": "manufacturer",
    "1-0:0.2.0*0": "firmware",
    "1-0:0.2.0*255": "firmware",
}


def _channel(name: str, quantity: str, rising: bool = False) -> Channel:
    return Channel(name, quantity, digits=_DIGITS.get(quantity, 2), rising=rising)


def _flow_channels(c: int, kind: str, sense: str) -> dict[tuple[int, int, int], Channel]:
    """Registers and momentary values of one flow: the total, its tariffs, and the phases."""
    power, energy = f"{kind}power", f"{kind}energy"
    # A net or absolute register is an energy too, and needs a name of its own.
    register, up = f"{energy}{sense or '_net'}", sense != ""
    found = {(c, 7, 0): _channel(power + sense, power), (c, 8, 0): _channel(register, energy, up)}
    if c in _ACTIVE:
        found[c, 4, 0] = _channel(f"{power}{sense}_mean", power)
        found[c, 6, 0] = _channel(f"{power}{sense}_maximum", power)
    if c in _BY_TARIFF:
        for tariff in range(1, TARIFFS + 1):
            found[c, 8, tariff] = _channel(f"{register}_t{tariff}", energy, up)
    if c not in _QUADRANTS:
        for step, phase in PHASES:
            found[c + step, 7, 0] = _channel(power + sense + phase, power)
            found[c + step, 8, 0] = _channel(register + phase, energy, up)
    return found


def _table() -> dict[tuple[int, int, int], Channel]:
    table: dict[tuple[int, int, int], Channel] = {}
    for c, (kind, sense) in _FLOWS.items():
        table |= _flow_channels(c, kind, sense)
    for c, quantity in _MOMENTARY.items():
        table[c, 7, 0] = _channel(quantity, quantity)
        for step, phase in PHASES:
            table[c + step, 7, 0] = _channel(quantity + phase, quantity)
    table[91, 7, 0] = _channel("current_n", "current")
    for e, name in _ANGLES.items():
        table[81, 7, e] = _channel(name, "phase_angle")
    return table


ELECTRICITY = _table()
"""(C, D, E) of electricity meters: channel. B may be 0 or 1, F 255 or absent."""

IDENTITIES = {code: Channel(name, "identity") for code, name in _IDENTITIES.items()}
"""Whole codes that say who the meter is."""

CHANNELS: tuple[Channel, ...] = tuple(
    {one.name: one for one in (*ELECTRICITY.values(), *IDENTITIES.values())}.values()
)

_QUANTITIES = {channel.name: channel.quantity for channel in CHANNELS}


@lru_cache(maxsize=1024)
def text_of(code: bytes) -> str:
    """Six bytes as `A-B:C.D.E*F`. ValueError for another length."""
    a, b, c, d, e, f = code
    return f"{a}-{b}:{c}.{d}.{e}*{f}"


@lru_cache(maxsize=1024)
def channel_of(code: bytes) -> Channel | None:
    """The channel of a code of six bytes, None for one that has no name here."""
    a, b, c, d, e, f = code
    if a == 1 and b in (0, 1) and f == 255:
        known = ELECTRICITY.get((c, d, e))
        if known is not None:
            return known
    return IDENTITIES.get(text_of(code))


def fits(channel: Channel, quantity: str) -> bool:
    """Whether a value with that quantity is what the channel stands for.

    Meters have codes of their own in the standard's place; their unit gives them away.
    """
    return channel.quantity in (quantity, "identity") or (
        channel.quantity == "power_factor" and quantity == "count"
    )


def named_once(readings: list[Reading]) -> list[Reading]:
    """No name twice in a telegram: what comes later under one (another B) goes by its code."""
    seen: set[str] = set()
    out = []
    for one in readings:
        if one.channel in seen and one.code:
            one = one._replace(channel=one.code, quantity=one.quantity or _QUANTITIES[one.channel])
        seen.add(one.channel)
        out.append(one)
    return out
