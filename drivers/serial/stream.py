"""What every meter that speaks by itself does with its port, so that its driver need not."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from drivers.base import Channel, Corrupt, Decoder, LineSettings, SerialPort, Telegram


class StreamMeter:
    """A `Stream` made of a port, how it is spoken, and a decoder.

    The decoder is made anew at each start, since half a telegram of before means nothing then.
    """

    def __init__(
        self,
        port: SerialPort,
        line: LineSettings,
        decoder: Callable[[], Decoder],
        channels: Sequence[Channel],
        silence: float,
    ) -> None:
        self.silence = silence
        self._port = port
        self._line = line
        self._new_decoder = decoder
        self._decoder = decoder()
        self._channels = tuple(channels)

    @property
    def channels(self) -> Sequence[Channel]:
        return self._channels

    def start(self) -> None:
        self._port.open(self._line)
        self._port.discard()
        self._decoder = self._new_decoder()

    def receive(self) -> Sequence[Telegram | Corrupt]:
        return self._decoder.feed(self._port.receive())

    def fileno(self) -> int | None:
        return self._port.fileno()

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""
