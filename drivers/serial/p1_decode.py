"""P1 telegrams inside of ciphered frames: Luxembourg's Smarty, and Austrian meters. No I/O.

Luxmetering, "Smarty P1 specification" 1.1.3, section 3.2: security control 30, and an
authentication key that is the same for all.
"""

from __future__ import annotations

from drivers.base import Telegram
from drivers.serial import cipher
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.iec62056_decode import TELEGRAM_MAX, Iec62056Decoder

LUXEMBOURG_AUTHENTICATION_KEY = bytes.fromhex("00112233445566778899AABBCCDDEEFF")

FRAME_MAX = TELEGRAM_MAX


class CipheredP1Decoder(FrameDecoder):
    """Ciphered frames in, readings of the P1 telegrams in them out: a `Decoder`."""

    def __init__(self, aes: cipher.Cipher) -> None:
        super().__init__(FRAME_MAX)
        self._aes = aes

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        start = data.find(cipher.TAG)
        if start != 0:
            return Skip(start if start > 0 else len(data))
        try:
            frame = cipher.parse_frame(bytes(data))
            return Found(frame.length, self._inside(self._aes.decipher(frame)).readings)
        except cipher.Incomplete:
            return None
        except cipher.Undecipherable as error:
            return Skip(1, str(error))

    @staticmethod
    def _inside(plain: bytes) -> Telegram:
        text = Iec62056Decoder()
        for one in text.feed(plain) + text.close():
            if isinstance(one, Telegram):
                return one
        raise cipher.Undecipherable("deciphered, but there is no P1 telegram in it")
