"""Electricity meters that push SML through an optical head: the German eHZ and its successors.

BSI TR-03109-1, annex IV b; FNN Lastenheft EDL 1.0 and "Basiszähler": 9600 8N1, a telegram every
one to four seconds. Meters give more values, and finer ones, after their PIN was entered.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from drivers.base import LineSettings, Option, SerialPort
from drivers.serial.obis import CHANNELS
from drivers.serial.sml_decode import SmlDecoder
from drivers.serial.stream import StreamMeter

DECODER = SmlDecoder


class Sml(StreamMeter):
    """An SML meter.

    silence: seconds; a meter sends at least every 4 s, so 15 s means that the head has slipped.
    """

    def __init__(
        self,
        port: SerialPort,
        *,
        baudrate: Annotated[int, Option("speed of the line", "Bd", low=300, high=921600)] = 9600,
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 15.0,
        signed_power: Annotated[
            bool,
            Option("power with a sign from the status word, for a meter that sends 15.7.0 only"),
        ] = False,
        unnamed: Annotated[
            bool, Option("also values without a channel name, under their OBIS code")
        ] = False,
    ) -> None:
        decoder = partial(SmlDecoder, signed_power=signed_power)
        super().__init__(port, LineSettings(baudrate), decoder, CHANNELS, silence, unnamed)


DRIVER = Sml
