"""Entries and messages that the codecs' tests share."""

from __future__ import annotations

from typing import Any

from drivers.base import Quality, Reading
from gateway.codecs.base import Inbound
from gateway.model import Entry, Key, Klass, Recorded, Sample, Stamp

STAMP = Stamp(1795442400.123, 1000.0, "abcd1234", True)
UNSURE = Stamp(86400.5, 12.0, "abcd1234", False)


def entry(recorded: Recorded, seq: int = 12345) -> Entry:
    return Entry(Key(7, seq), Klass.TELEMETRY, recorded)


def sample(
    temperature: float | None = 21.4,
    quality: Quality = Quality.GOOD,
    stamp: Stamp = STAMP,
    device: str = "boiler",
) -> Sample:
    readings = (Reading("temperature", temperature, quality), Reading("humidity", 55.1))
    return Sample(device, stamp, readings)


def inbound(payload: bytes, topic: str = "tidegate/g/pump/set", **more: Any) -> Inbound:
    fields: dict[str, Any] = {
        "topic": topic,
        "payload": payload,
        "received": STAMP,
        "message_id": "m-1",
    }
    return Inbound(**(fields | more))
