"""Entries and notices as plain mappings: what every dialect with named fields writes.

Times are ISO 8601 in UTC with milliseconds. Absent means ordinary: no quality is good, no `clock`
is synchronised.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from gateway.codecs.base import About, DeviceAbout, Health, Session
from gateway.flat import Flat
from gateway.model import (
    Alarm,
    Entry,
    Gap,
    OutboxStats,
    Quality,
    Reading,
    Recorded,
    Result,
    Sample,
    State,
)

Fields = dict[str, Any]

_second = (-1, "")


def utc(wall: float) -> str:
    """Wall seconds as `2026-11-23T14:00:00.123Z`. Outside the years 1 to 9999: the nearest."""
    global _second
    millis = max(-62135596800000, min(253402300799999, round(wall * 1000)))
    second, fraction = divmod(millis, 1000)
    known, text = _second
    if second != known:
        # Readings come many to a second, and strftime is half of the cost of encoding one.
        t = time.gmtime(second)
        text = f"{t[0]:04}-{t[1]:02}-{t[2]:02}T{t[3]:02}:{t[4]:02}:{t[5]:02}"
        _second = (second, text)
    return f"{text}.{fraction:03}Z"


def recorded(entry: Entry) -> Fields:
    """An entry's own topic's payload. Every entry carries its key."""
    fields = head(entry)
    body = entry.recorded
    if type(body) is Sample:
        readings = body.readings
        if type(readings) is Flat:
            fields.update(zip(readings.channels, readings.values, strict=True))
        else:
            _readings(fields, readings)
    elif isinstance(body, Result):
        fields |= result(body)
    else:
        fields |= _rest(body)
    return fields


def head(entry: Entry) -> Fields:
    """Its number and its time."""
    key, stamp = entry.key, entry.recorded.stamp
    fields: Fields = {"epoch": key.epoch, "seq": key.seq, "time": utc(stamp.wall)}
    if not stamp.synchronised:
        fields["clock"] = "unsynchronised"
    return fields


def _readings(fields: Fields, readings: Sequence[Reading]) -> None:
    for reading in readings:
        fields[reading.channel] = reading.value
        if reading.quality is not Quality.GOOD:
            fields[reading.channel + "_quality"] = reading.quality.value


def result(answer: Result) -> Fields:
    """The answer to a command, without key and time."""
    fields: Fields = {"id": answer.id, "outcome": answer.outcome.value}
    if answer.reason:
        fields["reason"] = answer.reason
    if answer.asked is not None:
        fields["value"] = answer.asked
    if answer.state is not None:
        fields["state"] = answer.state
    if answer.source != "mqtt":
        fields["source"] = answer.source
    return fields


def _rest(body: Recorded) -> Fields:
    if isinstance(body, State):
        return {"value": body.value, "cause": body.cause}
    if isinstance(body, Alarm):
        return {"state": body.state.value, "text": body.text}
    assert isinstance(body, Gap)
    return _gap(body)


def _gap(gap: Gap) -> Fields:
    return {
        "reason": gap.reason.value,
        "gap_epoch": gap.epoch,
        "first_seq": gap.first_seq,
        "last_seq": gap.last_seq,
        "count": gap.count,
        "device": gap.device or None,
        "first_time": utc(gap.first_time) if gap.first_time else None,
        "last_time": utc(gap.last_time) if gap.last_time else None,
    }


def session(value: Session) -> Fields:
    fields: Fields = {
        "boot": value.stamp.boot_id,
        "nonce": value.nonce,
        "time": utc(value.stamp.wall),
        "epoch": value.epoch,
        "health_every": value.health_every,
    }
    if value.ended:
        fields["ended"] = value.ended
    return fields


def about(value: About) -> Fields:
    previous = value.previous
    return {
        "version": value.version,
        "description": value.description,
        "epoch": value.epoch,
        "boot": value.started.boot_id,
        "started": utc(value.started.wall),
        "previous": previous and {"epoch": previous.epoch, "durable_seq": previous.durable_seq},
        "commands": list(value.allow),
        "devices": {device.name: _device(device) for device in value.devices},
    }


def _device(device: DeviceAbout) -> Fields:
    fields: Fields = {
        "driver": device.driver,
        "description": device.description,
        "interval": device.interval,
        "channels": {
            channel.name: {"quantity": channel.quantity, "unit": unit}
            for channel, unit in zip(device.channels, device.units, strict=True)
        },
    }
    if device.action is not None:
        fields["action"] = device.action.value
    return fields


def health(value: Health) -> Fields:
    link = value.link
    return {
        "time": utc(value.stamp.wall),
        "uptime": round(value.uptime, 1),
        "clock": "synchronised" if value.stamp.synchronised else "unsynchronised",
        "epoch": value.epoch,
        "outbox": _outbox(value.outbox, value.stamp.wall),
        "link": {
            "url": link.url,
            "protocol": link.protocol,
            "since": utc(link.since),
            "connects": link.connects,
            "drops": link.drops,
            "refused": link.refused,
            "returned": link.returned,
            "callback_errors": link.callback_errors,
            "bytes_out": link.bytes_out,
            "bytes_in": link.bytes_in,
            "budget": link.budget,
            "shed": link.shed,
            "certificate_days": link.certificate_days,
            "broker_certificate_days": link.broker_certificate_days,
            "insecure": link.insecure,
        },
        "host": {
            "memory_used": value.host.memory_used,
            "memory_free": value.host.memory_free,
            "disk_free": value.host.disk_free,
            "cpu_temperature": value.host.cpu_temperature,
            "load": value.host.load,
            "throttled": value.host.throttled,
        },
        "devices_offline": list(value.devices_offline),
        **({"faults": dict(value.faults)} if value.faults else {}),
        **({"buses_held": list(value.buses_held)} if value.buses_held else {}),
        "events": dict(value.events),
    }


def _outbox(stats: OutboxStats, now: float) -> Fields:
    return {
        "last_seq": stats.last_seq,
        "recorded": stats.recorded,
        "inherited": stats.inherited,
        "accepted": stats.accepted,
        "dropped": dict(stats.dropped),
        "kept": stats.kept,
        "shelved": stats.shelved,
        "in_flight": stats.in_flight,
        "bytes_used": stats.bytes_used,
        "bytes_limit": stats.bytes_limit,
        "oldest_age": None if stats.oldest is None else round(max(0.0, now - stats.oldest), 1),
        "fill": round(fill(stats), 3),
        "time_to_full": time_to_full(stats),
        "time_to_drain": time_to_drain(stats),
        "written_today": stats.written_today,
        "storage": stats.storage,
    }


def time_to_drain(stats: OutboxStats) -> float | None:
    """Seconds until the backlog is gone at the last minute's rates; None if it is not shrinking, or
    they are not known yet."""
    waiting = stats.kept - stats.in_flight
    if waiting <= 0:
        return 0.0
    growth = growth_of(stats)
    return round(waiting / -growth, 1) if growth is not None and growth < 0 else None


def growth_of(stats: OutboxStats) -> float | None:
    """Entries a second by which the queue grows, None in the first minute."""
    if stats.rate_in is None or stats.rate_out is None:
        return None
    return stats.rate_in - stats.rate_out


def fill(stats: OutboxStats) -> float:
    """Share that is used of what readings may have of the journal; at 1.0 some have to go."""
    return stats.bytes_used / (stats.bytes_used + stats.room) if stats.bytes_used else 0.0


def time_to_full(stats: OutboxStats) -> float | None:
    """Seconds until readings have to go at the last minute's rates; None if it is not growing, or
    they are not known yet."""
    growth = (growth_of(stats) or 0.0) * stats.mean
    return round(stats.room / growth, 1) if growth > 0 else None
