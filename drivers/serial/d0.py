"""Meters with an optical D0 port that are asked: IEC 62056-21 modes A, B and C.

IEC 62056-21:2002, 6.3 (messages), 6.4 (modes), 4.3.3 (times). The request goes out at 300 baud; the
meter's identification says by one character how fast it can be: a digit (mode C, which waits for an
acknowledgement), a letter from A to I (mode B, which changes by itself), anything else: mode A.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Annotated

from drivers.base import (
    Channel,
    CorruptData,
    LineSettings,
    NoAnswer,
    Option,
    OptionError,
    Reading,
    SerialPort,
    Telegram,
)
from drivers.serial.iec62056_data import CHANNELS
from drivers.serial.iec62056_decode import Iec62056Decoder
from drivers.serial.stream import line_settings

DECODER = Iec62056Decoder

START_LINE = "300 7E1"

SPEEDS_MODE_C = dict(zip("0123456", (300, 600, 1200, 2400, 4800, 9600, 19200), strict=True))
SPEEDS_MODE_B = dict(zip("ABCDEF", (600, 1200, 2400, 4800, 9600, 19200), strict=True))

IDENTIFICATION = re.compile(rb"/[A-Za-z]{3}([^\r\n/!])[^\r\n]*\r?\n")

REACTION_S = 1.5
"""t_r: the longest time a meter may take to begin its answer, and t_a between two characters."""

ACKNOWLEDGE_AFTER_S = 0.3
"""The shortest reaction time is 200 ms; some meters hear nothing before that."""

HEARD_MAX = 512
"""Of noise before an identification."""

POLL_S = 0.05
SPEED_CHANGE_S = 0.05


class D0:
    """A meter that answers a request.

    Readout takes long: a full data set at 300 baud up to a minute or two, so `limit` ends it.
    """

    exclusive = True

    def __init__(
        self,
        port: SerialPort,
        *,
        address: Annotated[
            str, Option("device address, where several share a line; empty: whoever hears")
        ] = "",
        line: Annotated[
            str, Option("how the request is sent", choices=(START_LINE, "9600 7E1", "2400 7E1"))
        ] = START_LINE,
        baudrate: Annotated[
            int, Option("highest speed to change to in mode C", "Bd", low=300, high=19200)
        ] = 19200,
        wake_up: Annotated[
            int, Option("zero bytes before the request, for meters with a battery", high=200, low=0)
        ] = 0,
        limit: Annotated[float, Option("a readout takes no longer", "s", low=5, high=600)] = 120.0,
        unnamed: Annotated[
            bool, Option("also values without a channel name, under their OBIS code")
        ] = False,
    ) -> None:
        if not re.fullmatch(r"[0-9A-Za-z ]{0,32}", address):
            raise OptionError(f"address {address!r}: up to 32 letters, digits and spaces")
        self._port = port
        self._request = b"\0" * wake_up + f"/?{address}!\r\n".encode("ascii")
        self._line = line_settings(line)
        self._fastest = baudrate
        self._limit = limit
        self._unnamed = unnamed
        self._names = frozenset(channel.name for channel in CHANNELS)

    @property
    def channels(self) -> Sequence[Channel]:
        return CHANNELS

    def start(self) -> None:
        self._port.open(self._line)

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._port.open(self._line)
        self._port.discard()
        self._port.write(self._request)
        head = yield from self._identification()
        yield from self._change_speed(head)
        readings = yield from self._data(head)
        return [one for one in readings if self._unnamed or one.channel in self._names]

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""

    def _identification(self) -> Generator[float, None, bytes]:
        """What came up to the end of the identification, or behind it."""
        heard, silent = b"", 0.0
        patience = REACTION_S + _sending_time(self._request, self._line)
        while silent < patience:
            more = self._port.receive()
            heard, silent = heard + more, 0.0 if more else silent + POLL_S
            if len(heard) > HEARD_MAX:
                break
            # A head with echo gives us our own request back first.
            answer = heard.removeprefix(self._request)
            match = IDENTIFICATION.search(answer)
            if match:
                return answer[match.start() :]
            yield POLL_S
        if heard.removeprefix(self._request):
            raise CorruptData(f"no identification but {heard[:40]!r}; is the head straight?")
        raise NoAnswer("the meter does not answer; is the head in place, and can it send?")

    def _change_speed(self, head: bytes) -> Generator[float, None, None]:
        letter = chr(head[4])
        line = self._line
        if letter in SPEEDS_MODE_C:
            highest = min(self._fastest, SPEEDS_MODE_C[letter])
            letter, speed = next(
                (z, baud) for z, baud in reversed(SPEEDS_MODE_C.items()) if baud <= highest
            )
            yield ACKNOWLEDGE_AFTER_S
            acknowledgement = f"\x060{letter}0\r\n".encode("ascii")
            self._port.write(acknowledgement)
            yield _sending_time(acknowledgement, line) + SPEED_CHANGE_S
            line = replace(line, baudrate=speed)
        elif letter in SPEEDS_MODE_B:
            line = replace(line, baudrate=SPEEDS_MODE_B[letter])
        if line != self._line:
            self._port.open(line)

    def _data(self, head: bytes) -> Generator[float, None, Sequence[Reading]]:
        decoder = Iec62056Decoder()
        heard = decoder.feed(head)
        begun = decoder.buffered
        silent = total = 0.0
        while not heard and silent < REACTION_S and total < self._limit:
            yield POLL_S
            more = self._port.receive()
            heard = decoder.feed(more)
            silent, total = 0.0 if more else silent + POLL_S, total + POLL_S
        if not heard and decoder.buffered == begun:
            raise NoAnswer("the meter said who it is, and then nothing")
        for one in heard or decoder.close():
            if isinstance(one, Telegram):
                return one.readings
            raise CorruptData(one.reason)
        raise CorruptData("the meter sent no data")


def _sending_time(data: bytes, line: LineSettings) -> float:
    """Seconds on the wire, with start, parity and stop bits."""
    return len(data) * 10 / line.baudrate


DRIVER = D0
