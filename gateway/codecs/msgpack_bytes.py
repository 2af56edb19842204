"""MessagePack for the dialect `msgpack`: the payloads of `json`, a third shorter.

The format: https://github.com/msgpack/msgpack/blob/master/spec.md. Integers are as short as they
can be, floats have 64 bits, nothing is an extension. What comes in is read with bounds, because
nobody vouches for it. A library would save 3 of 4 µs a reading and cost 0.3 MB of memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any

from gateway.codecs.binary import Reader, nearest, read_all

NIL, FALSE, TRUE = 0xC0, 0xC2, 0xC3
FLOAT32, FLOAT64 = 0xCA, 0xCB
UINT8, INT8 = 0xCC, 0xD0
"""Each followed by its wider ones: 8, 16, 32, 64 bits."""
STR8, STR16, STR32 = 0xD9, 0xDA, 0xDB
ARRAY16, ARRAY32, MAP16, MAP32 = 0xDC, 0xDD, 0xDE, 0xDF
FIXMAP, FIXARRAY, FIXSTR, NEGATIVE = 0x80, 0x90, 0xA0, 0xE0

_float = struct.Struct(">Bd").pack
_head8, _head16, _head32 = (struct.Struct(f">B{size}").pack for size in "BHI")
_UNSIGNED = [(0x100, ">BB", 0xCC), (0x10000, ">BH", 0xCD), (1 << 32, ">BI", 0xCE)]
_SIGNED = [(-0x80, ">Bb", 0xD0), (-0x8000, ">Bh", 0xD1), (-(1 << 31), ">Bi", 0xD2)]


def dumps(fields: Mapping[str, Any]) -> bytes:
    """As JSON has them: a number that is not finite becomes null; beyond 64 bits, a float."""
    parts: list[bytes] = []
    _write(fields, parts.append)
    return b"".join(parts)


def _write(value: Any, put: Callable[[bytes], None]) -> None:
    if isinstance(value, str):
        data = value.encode("utf-8", "replace")  # half a surrogate pair: "?"
        put(_str_head(len(data)) + data)
    elif value is None or isinstance(value, bool):
        put(bytes((NIL if value is None else TRUE if value else FALSE,)))
    elif isinstance(value, int):
        put(_integer(value))
    elif isinstance(value, float):
        put(_real(value))
    elif isinstance(value, Mapping):
        put(_head(len(value), FIXMAP, MAP16))
        for name, inner in value.items():
            _write(name, put)
            _write(inner, put)
    elif isinstance(value, list | tuple):
        put(_head(len(value), FIXARRAY, ARRAY16))
        for inner in value:
            _write(inner, put)
    else:
        raise TypeError(f"{type(value).__name__} has no notation")


def _str_head(size: int) -> bytes:
    if size < 32:
        return bytes((FIXSTR | size,))
    if size < 0x100:
        return _head8(STR8, size)
    return _head16(STR16, size) if size < 0x10000 else _head32(STR32, size)


def _head(size: int, fixed: int, wide: int) -> bytes:
    if size < 16:
        return bytes((fixed | size,))
    return _head16(wide, size) if size < 0x10000 else _head32(wide + 1, size)


def _integer(value: int) -> bytes:
    if -32 <= value < 128:
        return bytes((value & 0xFF,))
    if value > 0:
        for bound, form, code in _UNSIGNED:
            if value < bound:
                return struct.pack(form, code, value)
        return struct.pack(">BQ", 0xCF, value) if value < 1 << 64 else _real(nearest(value))
    for bound, form, code in _SIGNED:
        if value >= bound:
            return struct.pack(form, code, value)
    return struct.pack(">Bq", 0xD3, value) if value >= -(1 << 63) else _real(nearest(value))


def _real(value: float) -> bytes:
    """What is not finite is nil."""
    return _float(FLOAT64, value) if value - value == 0.0 else bytes((NIL,))


def loads(payload: bytes) -> Any:
    """One whole value of text, numbers, booleans, nil, arrays and maps; else ValueError."""
    return read_all(payload, _read, "MessagePack")


def _read(reader: Reader, depth: int) -> Any:
    code = reader.byte()
    if code < FIXMAP:
        return code
    if code >= NEGATIVE:
        return code - 0x100
    if code < FIXARRAY:
        return reader.mapping(code & 0x0F, _read, depth)
    if code < FIXSTR:
        return reader.array(code & 0x0F, _read, depth)
    if code < NIL:
        return reader.text(code & 0x1F)
    return _read_wide(reader, code, depth)


def _read_wide(reader: Reader, code: int, depth: int) -> Any:
    match code:
        case 0xC0 | 0xC2 | 0xC3:
            return {NIL: None, FALSE: False, TRUE: True}[code]
        case 0xCA | 0xCB:
            return reader.floating(4 if code == FLOAT32 else 8)
        case 0xCC | 0xCD | 0xCE | 0xCF:
            return reader.integer(1 << (code - UINT8))
        case 0xD0 | 0xD1 | 0xD2 | 0xD3:
            return reader.integer(1 << (code - INT8), signed=True)
        case 0xD9 | 0xDA | 0xDB:
            return reader.text(reader.integer(1 << (code - STR8)))
        case 0xDC | 0xDD:
            return reader.array(reader.integer(2 << (code - ARRAY16)), _read, depth)
        case 0xDE | 0xDF:
            return reader.mapping(reader.integer(2 << (code - MAP16)), _read, depth)
    raise ValueError(f"type {code:#04x} is not used here")
