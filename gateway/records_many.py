"""The records of a backlog, decoded many at once. Pure.

Nearly all of them are samples of which no reading has more than a channel and a plain value. Where
all that are looked at together are, they are decoded by columns; else each goes its own way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any

from gateway.columns import rows
from gateway.flat import Flat, known
from gateway.model import Recorded, Sample, Stamp
from gateway.records import COUNTER, FLAT, NO_RECORD, RecordError, decode, loads_strictly

STRIDE = 100
"""Records that are decoded together: one that is no plain sample slows so many down."""


def decode_all(payloads: Sequence[bytes]) -> list[Recorded | RecordError]:
    """What `decode` makes of each, or raises for it."""
    decoded: list[Recorded | RecordError] = []
    for first in range(0, len(payloads), STRIDE):
        some = payloads[first : first + STRIDE]
        try:
            decoded += _samples(some)
        except NO_RECORD:
            decoded += map(_decoded, some)
    return decoded


def _decoded(payload: bytes) -> Recorded | RecordError:
    try:
        return decode(payload)
    except RecordError as error:
        return error


def _samples(payloads: Sequence[bytes]) -> list[Sample]:
    """One of NO_RECORD unless all of them are plain samples."""
    if b"{" in b"".join(payloads):
        raise ValueError("a value that needs an object")
    arrays = list(map(loads_strictly, payloads))
    kinds, devices, stamps = (list(map(itemgetter(field), arrays)) for field in range(3))
    if not all(map(FLAT.__contains__, kinds)):
        raise ValueError("not samples only")
    readings = list(_readings(devices, arrays))
    return rows(Sample, devices, _stamps(stamps), readings, [kind == COUNTER for kind in kinds])


def _stamps(arrays: Sequence[Any]) -> list[Stamp]:
    walls, boots, boot_ids, synchronised = zip(*arrays, strict=True)
    times = list(map(float, walls)), list(map(float, boots))
    return rows(Stamp, *times, boot_ids, list(map(bool, synchronised)))


def _readings(devices: Sequence[str], arrays: Sequence[list[Any]]) -> Iterator[Flat]:
    shapes: dict[str, tuple[list[str], tuple[str, ...]]] = {}
    for device, array in zip(devices, arrays, strict=True):
        names, values = array[3::2], array[4::2]
        # To compare with what the device had before is cheaper than to look the names up.
        shape = shapes.get(device)
        if shape is None or shape[0] != names:
            shape = shapes[device] = names, known(tuple(names))
        if len(values) != len(names):
            raise ValueError("a channel without a value")
        yield Flat(shape[1], values)
