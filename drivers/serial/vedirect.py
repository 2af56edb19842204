"""Victron devices with a VE.Direct port: MPPT chargers, BMV and SmartShunt, Phoenix inverters.

Victron, VE.Direct Protocol 3.33: text mode, 19200 8N1, a block a second: lines that begin with
CR LF, a label, a tab and a value; the last is Checksum, and all bytes of a block add up to 0 in
eight bits. Frames of HEX mode (`:` to line feed) may come in between and are no part of the sum.
"""

from __future__ import annotations

import re
from typing import Annotated

from drivers.base import Channel, Option, Reading, SerialPort, Value
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.stream import StreamMeter, line_settings
from drivers.serial.units import scaled

CAP = 2048
"""A block has at most 22 fields of 9 and 33 characters."""

END = b"\r\nChecksum\t"
FIRSTS = (b"\r\nPID\t", b"\r\nH1\t")
"""Labels that only the first line of a block has."""
HEX_FRAME = re.compile(rb":[0-9A-Fa-f]+\n")
FIELD = re.compile(r"[A-Za-z0-9_#]{1,9}\t[ -~]{0,33}")

_NUMBERS = {
    # label: (channel, quantity, decimal exponent to the quantity's unit)
    "V": ("voltage", "voltage", -3),
    "V2": ("voltage_2", "voltage", -3),
    "V3": ("voltage_3", "voltage", -3),
    "VS": ("voltage_starter", "voltage", -3),
    "VM": ("voltage_middle", "voltage", -3),
    "DM": ("deviation_middle", "ratio", -1),
    "VPV": ("voltage_pv", "voltage", -3),
    "PPV": ("power_pv", "power", 0),
    "I": ("current", "current", -3),
    "I2": ("current_2", "current", -3),
    "I3": ("current_3", "current", -3),
    "IL": ("current_load", "current", -3),
    "T": ("temperature", "temperature", 0),
    "P": ("power", "power", 0),
    "CE": ("charge", "charge", -3),
    "SOC": ("level", "level", -1),
    "H1": ("charge_deepest", "charge", -3),
    "H4": ("cycles", "count", 0),
    "H6": ("charge_drawn", "charge", -3),
    "H17": ("energy_discharged", "energy", -2),
    "H18": ("energy_charged", "energy", -2),
    "H19": ("energy_pv", "energy", -2),
    "H20": ("energy_today", "energy", -2),
    "H21": ("power_maximum_today", "power", 0),
    "H22": ("energy_yesterday", "energy", -2),
    "H23": ("power_maximum_yesterday", "power", 0),
    "ERR": ("error", "count", 0),
    "AC_OUT_V": ("voltage_ac", "voltage", -2),
    "AC_OUT_I": ("current_ac", "current", -1),
    "AC_OUT_S": ("apparent_power_ac", "apparent_power", 0),
}
_TEXTS = {
    "PID": ("model", "identity"),
    "SER#": ("device_id", "identity"),
    "FW": ("firmware", "identity"),
    "CS": ("state", "text"),
    "MPPT": ("tracker", "text"),
}
_SWITCHES = {"LOAD": "load", "Relay": "relay", "Alarm": "alarm"}
_MINUTES = {"TTG": "time_to_go"}
ENDLESS = -1
"""Of TTG: the battery is not being drained."""

STATES = {
    "CS": {
        "0": "off",
        "1": "low power",
        "2": "fault",
        "3": "bulk",
        "4": "absorption",
        "5": "float",
        "6": "storage",
        "7": "equalize",
        "9": "inverting",
        "11": "power supply",
        "245": "starting",
        "246": "repeated absorption",
        "247": "auto equalize",
        "248": "battery safe",
        "252": "external control",
    },
    "MPPT": {"0": "off", "1": "limited", "2": "tracking"},
}

CHANNELS: tuple[Channel, ...] = (
    *(Channel(name, quantity) for name, quantity, _ in _NUMBERS.values()),
    *(Channel(name, quantity) for name, quantity in _TEXTS.values()),
    *(Channel(name, "state") for name in _SWITCHES.values()),
    *(Channel(name, "duration") for name in _MINUTES.values()),
)


class VedirectDecoder(FrameDecoder):
    """Bytes of a VE.Direct port in, blocks out: a `Decoder`."""

    def __init__(self) -> None:
        super().__init__(CAP)

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        at = data.find(END)
        if at < 0 or len(data) <= at + len(END):
            return None
        block = bytes(data[: at + len(END) + 1])
        fields = _fields(block)
        if isinstance(fields, dict):
            return Found(len(block), tuple(_readings(fields)))
        return Skip(_next(block), fields)


def _fields(block: bytes) -> dict[str, str] | str:
    """What a block says, or what is wrong with it."""
    text = HEX_FRAME.sub(b"", block)
    if not text.startswith(b"\r\n"):
        return "a block that is joined in its middle"
    if sum(text) & 0xFF:
        return "wrong checksum"
    fields: dict[str, str] = {}
    for line in text[2 : -len(END) - 1].decode("latin-1").split("\r\n"):
        label, _, value = line.partition("\t")
        if not FIELD.fullmatch(line) or label in fields:
            return f"no field: {line[:20]!r}"
        fields[label] = value
    return fields


def _next(block: bytes) -> int:
    """How much to pass over: to where a block begins within, or else all of it.

    A line feed that was lost before the checksum leaves the CR of the next block in its place.
    """
    starts = [at for first in FIRSTS if (at := block.find(first, 1)) > 0]
    return min(starts, default=len(block) - block.endswith(b"\r"))


def _readings(fields: dict[str, str]) -> list[Reading]:
    found = []
    for label, text in fields.items():
        name, value = _value(label, text)
        if value is not None:
            found.append(Reading(name, value, code=label))
    return found


def _value(label: str, text: str) -> tuple[str, Value | None]:
    if label in _NUMBERS:
        name, _, exponent = _NUMBERS[label]
        return name, None if (number := _whole(text)) is None else scaled(number, exponent)
    if label in _TEXTS:
        return _TEXTS[label][0], STATES.get(label, {}).get(text, text)
    if label in _SWITCHES:
        return _SWITCHES[label], text.upper() == "ON"
    if label in _MINUTES:
        minutes = _whole(text)
        return _MINUTES[label], None if minutes in (None, ENDLESS) else (minutes or 0) * 60
    return label, None


def _whole(text: str) -> int | None:
    """None for the dashes of what is not there."""
    return int(text) if re.fullmatch(r"[+-]?[0-9]{1,10}", text) else None


DECODER = VedirectDecoder


class Vedirect(StreamMeter):
    """One device on a port of its own. A BMV sends its values in two blocks by turns."""

    def __init__(
        self,
        port: SerialPort,
        *,
        silence: Annotated[float, Option("offline without a block for so long", "s", low=1)] = 10.0,
    ) -> None:
        super().__init__(port, line_settings("19200 8N1"), VedirectDecoder, CHANNELS, silence)


DRIVER = Vedirect
