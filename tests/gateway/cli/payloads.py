"""Messages made by the real dialect, as (topic, payload, retain)."""

from __future__ import annotations

from collections.abc import Sequence

from drivers.base import Action, Channel, Quality, Reading, Value
from gateway.codecs import json_
from gateway.codecs.base import (
    About,
    DeviceAbout,
    Health,
    LinkStatus,
    Publication,
    Session,
    Settlement,
)
from gateway.model import Entry, Key, Klass, OutboxStats, Outcome, Result, Sample, Stamp, State

DIALECT = json_.dialect(root="tidegate", gateway="shed", qos={}, restamp=lambda stamp: stamp)
WALL = 1_795_442_400.0


def stamp(wall: float = WALL, synchronised: bool = True) -> Stamp:
    return Stamp(wall, 100.0, "abcdef01", synchronised)


def sample(
    seq: int,
    epoch: int = 7,
    device: str = "boiler",
    value: Value = 21.4,
    quality: Quality = Quality.GOOD,
    when: Stamp | None = None,
) -> Entry:
    readings = (Reading("temperature", value, quality),)
    recorded = Sample(device, when or stamp(), readings)
    return Entry(Key(epoch, seq), Klass.TELEMETRY, recorded)


def state(seq: int, value: Value, device: str = "heater", epoch: int = 7) -> Entry:
    return Entry(Key(epoch, seq), Klass.RESULT, State(device, stamp(), value, "start"))


def result(
    seq: int,
    command_id: str,
    value: Value,
    outcome: Outcome = Outcome.DONE,
    device: str = "heater",
) -> Entry:
    answer = Result(command_id, device, stamp(), outcome, state=value)
    return Entry(Key(7, seq), Klass.RESULT, answer)


def about(epoch: int = 7, previous: Settlement | None = None) -> Publication:
    temperature, power = Channel("temperature", "temperature"), Channel("power", "power")
    relay = Channel("relay", "state")
    devices = (
        DeviceAbout("boiler", "bme280", (temperature, power), ("°C", "W"), 1.0),
        DeviceAbout("heater", "relay", (relay,), ("",), action=Action.SET),
    )
    return DIALECT.about(About("0.1.0", epoch, stamp(), devices, previous))


def health(
    last_seq: int, kept: int = 0, oldest: float | None = None, epoch: int = 7
) -> Publication:
    stats = OutboxStats(
        epoch=epoch,
        last_seq=last_seq,
        recorded=last_seq,
        inherited=0,
        accepted=last_seq - kept,
        dropped={"oldest": 2},
        kept=kept,
        shelved=0,
        in_flight=0,
        bytes_used=0,
        bytes_limit=1 << 20,
        oldest=oldest,
        written_today=0,
        storage="ok",
        rate_in=1.0,
        rate_out=1.0,
        room=1 << 20,
        mean=0.0,
    )
    link = LinkStatus(True, WALL - 60, "mqtt://127.0.0.1:1883", "5", connects=3)
    return DIALECT.health(Health(stamp(), 60.0, epoch, stats, link))


def session(nonce: str) -> Publication:
    return DIALECT.session(Session(stamp(), nonce, 7, 60.0))


def live(entries: Sequence[Entry]) -> list[Publication]:
    return [publication for entry in entries for publication in DIALECT.live(entry)]
