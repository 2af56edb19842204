"""Smart meters that push DLMS lists to a customer port: Norway, Sweden, Austria, Switzerland.

Aidon, Kaifa and Kamstrup in Norway and Sweden (NEK HAN, 2400 8E1 or 8N1), Kaifa MA110M and MA309M,
Sagemcom and Iskra in Austria (2400 8E1 or 9600 8N1, ciphered), Landis+Gyr E360, E450 and E570 and
Iskraemeco AM550 in Switzerland, Landis+Gyr E450 in Austria and Cyprus.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated

from drivers.base import Option, SerialPort
from drivers.serial.cipher import check_key_options, given_key, parse_key
from drivers.serial.dlms_decode import DlmsDecoder
from drivers.serial.dlms_values import CHANNELS
from drivers.serial.stream import StreamMeter, checked_line

DECODER = DlmsDecoder


class Dlms(StreamMeter):
    """A customer port, over an M-Bus level converter (slave side) or an optical head."""

    def __init__(
        self,
        port: SerialPort,
        *,
        line: Annotated[str, Option("2400 8E1, or 2400 8N1, 9600 8N1, 115200 8N1")] = "2400 8E1",
        key: Annotated[
            str, Option("32 hexadecimal digits, for ciphered messages", secret=True)
        ] = "",
        key_file: Annotated[str, Option("file with the key on its first line")] = "",
        authentication_key: Annotated[
            str, Option("32 hexadecimal digits, to check the cipher's own tag", secret=True)
        ] = "",
        silence: Annotated[
            float, Option("offline without a telegram for so long", "s", low=1)
        ] = 60.0,
        unnamed: Annotated[
            bool, Option("also values without a channel name, under their OBIS code")
        ] = False,
    ) -> None:
        check_key_options(key, key_file)
        if authentication_key:
            parse_key(authentication_key)
        decoder = partial(_decoder, key, key_file, authentication_key)
        super().__init__(port, checked_line(line), decoder, CHANNELS, silence, unnamed)


def _decoder(key: str, key_file: str, authentication_key: str) -> DlmsDecoder:
    if key or key_file:
        key = given_key(key, key_file).hex()
    return DlmsDecoder(key=key, authentication_key=authentication_key)


DRIVER = Dlms
