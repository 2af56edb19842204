"""Anything that sends lines of text: a regular expression says what is where.

For microcontrollers, scales, weather stations, loggers and whatever else speaks ASCII by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from drivers.base import Channel, Option, OptionError, Quality, Reading, SerialPort, Value
from drivers.quantities import QUANTITIES
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.stream import StreamMeter, checked_line

LINE_MAX = 1024
"""Bytes of one line: longer ones are noise, and a regular expression may take long over them."""

NEWLINE = 0x0A


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A named group of the expression."""

    quantity: Annotated[str, Option("what it is", choices=tuple(QUANTITIES))]
    scale: Annotated[float, Option("times this gives the unit")] = 1.0
    offset: Annotated[float, Option("then plus this")] = 0.0
    digits: Annotated[int, Option("decimal places", low=0, high=9)] = 3


TEXTS = ("text", "identity", "timestamp", "state")
"""Quantities whose values stay as they are written."""


class LinesDecoder(FrameDecoder):
    """Lines in which the expression is found are telegrams; others are none."""

    def __init__(
        self,
        *,
        pattern: Annotated[
            str, Option("regular expression with named groups", example="(?P<name>[-+0-9.]+)")
        ],
        fields: Annotated[Mapping[str, Field], Option("the groups, by name")],
    ) -> None:
        super().__init__(LINE_MAX)
        self._pattern = _compiled(pattern, fields)
        self._fields = fields

    @property
    def channels(self) -> tuple[Channel, ...]:
        """The fields, with their quantities."""
        return tuple(Channel(name, one.quantity) for name, one in self._fields.items())

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        end = data.find(NEWLINE)
        if end < 0:
            if not final:
                return None
            end = len(data) - 1
        text = bytes(data[: end + 1]).decode("utf-8", "replace").strip("\r\n\0")
        if not text:
            return Skip(end + 1)
        match = self._pattern.search(text)
        if match is None:
            return Skip(end + 1, f"a line that does not match: {text[:40]!r}", complete=True)
        found = match.groupdict()
        readings = (
            _reading(name, field, found[name])
            for name, field in self._fields.items()
            if found[name] is not None
        )
        return Found(end + 1, tuple(readings))


def _compiled(pattern: str, fields: Mapping[str, Field]) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise OptionError(f"pattern: {error}") from error
    missing = sorted(set(fields) - set(compiled.groupindex))
    if missing or not fields:
        raise OptionError(
            f"fields: the pattern has no group (?P<{missing[0]}>...)"
            if missing
            else "fields: at least one table [device.fields.CHANNEL]"
        )
    return compiled


def _reading(name: str, field: Field, text: str) -> Reading:
    value = _value(field, text.strip())
    return Reading(name, value, Quality.BAD if value is None else Quality.GOOD)


def _value(field: Field, text: str) -> Value | None:
    if field.quantity in TEXTS:
        return text
    try:
        number = float(text.replace(",", ".", 1))
    except ValueError:
        return None
    return number * field.scale + field.offset


DECODER = LinesDecoder


class Lines(StreamMeter):
    """One device on a port of its own."""

    def __init__(
        self,
        port: SerialPort,
        *,
        pattern: Annotated[
            str, Option("regular expression with named groups", example="(?P<name>[-+0-9.]+)")
        ],
        fields: Annotated[Mapping[str, Field], Option("the groups that are channels, by name")],
        line: Annotated[str, Option("speed and frame, as 9600 8N1")] = "9600 8N1",
        silence: Annotated[
            float, Option("offline without a good line for so long", "s", low=1)
        ] = 60.0,
    ) -> None:
        decoder = partial(LinesDecoder, pattern=pattern, fields=fields)
        decoder()
        channels = [Channel(name, one.quantity, digits=one.digits) for name, one in fields.items()]
        super().__init__(port, checked_line(line), decoder, channels, silence)


DRIVER = Lines
