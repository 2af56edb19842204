"""The ring's bytes. Pure: segments, seals and records to bytes and back, and the search for them.

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

import re
import struct
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import Any

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

BEGINNINGS = re.compile(re.escape(RECORD_MAGIC))

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


@dataclass(slots=True)
class Index:
    """Where the records of a segment are, in order. `end` is behind the last."""

    offsets: array[int] = field(default_factory=lambda: array("I"))
    ordinals: array[int] = field(default_factory=lambda: array("H"))
    epochs: array[int] = field(default_factory=lambda: array("I"))
    seqs: array[int] = field(default_factory=lambda: array("Q"))
    klasses: bytearray = field(default_factory=bytearray)
    walls: array[float] = field(default_factory=lambda: array("d"))
    end: int = DATA

    def __len__(self) -> int:
        return len(self.offsets)

    def add(
        self, at: int, stop: int, ordinal: int, klass: int, epoch: int, seq: int, wall: float
    ) -> None:
        self.offsets.append(at)
        self.ordinals.append(ordinal)
        self.epochs.append(epoch)
        self.seqs.append(seq)
        self.klasses.append(klass)
        self.walls.append(wall)
        self.end = stop

    def key(self, place: int) -> Key:
        return Key(self.epochs[place], self.seqs[place])

    def stop(self, place: int) -> int:
        """Where the record's bytes end, or a little later where the next one is damaged."""
        return self.offsets[place + 1] if place + 1 < len(self) else self.end

    def behind(self, key: Key) -> int:
        """The place of the first record with a greater key."""
        first = bisect_left(self.epochs, key.epoch)
        stop = bisect_right(self.epochs, key.epoch, first)
        return bisect_right(self.seqs, key.seq, first, stop)

    def place(self, key: Key) -> int | None:
        behind = self.behind(key)
        return behind - 1 if behind and self.key(behind - 1) == key else None

    def places(self, keys: Iterable[Key]) -> Iterator[int]:
        """Where they are, as far as they are here."""
        return (place for place in map(self.place, keys) if place is not None)

    def cut(self, length: int) -> None:
        """Only the first `length` records are left."""
        self.end = self.offsets[length] if length < len(self) else self.end
        for column in (self.offsets, self.ordinals, self.epochs, self.seqs, self.walls):
            del column[length:]
        del self.klasses[length:]


def scan(segment: bytes, generation: int) -> Index:
    """Every record that verifies. Behind damage it goes on at the next one that does."""
    data, seed = _records(segment), seed_of(generation)
    index = Index()
    for beginning in BEGINNINGS.finditer(segment, DATA):
        at = beginning.start()
        if at >= index.end and (head := verified(data, at, seed)):
            _, _, length, named, klass, ordinal, _, epoch, seq, wall = head
            stop = at + RECORD.size + named + length
            index.add(at, stop, ordinal, klass, epoch, seq, wall)
    return index


def _records(segment: bytes) -> memoryview:
    return memoryview(segment)[:-TAIL]


def guess_generation(segment: bytes, candidates: Iterable[int]) -> int | None:
    """Of a segment without a header: the first candidate with which one of its records verifies."""
    data = _records(segment)
    places = [found.start() for found in islice(BEGINNINGS.finditer(segment, DATA), 64)]
    for generation in candidates:
        seed = seed_of(generation)
        if any(verified(data, at, seed) for at in places):
            return generation
    return None
