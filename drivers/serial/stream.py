"""What every meter that speaks by itself does with its port, so that its driver need not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from drivers.base import (
    BusFault,
    Channel,
    Corrupt,
    Decoder,
    LineSettings,
    OptionError,
    SerialPort,
    Telegram,
)


def line_settings(text: str) -> LineSettings:
    """`9600 8N1` as LineSettings. ValueError for anything else."""
    speed, _, frame = text.partition(" ")
    if not speed.isdecimal() or len(frame) != 3 or frame[1] not in "NEO":
        raise ValueError(f"{text!r}: a line is written like 9600 8N1")
    return LineSettings(int(speed), int(frame[0]), frame[1], int(frame[2]))


def checked_line(text: str) -> LineSettings:
    """The same of an option `line`: OptionError."""
    try:
        return line_settings(text)
    except ValueError as error:
        raise OptionError(f"line: {error}") from error


class StreamMeter:
    """A `Stream` made of a port, how it is spoken, and a decoder.

    The decoder is made anew at each start, since half a telegram of before means nothing then.
    unnamed: pass on values whose channel is not among `channels`, too.
    """

    def __init__(
        self,
        port: SerialPort,
        line: LineSettings,
        decoder: Callable[[], Decoder],
        channels: Sequence[Channel],
        silence: float,
        unnamed: bool = False,
    ) -> None:
        self.silence = silence
        self._port = port
        self._line = line
        self._new_decoder = decoder
        self._decoder: Decoder | None = None
        self._channels = tuple(channels)
        self._names = frozenset(channel.name for channel in self._channels)
        self._unnamed = unnamed

    @property
    def channels(self) -> Sequence[Channel]:
        return self._channels

    def start(self) -> None:
        self._decoder = self._new_decoder()
        self._port.close()  # a network connection that died without a word is silent for ever
        self._port.open(self._line)
        self._port.discard()

    def receive(self) -> Sequence[Telegram | Corrupt]:
        if self._decoder is None:
            raise BusFault("not started")
        heard = self._decoder.feed(self._port.receive())
        return heard if self._unnamed else [self._named(one) for one in heard]

    def fileno(self) -> int | None:
        return self._port.fileno()

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""

    def _named(self, one: Telegram | Corrupt) -> Telegram | Corrupt:
        if isinstance(one, Corrupt):
            return one
        return replace(one, readings=tuple(r for r in one.readings if r.channel in self._names))
