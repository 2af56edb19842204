"""Ciphers frames, for tests: the opposite of drivers/serial/cipher.py."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TITLE = b"SAGTEST1"
COUNTER = b"\x00\x00\x01\x02"


def ciphered(plain: bytes, key: bytes, authentication_key: bytes, security: int = 0x30) -> bytes:
    """One general-glo-ciphering frame with a tag of 12 bytes."""
    encryptor = Cipher(algorithms.AES(key), modes.GCM(TITLE + COUNTER)).encryptor()
    encryptor.authenticate_additional_data(bytes([security]) + authentication_key)
    text = encryptor.update(plain) + encryptor.finalize()
    body = bytes([security]) + COUNTER + text + encryptor.tag[:12]
    return b"\xdb\x08" + TITLE + length(len(body)) + body


def length(value: int) -> bytes:
    if value < 0x80:
        return bytes([value])
    if value < 0x100:
        return bytes([0x81, value])
    return b"\x82" + value.to_bytes(2, "big")
