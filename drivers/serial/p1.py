"""Smart meters with a P1 port: DSMR 2.2 to 5, ESMR, Fluvius, Luxembourg, Sweden and others.

DSMR P1 Companion Standard 5.0.2, 5.7 and 6: the meter sends every second (version 5) or every ten.
Read over a P1 cable, whose signal is inverted; see hardware/p1.md.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from drivers.base import Decoder, Option, SerialPort
from drivers.serial.cipher import Cipher, check_key_options, given_key
from drivers.serial.iec62056_data import CHANNELS
from drivers.serial.iec62056_decode import Iec62056Decoder
from drivers.serial.p1_decode import LUXEMBOURG_AUTHENTICATION_KEY, CipheredP1Decoder
from drivers.serial.stream import StreamMeter, line_settings

LINES = ("115200 8N1", "9600 7E1", "9600 8N1")


def p1_decoder(
    *,
    key: Annotated[str, Option("32 hexadecimal digits, for encrypted telegrams", secret=True)] = "",
    check_tag: Annotated[
        bool, Option("check the cipher's own tag; off for a meter with another authentication key")
    ] = True,
) -> Decoder:
    """A decoder of telegrams, ciphered with a key or plain."""
    return _ciphered(key, "", check_tag) if key else Iec62056Decoder()


DECODER = p1_decoder


class P1(StreamMeter):
    """A P1 port. With a key, telegrams are deciphered first."""

    def __init__(
        self,
        port: SerialPort,
        *,
        line: Annotated[
            str, Option("115200 8N1, or 9600 7E1 for DSMR 2.2 and 3.0", choices=LINES)
        ] = "115200 8N1",
        key: Annotated[
            str, Option("32 hexadecimal digits, for encrypted telegrams", secret=True)
        ] = "",
        key_file: Annotated[str, Option("file with the key on its first line")] = "",
        check_tag: Annotated[
            bool,
            Option("check the cipher's own tag; off for a meter with another authentication key"),
        ] = True,
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 35.0,
        unnamed: Annotated[
            bool, Option("also values without a channel name, under their OBIS code")
        ] = False,
    ) -> None:
        check_key_options(key, key_file)
        decoder: Callable[[], Decoder] = Iec62056Decoder
        if key or key_file:
            decoder = partial(_ciphered, key, key_file, check_tag)
        super().__init__(port, line_settings(line), decoder, CHANNELS, silence, unnamed)


def _ciphered(key: str, key_file: str, check_tag: bool) -> Decoder:
    authentication = LUXEMBOURG_AUTHENTICATION_KEY if check_tag else None
    return CipheredP1Decoder(Cipher(given_key(key, key_file), authentication))


DRIVER = P1
