"""Water, heat, gas and electricity meters on a wired M-Bus.

EN 13757-2 and -3:2013; M-Bus documentation 4.8. The meter is asked by its primary address (0 to
250) or its secondary one (the eight digits printed on it); a level converter stands between.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import (
    Channel,
    CorruptData,
    NoAnswer,
    Option,
    OptionError,
    Reading,
    SerialPort,
    WrongDevice,
)
from drivers.serial.mbus_decode import Frame, MbusDecoder, readings_of
from drivers.serial.mbus_link import ACKNOWLEDGE, SELECTED, Link
from drivers.serial.mbus_name import CHANNELS
from drivers.serial.mbus_record import MORE_RECORDS, Malformed
from drivers.serial.stream import line_settings

DECODER = MbusDecoder

LINES = ("2400 8E1", "300 8E1", "600 8E1", "1200 8E1", "4800 8E1", "9600 8E1", "38400 8E1")
ADDRESS_MAX = 250
MORE = f"{MORE_RECORDS:02X}"


class Mbus:
    """One meter on the line; several share a bus, each a device of its own."""

    exclusive = True

    def __init__(
        self,
        port: SerialPort,
        *,
        address: Annotated[
            int | None, Option("primary address; unset: 0", low=0, high=ADDRESS_MAX)
        ] = None,
        secondary: Annotated[
            str, Option("secondary address instead: 8 digits, or 16 with maker, version, medium")
        ] = "",
        line: Annotated[str, Option("speed and frame", choices=LINES)] = "2400 8E1",
        retries: Annotated[int, Option("after a bad or missing answer", low=0, high=5)] = 2,
        telegrams: Annotated[
            int, Option("at most so many, of a meter that has more than one", low=1, high=50)
        ] = 10,
        unnamed: Annotated[
            bool, Option("also values of tariffs, subunits, billing dates, and the maker's own")
        ] = False,
    ) -> None:
        if secondary and not re.fullmatch(r"[0-9A-Fa-f]{8}([0-9A-Fa-f]{8})?", secondary):
            raise OptionError(f"secondary {secondary!r}: 8 or 16 hexadecimal digits")
        if secondary and address is not None:
            raise OptionError("address and secondary are both given; remove one")
        self._port = port
        self._line = line_settings(line)
        self._link = Link(port, self._line)
        self._secondary = secondary
        self._address = SELECTED if secondary else address or 0
        self._retries = retries
        self._telegrams = telegrams
        self._names = None if unnamed else frozenset(channel.name for channel in CHANNELS)

    @property
    def channels(self) -> Sequence[Channel]:
        return CHANNELS

    def start(self) -> None:
        self._port.open(self._line)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._port.open(self._line)  # another device of the bus may speak otherwise
        yield from self._begin()
        readings: list[Reading] = []
        fcb = True
        for _ in range(self._telegrams):
            frame = yield from self._telegram(fcb)
            more = self._decoded(frame)
            readings = [*readings, *more]
            if not any(one.code == MORE for one in more):
                break
            fcb = not fcb
        named = _once(readings)
        return [one for one in named if self._names is None or one.channel in self._names]

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""

    def _begin(self) -> Generator[float, None, None]:
        if not self._secondary:
            yield from self._link.reset(self._address)
            return
        for _ in range(1 + self._retries):
            answer = yield from self._link.select(self._secondary)
            if answer == ACKNOWLEDGE:
                return
        if answer:
            raise CorruptData(f"several meters have the secondary address {self._secondary}")
        raise NoAnswer(f"no meter has the secondary address {self._secondary}")

    def _telegram(self, fcb: bool) -> Generator[float, None, Frame]:
        """A repeated request bears the same frame count bit, so the meter repeats its answer."""
        for attempt in range(1 + self._retries):
            try:
                return (yield from self._link.data(self._address, fcb))
            except (NoAnswer, CorruptData):
                if attempt == self._retries:
                    raise
        raise AssertionError("the loop returns or raises")

    def _decoded(self, frame: Frame) -> tuple[Reading, ...]:
        if self._address != SELECTED and frame.address != self._address:
            raise WrongDevice(f"address {frame.address} answers in place of {self._address}")
        try:
            return readings_of(frame)
        except Malformed as error:
            raise CorruptData(str(error)) from error


def _once(readings: Sequence[Reading]) -> list[Reading]:
    """Of several telegrams, one set of readings: who the meter is, once; names that come again
    with a number."""
    out: dict[str, Reading] = {}
    times: dict[str, int] = {}
    for one in readings:
        name = one.channel
        if one.code == name:  # of the header
            out[name] = one
        elif one.code != MORE:
            times[name] = times.get(name, 0) + 1
            unique = name if times[name] == 1 else f"{name}_{times[name]}"
            out[unique] = one._replace(channel=unique)
    return list(out.values())


DRIVER = Mbus
