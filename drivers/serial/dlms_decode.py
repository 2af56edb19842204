"""Smart meters' pushed DLMS messages to readings: a `Decoder`. No I/O.

Frames are those of `dlms_frame`, the message in them is plain or ciphered (general-glo-ciphering),
and what it lists is read by `dlms_values`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeAlias

from drivers.base import Option, Reading
from drivers.serial import cipher
from drivers.serial.dlms_blocks import BLOCK, block
from drivers.serial.dlms_data import NOTIFICATION, Malformed, notification
from drivers.serial.dlms_frame import (
    FLAG,
    LLC,
    MBUS_START,
    Bad,
    Frame,
    hdlc_frame,
    mbus_frame,
)
from drivers.serial.dlms_values import readings
from drivers.serial.framing import Found, FrameDecoder, Quiet, Skip

Frames: TypeAlias = Callable[[bytearray, int], "tuple[int, list[Frame]] | None"]

CAP = 8192
"""The longest lists have some 1200 bytes."""


class DlmsDecoder(FrameDecoder):
    """Bytes of a customer interface in, telegrams out, whichever framing comes.

    key: of general-glo-ciphering, "": messages are plain. authentication_key: "": the cipher's own
    tag is not checked; the frames' checksums are in any case.
    """

    def __init__(
        self,
        *,
        key: Annotated[str, Option("32 hexadecimal digits", secret=True)] = "",
        authentication_key: Annotated[str, Option("32 hexadecimal digits", secret=True)] = "",
    ) -> None:
        super().__init__(CAP)
        self._aes: cipher.Cipher | None = None
        if key:
            checked = cipher.parse_key(authentication_key) if authentication_key else None
            self._aes = cipher.Cipher(cipher.parse_key(key), checked)
        self._behind_flag = False
        self._good = False

    def scan(self, data: bytearray, final: bool) -> Found | Skip | Quiet | None:
        shared, self._behind_flag = self._behind_flag, False
        try:
            if data[0] == MBUS_START:
                return self._message(data, _mbus_frames, 0)
            if data[0] == FLAG or shared:
                return self._by_hdlc(data, shared, final)
        except Bad as error:
            return Skip(1) if data[0] != FLAG or len(data) < 3 else Skip(1, f"{error}")
        starts = (data.find(FLAG, 1), data.find(MBUS_START, 1))
        return Skip(min((at for at in starts if at > 0), default=len(data)))

    def _by_hdlc(self, data: bytearray, shared: bool, final: bool) -> Found | Skip | Quiet | None:
        """Two frames may share one flag, and flags may fill a pause."""
        if shared and data[0] == FLAG and (data[1:2] == bytes([FLAG]) or (final and len(data) < 2)):
            self._behind_flag = True
            return Quiet(1) if self._good else Skip(1)
        try:
            found = self._message(data, _hdlc_frames, 1 if data[0] == FLAG else 0)
        except Bad:
            if data[0] == FLAG:
                raise
            return self.scan(data, final)  # what stood before was no shared flag
        if found is None:
            self._behind_flag = shared
        else:
            self._behind_flag = data[found.length - 1] == FLAG
            self._good = isinstance(found, Found)
        return found

    def _message(self, data: bytearray, frames: Frames, at: int) -> Found | Skip | None:
        try:
            whole = _whole(data, frames, at)
        except Broken as error:
            return Skip(error.length, f"{error}")
        if whole is None:
            return None
        length, bad, content = whole
        if not content:
            return Skip(length, "a frame without content", complete=True)
        try:
            return Found(length, self._read(content))
        except (Malformed, cipher.Undecipherable) as error:
            return Skip(bad, f"{error}", complete=True)
        except cipher.Incomplete:
            return Skip(bad, "a ciphered message that ends too early", complete=True)

    def _read(self, content: bytes) -> tuple[Reading, ...]:
        if content[:1] == bytes([cipher.TAG]):
            if self._aes is None:
                raise Malformed("a ciphered message: the grid operator gives the key")
            content = self._aes.decipher(cipher.parse_frame(content))
            if content[:1] != bytes([NOTIFICATION]):
                raise cipher.Undecipherable("cannot be deciphered: a wrong key, or wrong bits")
        return readings(notification(content))


class Broken(Exception):
    """A message of several blocks of which one is not there. length: of its first frame."""

    def __init__(self, length: int, reason: str) -> None:
        super().__init__(reason)
        self.length = length


def _whole(data: bytearray, frames: Frames, at: int) -> tuple[int, int, bytes] | None:
    """A message: where it ends, what to skip of it if it is bad, and its content without LLC.

    Behind a piece whose others were lost a whole message may begin. Bad, Broken.
    """
    content, number, skip = b"", 1, 0
    while True:
        try:
            found = frames(data, at)
            if found is None:
                return None
            at, parts = found
            piece = b"".join(part.data for part in parts).removeprefix(LLC)
            if not skip:
                skip = at if len(parts) == 1 else _first_end(data, parts)
                if piece[:1] != bytes([BLOCK]):
                    return at, skip, piece
            one = block(piece)
        except (Bad, Malformed) as error:
            if not skip:
                raise
            raise Broken(skip, f"{error}") from error
        if one.number != number:
            raise Broken(skip, f"block {one.number} where {number} should come")
        content += one.data
        number += 1
        if one.last:
            return at, skip, content


def _first_end(data: bytearray, parts: list[Frame]) -> int:
    flags = len(data) - len(data.lstrip(bytes([FLAG])))
    return flags + parts[0].length


def _hdlc_frames(data: bytearray, at: int) -> tuple[int, list[Frame]] | None:
    """All frames of one message, and how many bytes they take with the closing flag."""
    frames: list[Frame] = []
    while True:
        while at < len(data) and data[at] == FLAG:
            at += 1
        frame = hdlc_frame(data, at, len(frames))
        if frame is None:
            return None
        frames.append(frame)
        at += frame.length + 1
        if frame.last:
            return at, frames


def _mbus_frames(data: bytearray, at: int) -> tuple[int, list[Frame]] | None:
    frames: list[Frame] = []
    while at < len(data):
        frame = mbus_frame(data, at)
        if frame is None:
            return None
        if frame.number != len(frames):
            raise Bad(f"segment {frame.number} where {len(frames)} should come")
        frames.append(frame)
        at += frame.length
        if frame.last:
            return at, frames
    return None
