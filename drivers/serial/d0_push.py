"""Meters with a D0 port that speak by themselves: IEC 62056-21 mode D, such as the EasyMeter Q3D.

IEC 62056-21:2002, 6.4.5: 2400 baud; most meters use 9600.
"""

from __future__ import annotations

from typing import Annotated

from drivers.base import Option, SerialPort
from drivers.serial.iec62056_data import CHANNELS
from drivers.serial.iec62056_decode import Iec62056Decoder
from drivers.serial.stream import StreamMeter, line_settings

DECODER = Iec62056Decoder

LINES = ("9600 7E1", "2400 7E1", "4800 7E1", "300 7E1", "9600 8N1")


class D0Push(StreamMeter):
    """A meter that sends its data set every few seconds.

    Nothing in such a telegram guards it but the parity bits.
    """

    def __init__(
        self,
        port: SerialPort,
        *,
        line: Annotated[str, Option("speed and frame", choices=LINES)] = "9600 7E1",
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 30.0,
        unnamed: Annotated[
            bool, Option("also values without a channel name, under their OBIS code")
        ] = False,
    ) -> None:
        super().__init__(port, line_settings(line), Iec62056Decoder, CHANNELS, silence, unnamed)


DRIVER = D0Push
