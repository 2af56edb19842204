"""The ring's bytes. Pure: segments, seals and records to bytes and back.

A segment of `size` bytes (little-endian throughout):

    0          header, the first copy
    512        records, one behind the other
    size-1024  header, the second copy: in another 4 kB block than the first
    size-512   seal: what is in the segment, written when it is full

    record   0  magic   4s    D7 "TGr": no UTF-8 text holds it
             4  crc     u32   CRC-32 of the generation (8 bytes), then of all that follows
             8  length  u32   of the payload
            12  device  u8    length of the device's name
            13  klass   u8
            14  ordinal u16   place in the segment, from 0: a hole in it is a lost record
            16  group   u32   where the group of one write began: before, all was synced
            20  epoch   u32
            24  seq     u64
            32  wall    f64   seconds
            40  device, payload

The CRC is seeded with the segment's generation, which grows with every use of a segment. So what is
left from an earlier use never verifies, and a used segment need not be cleared.
"""

from __future__ import annotations

import operator
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import repeat
from typing import Any, NamedTuple

from gateway.columns import rows
from gateway.journal import Record
from gateway.model import Key, Klass

VERSION = 1
SECTOR = 512
DATA = SECTOR
TAIL = 2 * SECTOR

HEADER = struct.Struct("<8sHBxIQQQIIQ")
FIELDS = struct.Struct("<IBBHIIQd")
"""What a record's CRC covers, before the device and the payload."""
RECORD = struct.Struct("<4sI" + FIELDS.format.removeprefix("<"))
CRC = struct.Struct("<I")

KLASSES = {klass.value: klass for klass in Klass}

HEADER_MAGIC = b"TIDEGATE"
SEAL_MAGIC = b"TIDESEAL"
RECORD_MAGIC = b"\xd7TGr"

CHECKED = 8
"""A record's CRC covers it from here."""


class NewerFormat(Exception):
    """A segment was written by a later version; `version` is its format."""

    def __init__(self, version: int) -> None:
        super().__init__(f"journal format {version}, this version reads up to {VERSION}")
        self.version = version


@dataclass(frozen=True, slots=True)
class Header:
    """generation: of this use. level: how often its records were thinned. replaces: generations
    whose remains these are. previous: the last key that was in the ring before."""

    generation: int
    level: int = 0
    replaces: tuple[int, ...] = ()
    previous: Key | None = None


def pack_header(header: Header) -> bytes:
    one, two = (*header.replaces, 0, 0)[:2]
    previous = header.previous or Key(0, 0)
    fields = header.generation, one, two, previous.epoch, 0, previous.seq
    body = HEADER.pack(HEADER_MAGIC, VERSION, header.level, 0, *fields)
    return (body + CRC.pack(zlib.crc32(body))).ljust(SECTOR, b"\0")


def unpack_header(data: bytes) -> Header | None:
    """None when it does not verify. NewerFormat."""
    body, crc = data[: HEADER.size], data[HEADER.size : HEADER.size + 4]
    if len(crc) < 4 or CRC.pack(zlib.crc32(body)) != crc or body[:8] != HEADER_MAGIC:
        return None
    _, version, level, _, generation, one, two, epoch, _, seq = HEADER.unpack(body)
    if version > VERSION:
        raise NewerFormat(version)
    replaces = tuple(replaced for replaced in (one, two) if replaced)
    return Header(generation, level, replaces, Key(epoch, seq) if seq else None)


@dataclass(slots=True)
class Seal:
    """What a full segment holds. count: ordinals used. dear, urgent: bytes above telemetry, and
    records of class ALARM and above. oldest, newest: wall seconds, 0.0 where one is not known."""

    count: int
    end: int
    first: Key
    last: Key
    dear: int
    urgent: int
    oldest: float
    newest: float


def seed_of(generation: int) -> int:
    return zlib.crc32(generation.to_bytes(8, "little"))


def pack_seal(seal: Seal, generation: int) -> bytes:
    first, last = seal.first, seal.last
    body = SEAL_MAGIC + struct.pack(
        "<IIIQIQIIdd",
        *(seal.count, seal.end, first.epoch, first.seq, last.epoch, last.seq),
        *(seal.dear, seal.urgent, seal.oldest, seal.newest),
    )
    return (body + CRC.pack(zlib.crc32(body, seed_of(generation)))).ljust(SECTOR, b"\0")


def unpack_seal(data: bytes, generation: int) -> Seal | None:
    size = 8 + struct.calcsize("<IIIQIQIIdd")
    body, crc = data[:size], data[size : size + 4]
    if body[:8] != SEAL_MAGIC or CRC.pack(zlib.crc32(body, seed_of(generation))) != crc:
        return None
    count, end, e1, s1, e2, s2, dear, urgent, oldest, newest = struct.unpack(
        "<IIIQIQIIdd", body[8:]
    )
    return Seal(count, end, Key(e1, s1), Key(e2, s2), dear, urgent, oldest, newest)


def pack_record(record: Record, seed: int, ordinal: int, group: int) -> bytes:
    """ValueError when the device's name is longer than 255 bytes."""
    device = record.device.encode("utf-8", "surrogateescape")
    if len(device) > 255:
        raise ValueError(f"the name {record.device[:20]}... has {len(device)} bytes, 255 are most")
    key, payload = record.key, record.payload
    fields = FIELDS.pack(
        *(len(payload), len(device), record.klass, ordinal),
        *(group, key.epoch, key.seq, record.wall),
    )
    checked = b"".join((fields, device, payload))
    return b"".join((RECORD_MAGIC, CRC.pack(zlib.crc32(checked, seed)), checked))


def size_of(record: Record) -> int:
    """Bytes of the packed record."""
    device = record.device
    length = len(device) if device.isascii() else len(device.encode("utf-8", "surrogateescape"))
    return RECORD.size + length + len(record.payload)


def unpack_record(data: bytes, at: int, seed: int) -> Record | None:
    """The record at `at`, None when there is none that verifies."""
    head = verified(data, at, seed)
    if head is None:
        return None
    _, _, length, named, klass, _, _, epoch, seq, wall = head
    body = at + RECORD.size + named
    device = _device(data[at + RECORD.size : body])
    return Record(Key(epoch, seq), KLASSES[klass], wall, device, data[body : body + length])


@lru_cache(maxsize=256)
def _device(name: bytes) -> str:
    """The same few again and again: each is kept once."""
    return name.decode("utf-8", "surrogateescape")


def verified(data: bytes | memoryview, at: int, seed: int) -> tuple[Any, ...] | None:
    """The head of the record at `at`; None when there is none that verifies."""
    if at + RECORD.size > len(data):
        return None
    head = RECORD.unpack_from(data, at)
    stop = at + RECORD.size + head[2] + head[3]
    if head[0] != RECORD_MAGIC or stop > len(data):
        return None
    return head if zlib.crc32(data[at + CHECKED : stop], seed) == head[1] else None


class Heads(NamedTuple):
    """The heads of many records, by columns. bodies, stops: where payloads begin and end."""

    bodies: Sequence[int]
    stops: Sequence[int]
    klasses: Sequence[int]
    ordinals: Sequence[int]
    epochs: Sequence[int]
    seqs: Sequence[int]
    walls: Sequence[float]


def verified_heads(data: bytes | memoryview, ats: Sequence[int], seed: int) -> Heads | None:
    """What `verified` says at all of these places, in order; None when one does not verify."""
    if not ats or ats[-1] + RECORD.size > len(data):
        return None
    columns = zip(*map(RECORD.unpack_from, repeat(data), ats), strict=True)
    magics, crcs, lengths, named, klasses, ordinals, _, epochs, seqs, walls = columns
    bodies = [at + RECORD.size + size for at, size in zip(ats, named, strict=True)]
    stops = list(map(operator.add, bodies, lengths))
    if magics.count(RECORD_MAGIC) < len(ats) or max(stops) > len(data):
        return None
    checked = [data[at + CHECKED : stop] for at, stop in zip(ats, stops, strict=True)]
    if tuple(map(zlib.crc32, checked, repeat(seed))) != crcs:
        return None
    return Heads(bodies, stops, klasses, ordinals, epochs, seqs, walls)


def unpack_records(data: bytes, ats: Sequence[int], seed: int) -> Sequence[Record | None]:
    """`unpack_record` at all of these places, in order."""
    heads = verified_heads(data, ats, seed)
    if heads is None:
        return [unpack_record(data, at, seed) for at in ats]
    bodies, stops, klasses, _, epochs, seqs, walls = heads
    devices = [_device(data[at + RECORD.size : body]) for at, body in zip(ats, bodies, strict=True)]
    payloads = [data[body:stop] for body, stop in zip(bodies, stops, strict=True)]
    known = [KLASSES[klass] for klass in klasses]
    return rows(Record, rows(Key, epochs, seqs), known, walls, devices, payloads)
