"""The backlog: many samples in one compressed message, by columns.

The payload is zlib (RFC 1950) of a mapping in the dialect's own format:

    {"history": 1, "series": [{"device": "boiler", "epoch": 7, "seq": [12345, 1, 1],
      "time": [1795442400123, 1000, 1000], "values": {"temperature": [21.4, 21.5, 21.4]}}]}

A series holds samples of one device and epoch with the same channels. `seq` and `time`
(milliseconds since 1970) are the first value and then the differences. Qualities that are not good
stand in `<channel>_quality` columns; `clock` is there when the stamps are not synchronised.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import sub
from typing import Any

from gateway.codecs.values import Fields, utc
from gateway.flat import Flat
from gateway.model import Entry, Quality, Reading, Sample

VERSION = 1
LEVEL = 5
"""zlib's own choice, 6, takes up to a third more time in batches of 200 for 0 to 2 % fewer bytes
(`bench/history_cost.py`)."""
MAX_UNPACKED = 16 << 20
"""A message that unpacks to more is not read: no gateway of ours makes one."""

Shape = tuple[str, int, bool, tuple[str, ...]]
"""What the samples of a series have in common: device, epoch, clock, channels."""
Row = tuple[int, float, Sequence[Reading]]
"""The rest of one: number, wall seconds, readings."""


def pack(entries: Sequence[Entry], dumps: Callable[[Mapping[str, Any]], bytes]) -> bytes:
    """Samples to one payload. ValueError for an entry that is no Sample."""
    return zlib.compress(dumps(content(entries)), LEVEL)


def content(entries: Sequence[Entry]) -> Fields:
    """What `pack` writes and compresses."""
    groups: dict[Shape, list[Row]] = {}
    for key, _, sample in entries:
        if not isinstance(sample, Sample):
            raise ValueError(f"history holds samples, {type(sample).__name__} goes by itself")
        device, stamp, readings, _ = sample
        channels = readings.channels if type(readings) is Flat else _channels(readings)
        shape = device, key.epoch, stamp.synchronised, channels
        group = groups.get(shape)
        if group is None:
            group = groups[shape] = []
        group.append((key.seq, stamp.wall, readings))
    return {"history": VERSION, "series": [_series(*group) for group in groups.items()]}


def _channels(readings: Sequence[Reading]) -> tuple[str, ...]:
    return tuple(reading.channel for reading in readings)


def _series(shape: Shape, group: list[Row]) -> Fields:
    device, epoch, synchronised, channels = shape
    seqs, walls, readings = zip(*group, strict=True)
    fields: Fields = {
        "device": device,
        "epoch": epoch,
        "seq": _differences(seqs),
        "time": _differences([round(wall * 1000) for wall in walls]),
    }
    if not synchronised:
        fields["clock"] = "unsynchronised"
    rows = [flat.values for flat in readings if type(flat) is Flat]
    if len(rows) == len(readings):
        columns = map(list, zip(*rows, strict=True))
        fields["values"] = dict(zip(channels, columns, strict=True))
    else:
        fields["values"] = _columns(readings)
    return fields


def _columns(readings: Sequence[Sequence[Reading]]) -> Fields:
    columns: Fields = {}
    for column in zip(*readings, strict=True):
        channel = column[0].channel
        columns[channel] = [reading.value for reading in column]
        qualities = [reading.quality for reading in column]
        if qualities.count(Quality.GOOD) < len(column):
            columns[channel + "_quality"] = [quality.value for quality in qualities]
    return columns


def _differences(values: Sequence[int]) -> list[int]:
    return [*values[:1], *map(sub, values[1:], values)]


def unpack(payload: bytes, loads: Callable[[bytes], Any] = json.loads) -> list[Fields]:
    """The samples of a history message, each as its live payload and `device`; by epoch and seq.

    ValueError says what is wrong with the payload.
    """
    content = loads(_inflate(payload))
    if not isinstance(content, dict) or content.get("history") != VERSION:
        raise ValueError(f"not a history message of version {VERSION}")
    try:
        samples = [fields for series in content["series"] for fields in _samples(series)]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"a history message with a malformed series: {error!r}") from error
    return sorted(samples, key=lambda fields: (fields["epoch"], fields["seq"]))


def _inflate(payload: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        data = inflater.decompress(payload, MAX_UNPACKED)
    except zlib.error as error:
        raise ValueError(f"not zlib data: {error}") from error
    if not inflater.eof:
        raise ValueError(f"cut short, or longer than {MAX_UNPACKED} bytes unpacked")
    return data


def _samples(series: Mapping[str, Any]) -> Iterator[Fields]:
    columns: Mapping[str, list[Any]] = series["values"]
    numbers, times = _sums(series["seq"]), _sums(series["time"])
    if any(len(column) != len(numbers) for column in [times, *columns.values()]):
        raise ValueError("a history message with columns of different lengths")
    for index, (seq, millis) in enumerate(zip(numbers, times, strict=True)):
        fields = {
            "device": series["device"],
            "epoch": series["epoch"],
            "seq": seq,
            "time": utc(millis / 1000),
        }
        if "clock" in series:
            fields["clock"] = series["clock"]
        for name, column in columns.items():
            if not (name.endswith("_quality") and column[index] == Quality.GOOD.value):
                fields[name] = column[index]
        yield fields


def _sums(differences: list[int]) -> list[int]:
    total, sums = 0, []
    for difference in differences:
        total += difference
        sums.append(total)
    return sums
