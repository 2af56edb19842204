"""Health as Prometheus takes it, read back by the Prometheus project's own parser."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.codecs.base import Health, HostHealth, LinkStatus
from gateway.metrics import DeviceHealth, exposition
from gateway.model import OutboxStats, Stamp

STATS = OutboxStats(
    epoch=7, last_seq=120, recorded=120, inherited=5, accepted=100, dropped={"expired": 3},
    kept=22, shelved=0, in_flight=4, bytes_used=4096, bytes_limit=1 << 20, oldest=1000.0,
    written_today=0, storage="ok", rate_in=1.0, rate_out=2.0, room=61440, mean=128.0,
)  # fmt: skip
HEALTH = Health(
    Stamp(1060.0, 50.0, "0badcafe", True),
    12.5,
    7,
    STATS,
    LinkStatus(True, 1000.0, "mqtt://h:1883", "5", connects=2, drops=1),
    HostHealth(memory_used=36 << 20, load=0.5),
    events={"looks": 9},
)
DEVICES = [
    DeviceHealth("cellar", True, looks=9),
    DeviceHealth('odd "name"\\', False, "no answer", failures=2),
    DeviceHealth("new", None),
]


def samples() -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    found = {}
    for family in text_string_to_metric_families(exposition(HEALTH, DEVICES, "1.2.3")):
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found
            found[key] = sample.value
    return found


@pytest.mark.parametrize(
    ("name", "labels", "value"),
    [
        ("tidegate_info", {"version": "1.2.3"}, 1),
        ("tidegate_outbox_recorded_total", {}, 120),
        ("tidegate_outbox_inherited", {}, 5),
        ("tidegate_outbox_accepted_total", {}, 100),
        ("tidegate_outbox_dropped_total", {"reason": "expired"}, 3),
        ("tidegate_outbox_kept", {}, 22),
        ("tidegate_outbox_fill_ratio", {}, 0.0625),
        ("tidegate_outbox_shelved", {}, 0),
        ("tidegate_outbox_oldest_age_seconds", {}, 60),
        ("tidegate_outbox_storage_ok", {}, 1),
        ("tidegate_link_connected", {}, 1),
        ("tidegate_link_drops_total", {}, 1),
        ("tidegate_memory_used_bytes", {}, 36 << 20),
        ("tidegate_clock_synchronised", {}, 1),
        ("tidegate_events_total", {"event": "looks"}, 9),
        ("tidegate_device_online", {"device": "cellar"}, 1),
        ("tidegate_device_online", {"device": 'odd "name"\\'}, 0),
        ("tidegate_device_failures_total", {"device": 'odd "name"\\'}, 2),
    ],
)
def test_what_prometheus_reads(name: str, labels: dict[str, str], value: float) -> None:
    assert samples()[(name, tuple(sorted(labels.items())))] == value


def test_what_this_machine_cannot_tell_is_left_out() -> None:
    names = {name for name, _ in samples()}
    assert "tidegate_cpu_celsius" not in names
    assert "tidegate_link_certificate_days" not in names
    assert ("tidegate_device_online", (("device", "new"),)) not in samples()
