"""Frames that a meter encrypts: general-glo-ciphering with AES-128 in Galois/counter mode.

DLMS UA 1000-2 (Green Book) 9.2.4.8 and 9.2.7.2. One frame:

    DB 08 TT TT TT TT TT TT TT TT   tag, length of the system title, system title
    82 LL LL                        length of the rest, in one, two or three bytes
    SC FC FC FC FC                  security control, frame counter
    ...                             ciphertext
    GG ... (12)                     tag, where SC has the bit for authentication

The one module that uses the library `cryptography`; it is imported when a key is given.
"""

from __future__ import annotations

from typing import NamedTuple

from drivers.base import OptionError

TAG = 0xDB
TITLE_LENGTH = 8
AUTHENTICATED = 0x10
ENCRYPTED = 0x20
GCM_TAG_LENGTH = 12
KEY_LENGTH = 16


class Frame(NamedTuple):
    """A ciphered frame. length: of the whole on the wire."""

    length: int
    title: bytes
    security: int
    counter: bytes
    ciphertext: bytes
    tag: bytes


class Incomplete(Exception):
    """The frame is longer than the data."""


class Undecipherable(ValueError):
    """The key is not the right one, or bits are wrong; or it is no frame: the message says."""


def parse_key(text: str) -> bytes:
    """A key of 32 hexadecimal digits; spaces, colons and dashes do not matter."""
    try:
        key = bytes.fromhex("".join(c for c in text if c not in " :-"))
    except ValueError:
        key = b""
    if len(key) != KEY_LENGTH:
        raise OptionError("a key has 32 hexadecimal digits; the grid operator gives it")
    return key


def given_key(key: str, key_file: str) -> bytes:
    """The key of a driver's two options, of which one is used."""
    if key_file:
        try:
            with open(key_file, encoding="ascii") as file:
                key = file.readline()
        except (OSError, UnicodeDecodeError) as error:
            raise OptionError(f"key_file {key_file}: {error}") from error
    return parse_key(key.strip())


def check_key_options(key: str, key_file: str) -> None:
    """What can be said of the two options without reading the file."""
    if key and key_file:
        raise OptionError("key and key_file are both given; remove one")
    if key:
        parse_key(key)


def parse_frame(data: bytes, at: int = 0) -> Frame:
    """The ciphered frame at a position."""
    head = data[at : at + 2]
    if len(head) < 2:
        raise Incomplete
    if head != bytes([TAG, TITLE_LENGTH]):
        raise Undecipherable("no ciphered frame")
    title = data[at + 2 : at + 2 + TITLE_LENGTH]
    length, body_at = _length(data, at + 2 + TITLE_LENGTH)
    body = data[body_at : body_at + length]
    if len(body) < length:
        raise Incomplete
    tag_length = GCM_TAG_LENGTH if length and body[0] & AUTHENTICATED else 0
    if length < 5 + tag_length:
        raise Undecipherable(f"a ciphered frame of {length} bytes")
    end = length - tag_length
    return Frame(body_at + length - at, title, body[0], body[1:5], body[5:end], body[end:])


def _length(data: bytes, at: int) -> tuple[int, int]:
    """A length in the encoding of ASN.1 BER, and where what it counts begins."""
    if at >= len(data):
        raise Incomplete
    count = data[at] - 0x80 if data[at] > 0x80 else 0
    if data[at] == 0x80 or count > 2:
        raise Undecipherable(f"a length in {count} bytes")
    if not count:
        return data[at], at + 1
    if at + count >= len(data):
        raise Incomplete
    return int.from_bytes(data[at + 1 : at + 1 + count], "big"), at + 1 + count


class Cipher:
    """Deciphers frames with one key.

    key: the global unicast encryption key. authentication_key: None where the meter's is unknown:
        then the tag is not checked, and only what is inside can show that the key was right.
    """

    def __init__(self, key: bytes, authentication_key: bytes | None) -> None:
        try:
            from cryptography.exceptions import InvalidTag
            from cryptography.hazmat.primitives.ciphers import Cipher as Library
            from cryptography.hazmat.primitives.ciphers import algorithms, modes
        except ImportError:
            raise OptionError(
                "encrypted telegrams need the library cryptography: "
                "sudo apt install python3-cryptography"
            ) from None
        self._library, self._modes, self._invalid = Library, modes, InvalidTag
        self._aes = algorithms.AES(key)
        self._authentication_key = authentication_key

    def decipher(self, frame: Frame) -> bytes:
        """The plain content. Undecipherable when the tag does not agree."""
        if not frame.security & ENCRYPTED:
            raise Undecipherable("a frame that is authenticated only")
        start = frame.title + frame.counter
        if self._authentication_key is None or not frame.tag:
            # Galois/counter mode enciphers like counter mode, with the counter at 2.
            counting = self._modes.CTR(start + b"\0\0\0\2")
            plain = self._library(self._aes, counting).decryptor()
            return plain.update(frame.ciphertext) + plain.finalize()
        mode = self._modes.GCM(start, frame.tag, min_tag_length=GCM_TAG_LENGTH)
        checked = self._library(self._aes, mode).decryptor()
        checked.authenticate_additional_data(bytes([frame.security]) + self._authentication_key)
        try:
            return checked.update(frame.ciphertext) + checked.finalize()
        except self._invalid:
            raise Undecipherable("cannot be deciphered: a wrong key, or wrong bits") from None
