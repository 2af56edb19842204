"""Units as COSEM numbers them, and exact scaling into the units of `drivers.quantities`.

DLMS UA 1000-1 (Blue Book), table "Enumerated values for physical units"; SML takes them over
(BSI TR-03109-1, annex IV b, SML_Unit).
"""

from __future__ import annotations

COSEM_UNITS: dict[int, tuple[str, int]] = {
    # unit: (quantity, decimal exponent from the unit to the quantity's own)
    7: ("duration", 0),  # s
    8: ("phase_angle", 0),  # degree
    9: ("temperature", 0),  # degree Celsius
    11: ("distance", 0),  # m
    12: ("speed", 0),  # m/s
    13: ("volume", 0),  # m3
    14: ("volume", 0),  # m3, corrected to base conditions
    15: ("volume_flow", 0),  # m3/h
    16: ("volume_flow", 0),  # m3/h, corrected
    19: ("volume", -3),  # litre
    20: ("mass", 0),  # kg
    21: ("force", 0),  # N
    23: ("pressure", -2),  # Pa
    24: ("pressure", 3),  # bar
    27: ("power", 0),  # W
    28: ("apparent_power", 0),  # VA
    29: ("reactive_power", 0),  # var
    30: ("energy", -3),  # Wh
    31: ("apparent_energy", -3),  # VAh
    32: ("reactive_energy", -3),  # varh
    33: ("current", 0),  # A
    35: ("voltage", 0),  # V
    38: ("resistance", 0),  # ohm
    44: ("frequency", 0),  # Hz
    56: ("ratio", 0),  # %
    57: ("charge", 0),  # Ah
    70: ("signal_strength", 0),  # dBm
    255: ("count", 0),  # no unit
}

EXPONENT_MAX = 30
"""Beyond any meter: larger ones are taken for a meter's fault, not computed with."""


def scaled(value: int, exponent: int) -> int | float:
    """value times ten to the exponent, exactly, or else the nearest float there is.

    One division of whole numbers rounds once: 12345678 with -4 is 1234.5678, where a product with
    0.0001 would be 1234.5678000000002.
    """
    power: int = 10 ** abs(exponent)
    return value * power if exponent >= 0 else value / power
