"""What is recorded, as bytes in the journal and back. Pure.

A record is one compact JSON array: a kind, then the fields in the order of `model`. Arrays and not
objects, because names would be a third of the bytes; JSON and not a binary form, because it is
read by every tool when a card lies on somebody's desk, and the faster parser needs no new format.
A sample ends with its readings: channel, value, channel, value; one of which there is more to say
is an array of its own. Stamps have milliseconds, as the messages do.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Callable, Sequence
from typing import Any

from gateway.flat import Flat, known
from gateway.model import (
    Alarm,
    AlarmState,
    Gap,
    GapReason,
    Klass,
    Outcome,
    Quality,
    Reading,
    Recorded,
    Result,
    Sample,
    Stamp,
    State,
    Value,
)

GOOD = Quality.GOOD
TELEMETRY, COUNTER = FLAT = "T", "C"
"""Kinds of records that are samples."""
LARGEST = 2**63 - 1
"""Integers beyond are written as text: the faster parser does not take them."""


class RecordError(ValueError):
    """The bytes are no record of a kind that this version knows."""


NO_RECORD = ValueError, TypeError, LookupError, AttributeError, OverflowError, StopIteration
"""What decoding raises for what is none."""


def _dumps(array: list[Any]) -> bytes:
    text = json.dumps(array, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")


def _loads(data: bytes) -> Any:
    return json.loads(data.decode("utf-8", "surrogatepass"))


def _fast() -> tuple[Callable[[list[Any]], bytes], Callable[[bytes], Any], Callable[[bytes], Any]]:
    """Orjson where it is installed, for what it can hold; the standard library for the rest."""
    try:
        import orjson
    except ImportError:
        return _dumps, _loads, _loads

    def dumps(array: list[Any]) -> bytes:
        try:
            # A copy: orjson's own takes a block of some 3 kB, however short it is.
            return memoryview(orjson.dumps(array)).tobytes()
        except TypeError:
            return _dumps(array)

    def loads(data: bytes) -> Any:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            return _loads(data)

    return dumps, loads, orjson.loads


dumps, loads, loads_strictly = _fast()
"""loads_strictly: as loads, but ValueError for what only the standard library takes."""


def klass_of(recorded: Recorded) -> Klass:
    """How dear it is. A state says what a command did, so it counts as a result."""
    match recorded:
        case Sample():
            return Klass.COUNTER if recorded.counter else Klass.TELEMETRY
        case Result() | State():
            return Klass.RESULT
        case Alarm():
            return Klass.ALARM
        case Gap():
            return Klass.GAP


def device_of(recorded: Recorded) -> str:
    """The device that it concerns, "" for none."""
    return "" if isinstance(recorded, Alarm) else recorded.device


def wall_of(recorded: Recorded) -> float:
    """When by the wall clock, in seconds; 0.0 when that clock was not synchronised."""
    return recorded.stamp.wall if recorded.stamp.synchronised else 0.0


def encode(recorded: Recorded) -> bytes:
    """One record. ValueError when a value is none that JSON or this format can hold."""
    match recorded:
        case Sample():
            return dumps(_sample(recorded))
        case Result():
            return dumps(_result(recorded))
        case State(device, stamp, value, cause):
            return dumps(["S", device, _stamp(stamp), _value(value), cause])
        case Alarm(name, stamp, state, text):
            return dumps(["A", name, _stamp(stamp), state.value, text])
        case Gap():
            return dumps(_gap(recorded))


def decode(data: bytes) -> Recorded:
    """The inverse of `encode`. RecordError for anything else."""
    try:
        array = loads(data)
        if array[0] in FLAT and b"{" not in data:
            return _unflat(array)
        return _DECODERS[array[0]](*array[1:])
    except NO_RECORD as error:
        raise RecordError(f"not a record: {data[:60]!r}: {error}") from error


def _value(value: Value | None) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else {"float": repr(value)}
    if type(value) is int and not -LARGEST <= value <= LARGEST:
        return {"int": str(value)}
    return value


def _unvalue(value: Any) -> Any:
    if isinstance(value, dict):
        [(kind, text)] = value.items()
        return {"float": float, "int": int}[kind](text)
    return value


def _stamp(stamp: Stamp) -> list[Any]:
    return [round(stamp.wall, 3), round(stamp.boot, 3), stamp.boot_id, int(stamp.synchronised)]


def _unstamp(array: list[Any]) -> Stamp:
    wall, boot, boot_id, synchronised = array
    return Stamp(float(wall), float(boot), boot_id, bool(synchronised))


def _sample(sample: Sample) -> list[Any]:
    kind = COUNTER if sample.counter else TELEMETRY
    array = [kind, sample.device, _stamp(sample.stamp)]
    if type(sample.readings) is Flat:
        for channel, value in zip(sample.readings.channels, sample.readings.values, strict=True):
            array += channel, _value(value)
        return array
    for channel, value, quality, code, quantity in sample.readings:
        if type(value) is not str:
            value = _value(value)
        if quality is not GOOD or code or quantity:
            array.append([channel, value, quality.value, code, quantity])
        else:
            array += (channel, value)
    return array


def _unsample(device: str, stamp: list[Any], fields: Sequence[Any], counter: bool) -> Sample:
    readings, rest = [], iter(fields)
    for first in rest:
        if type(first) is str:
            value = next(rest)
            if type(value) is dict:
                value = _unvalue(value)
            readings.append(Reading(first, value))
        else:
            channel, value, quality, code, quantity = first
            readings.append(Reading(channel, _unvalue(value), Quality(quality), code, quantity))
    return Sample(device, _unstamp(stamp), tuple(readings), counter)


def _unflat(array: list[Any]) -> Sample:
    """A sample of which no reading has more than a channel and a plain value: nearly every one."""
    try:
        channels, values = known(tuple(array[3::2])), array[4::2]
    except TypeError:
        # The first reading of which there is more stands where a channel does, and is a list.
        return _unsample(array[1], array[2], array[3:], array[0] == COUNTER)
    if len(channels) != len(values):
        raise ValueError("a channel without a value")
    return Sample(array[1], _unstamp(array[2]), Flat(channels, values), array[0] == COUNTER)


def _telemetry(device: str, stamp: list[Any], *fields: Any) -> Sample:
    return _unsample(device, stamp, fields, False)


def _counter(device: str, stamp: list[Any], *fields: Any) -> Sample:
    return _unsample(device, stamp, fields, True)


def _result(result: Result) -> list[Any]:
    return [
        "R",
        result.id,
        result.device,
        _stamp(result.stamp),
        result.outcome.value,
        result.reason,
        _value(result.state),
        result.source,
        result.response_topic,
        base64.b64encode(result.correlation).decode("ascii"),
        _value(result.asked),
    ]


def _unresult(
    ident: str,
    device: str,
    stamp: list[Any],
    outcome: str,
    reason: str,
    state: Any,
    source: str,
    response_topic: str,
    correlation: str,
    asked: Any = None,
) -> Result:
    return Result(
        ident,
        device,
        _unstamp(stamp),
        Outcome(outcome),
        reason,
        _unvalue(state),
        source,
        response_topic,
        base64.b64decode(correlation),
        _unvalue(asked),
    )


def _unstate(device: str, stamp: list[Any], value: Any, cause: str) -> State:
    return State(device, _unstamp(stamp), _unvalue(value), cause)


def _unalarm(name: str, stamp: list[Any], state: str, text: str) -> Alarm:
    return Alarm(name, _unstamp(stamp), AlarmState(state), text)


def _gap(gap: Gap) -> list[Any]:
    return [
        "G",
        gap.reason.value,
        _stamp(gap.stamp),
        gap.epoch,
        gap.first_seq,
        gap.last_seq,
        gap.count,
        gap.device,
        gap.first_time,
        gap.last_time,
    ]


def _ungap(reason: str, stamp: list[Any], epoch: int, first: int, *rest: Any) -> Gap:
    last, count, device, first_time, last_time = rest
    times = float(first_time), float(last_time)
    return Gap(GapReason(reason), _unstamp(stamp), epoch, first, last, count, device, *times)


_DECODERS: dict[str, Callable[..., Recorded]] = {
    TELEMETRY: _telemetry,
    COUNTER: _counter,
    "R": _unresult,
    "S": _unstate,
    "A": _unalarm,
    "G": _ungap,
}
