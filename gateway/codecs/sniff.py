"""Which format a gateway's message is in, by its first byte. Pure.

Every structured payload is a mapping, and the first byte of a mapping is another in JSON (`{`), in
MessagePack (0x80 to 0x8f, 0xde, 0xdf) and in CBOR (0xa0 to 0xbf). So a consumer needs no setting.
"""

from __future__ import annotations

import json
from typing import Any

from gateway.codecs import cbor_bytes, msgpack_bytes


def format_of(payload: bytes) -> str:
    """`json`, `msgpack` or `cbor` for a mapping, else empty."""
    first = payload[0] if payload else 0
    if first & 0xF0 == msgpack_bytes.FIXMAP or first in (msgpack_bytes.MAP16, msgpack_bytes.MAP32):
        return "msgpack"
    if first & 0xE0 == cbor_bytes.MAP:
        return "cbor"
    return "json" if first == ord("{") else ""


def loads(payload: bytes) -> Any:
    """The content of a mapping in any of the formats, or of JSON. ValueError, RecursionError."""
    name = format_of(payload)
    if name == "msgpack":
        return msgpack_bytes.loads(payload)
    if name == "cbor":
        return cbor_bytes.loads(payload)
    try:
        return json.loads(payload)
    except UnicodeDecodeError:
        raise ValueError("not JSON in UTF-8, MessagePack or CBOR") from None
