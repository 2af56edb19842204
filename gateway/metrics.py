"""Health as Prometheus metrics. Pure. Format: prometheus.io, text exposition format 0.0.4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from gateway.codecs.base import Health
from gateway.codecs.values import fill

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "tidegate_"


@dataclass(frozen=True, slots=True)
class DeviceHealth:
    """How a device is. online: None before the first look. reason: why it is offline."""

    name: str
    online: bool | None
    reason: str = ""
    looks: int = 0
    failures: int = 0
    corrupt: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric with its samples. kind: counter or gauge; a counter's name ends in _total."""

    name: str
    kind: str
    help: str
    samples: tuple[tuple[tuple[tuple[str, str], ...], float], ...]


def exposition(health: Health, devices: Sequence[DeviceHealth], version: str) -> str:
    metrics = [*_gateway(health, version), *_outbox(health), *_link(health), *_host(health)]
    return "".join(_text(metric) for metric in [*metrics, *_devices(devices)] if metric.samples)


def _text(metric: Metric) -> str:
    name = PREFIX + metric.name
    lines = [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
    for labels, value in metric.samples:
        inner = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels)
        lines.append(f"{name}{{{inner}}} {value:.15g}" if inner else f"{name} {value:.15g}")
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _gauge(name: str, help_: str, value: float | None) -> Metric:
    return Metric(name, "gauge", help_, () if value is None else (((), float(value)),))


def _counter(name: str, help_: str, value: float) -> Metric:
    return Metric(name, "counter", help_, (((), float(value)),))


def _each(
    name: str, kind: str, help_: str, label: str, values: Iterable[tuple[str, float]]
) -> Metric:
    return Metric(
        name, kind, help_, tuple((((label, key),), float(value)) for key, value in values)
    )


def _gateway(health: Health, version: str) -> Iterator[Metric]:
    yield _each("info", "gauge", "the gateway's version", "version", [(version, 1)])
    yield _gauge("uptime_seconds", "since the daemon started", health.uptime)
    yield _gauge("epoch", "number of this run", health.epoch)
    yield _gauge(
        "clock_synchronised", "whether the clock can be believed", health.stamp.synchronised
    )
    yield _each(
        "events_total",
        "counter",
        "what went wrong and was mended",
        "event",
        sorted(health.events.items()),
    )


def _outbox(health: Health) -> Iterator[Metric]:
    box = health.outbox
    oldest = None if box.oldest is None else max(0.0, health.stamp.wall - box.oldest)
    yield _counter("outbox_recorded_total", "entries of this run", box.recorded)
    yield _gauge("outbox_inherited", "entries that earlier runs left", box.inherited)
    yield _counter("outbox_accepted_total", "entries that the broker acknowledged", box.accepted)
    yield _each(
        "outbox_dropped_total",
        "counter",
        "entries dropped, with the account of each",
        "reason",
        sorted(box.dropped.items()),
    )
    yield _gauge("outbox_kept", "entries waiting", box.kept)
    yield _gauge("outbox_shelved", "entries that the broker refused for good", box.shelved)
    yield _gauge("outbox_in_flight", "entries sent and not acknowledged", box.in_flight)
    yield _gauge("outbox_used_bytes", "of the journal", box.bytes_used)
    yield _gauge("outbox_limit_bytes", "of the journal", box.bytes_limit)
    yield _gauge("outbox_fill_ratio", "used of what readings may have of it", fill(box))
    yield _gauge("outbox_oldest_age_seconds", "age of the oldest entry kept", oldest)
    yield _gauge(
        "outbox_written_today_bytes", "written to the disk this UTC day", box.written_today
    )
    yield _gauge("outbox_storage_ok", "whether the disk works", box.storage == "ok")


def _link(health: Health) -> Iterator[Metric]:
    link = health.link
    yield _gauge("link_connected", "whether the broker is reached", link.connected)
    yield _counter("link_connects_total", "sessions begun", link.connects)
    yield _counter("link_drops_total", "sessions that ended without our asking", link.drops)
    yield _counter("link_refused_total", "entries that the broker refused for good", link.refused)
    yield _counter(
        "link_returned_total", "messages that came back from a lost session", link.returned
    )
    yield _counter(
        "link_callback_errors_total", "bugs caught at the broker's side", link.callback_errors
    )
    yield _gauge("link_sent_today_bytes", "this UTC day", link.bytes_out)
    yield _gauge("link_received_today_bytes", "this UTC day", link.bytes_in)
    yield _gauge(
        "link_certificate_days", "until the client's certificate ends", link.certificate_days
    )


def _host(health: Health) -> Iterator[Metric]:
    host = health.host
    yield _gauge("memory_used_bytes", "resident, of the daemon", host.memory_used)
    yield _gauge("memory_free_bytes", "of the machine, without swapping", host.memory_free)
    yield _gauge("disk_free_bytes", "where the journal is", host.disk_free)
    yield _gauge("cpu_celsius", "temperature of the processor", host.cpu_temperature)
    yield _gauge("load", "load average of a minute", host.load)
    yield _gauge("throttled", "under-voltage or heat holds the processor back", host.throttled)


def _devices(devices: Sequence[DeviceHealth]) -> Iterator[Metric]:
    known = [(d.name, float(d.online)) for d in devices if d.online is not None]
    yield _each("device_online", "gauge", "whether the device answers", "device", known)
    for name, help_, values in (
        ("looks", "times a device was asked or spoke", [(d.name, d.looks) for d in devices]),
        ("failures", "looks that failed", [(d.name, d.failures) for d in devices]),
        ("corrupt", "telegrams with a wrong checksum", [(d.name, d.corrupt) for d in devices]),
    ):
        yield _each(f"device_{name}_total", "counter", help_, "device", values)
