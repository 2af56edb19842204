"""The composition root: the only module that sees drivers and the gateway's parts together.

It wires and holds no behaviour. Settings end here: a part gets the values it needs.
"""

from __future__ import annotations

import importlib.metadata
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from drivers.base import Actuator, DriverError, Sensor, Stream
from drivers.quantities import unit_of
from gateway import catalog
from gateway.appliance import Appliance
from gateway.attached import Attached
from gateway.clock import Clock, SystemClock, corrected
from gateway.codecs import json_
from gateway.codecs.base import About, DeviceAbout, Dialect, LinkState, Settlement
from gateway.control import Control
from gateway.filters import ChannelFilter, Total
from gateway.journal import Journal
from gateway.limits import Limits
from gateway.link.dialer import Login
from gateway.link.link import Link
from gateway.link.tls import TlsFiles
from gateway.model import Act, Alarm, AlarmState, Value
from gateway.outbox import Outbox
from gateway.reporter import Reporter
from gateway.settings import BusSettings, DeviceSettings, OutputSettings, Settings
from gateway.shelf import Shelf
from gateway.state import Store
from gateway.supervisor import Chore, Heartbeats, Part, Supervisor, threaded
from gateway.worker import Worker

log = logging.getLogger(__name__)

STUCK = 60.0
"""Seconds without progress after which a part counts as stuck: more than the slowest card takes
for a sync, more than the longest time-out of a bus."""

Device = Sensor | Stream | Actuator


class BuildError(Exception):
    """The configuration is well-formed but cannot be built; the message says where and why."""


@dataclass(frozen=True, slots=True)
class House:
    """What was built. The parts are here for those who add one of their own, such as the bench."""

    supervisor: Supervisor
    outbox: Outbox
    link: Link
    clock: Clock


def open_bus(bus: BusSettings) -> object:
    """The bus of these settings. Buses open at first use, so a missing one is no error here."""
    match bus.kind:
        case "i2c":
            from drivers.buses import LinuxI2C

            return LinuxI2C(bus.device)
        case "simulated-i2c":
            from drivers.simulated.bus import simulated_bus

            return simulated_bus(bus.chips)
        case "serial":
            from drivers.buses import TtyPort

            return TtyPort(bus.device)
        case "gpio":
            from drivers.gpio.pins import MockPulses, open_pins

            pins = open_pins(bus.device)
            if bus.pulses:
                MockPulses(pins, {int(pin): rate for pin, rate in bus.pulses.items()})
            return pins
    return None


def make_device(device: DeviceSettings, bus: object) -> Device:
    """The device of these settings on its bus. BuildError when its options contradict."""
    try:
        return catalog.find(device.driver).create(bus, device.options)
    except DriverError as error:
        raise BuildError(f"device {device.name}: {error}") from error


def open_journal(settings: Settings) -> Callable[[], Journal]:
    """How to open the journal, again and again if the disk fails."""
    path, size = Path(settings.gateway.state), settings.outbox.size
    if settings.outbox.store == "sqlite":
        from gateway.store_sqlite import SqliteJournal

        return lambda: SqliteJournal(path / "journal.db", size)
    from gateway.store_sqlite import SqliteJournal

    return lambda: SqliteJournal(path / "journal.db", size)


def assemble(settings: Settings) -> House:
    """Everything, wired and not started. BuildError."""
    state = Path(settings.gateway.state)
    clock, hearts = SystemClock(), Heartbeats()
    store = Store(state / "state.db")
    anchors = store.anchors()
    outbox = make_outbox(settings, store, clock)
    hearts.watch("outbox", STUCK, lambda: outbox.busy_since)
    dialect = make_dialect(settings, anchors)
    attached = attach(settings, store)
    workers: dict[str, Worker] = {}
    control = Control(
        make_appliances(settings, attached, lambda act: workers[act.device].order(act)),
        store=store,
        record=outbox.append,
        nonce=lambda: link.nonce or "",
        clock=clock,
        heartbeat=hearts.register("control", STUCK),
    )
    link = make_link(settings, outbox, dialect, clock, control, hearts.register("link", STUCK))
    reporter = Reporter(
        dialect=dialect,
        board=link,
        books=outbox,
        clock=clock,
        store=store,
        anchors=anchors,
        state=state,
        devices=attached.values(),
        epoch=outbox.epoch,
    )
    for bus, devices in by_bus(settings, attached).items():
        worker = Worker(
            bus,
            devices,
            clock=clock,
            append=outbox.append,
            status=reporter.device,
            acted=control.acted,
            save_total=control.keep_total,
            heartbeat=hearts.register(f"bus {bus}", STUCK),
        )
        workers.update(dict.fromkeys(worker.devices, worker))
    link.notice(dialect.about(describe(settings, outbox, clock, attached)))
    reporter.anchor()
    parts = [
        Part("outbox", outbox.start, lambda timeout: _close(outbox, store, timeout)),
        Part("link", link.start, lambda timeout: _stop(link, timeout)),
        threaded("control", control.run, control.stop),
        *(threaded(f"bus {w.name}", w.run, w.stop) for w in dict.fromkeys(workers.values())),
    ]
    chores = [Chore(settings.gateway.health_every, reporter.health), Chore(60.0, reporter.anchor)]
    return House(Supervisor(parts, chores, hearts), outbox, link, clock)


def attach(settings: Settings, store: Store) -> dict[str, Attached]:
    """Every device on its bus, with its filters and totals."""
    buses = {bus.name: open_bus(bus) for bus in settings.bus}
    attached = {}
    for values in settings.device:
        device = make_device(values, buses.get(values.bus))
        totals = {
            channel.name: Total(store.total(values.name, channel.name))
            for channel in device.channels
            if channel.counter
        }
        one = Attached(values.name, device, values.interval, make_filters(values), totals)
        if isinstance(device, Actuator) and values.output is not None:
            one.start = level(values, device, "start", values.output.start)
            one.stop = level(values, device, "stop", values.output.stop)
        attached[values.name] = one
    return attached


def make_filters(device: DeviceSettings) -> dict[str, ChannelFilter]:
    return {
        channel: ChannelFilter(
            deadband=rule.deadband,
            max_silence=rule.max_silence,
            average=rule.average,
            low=rule.low,
            high=rule.high,
            max_rate=rule.max_rate,
        )
        for channel, rule in device.filter.items()
    }


def level(device: DeviceSettings, output: Actuator, key: str, value: Value | None) -> Value:
    """A configured state in the form that the output takes; off where nothing is said."""
    if value is None:
        return False
    try:
        return output.parse(value)
    except ValueError as error:
        raise BuildError(f"device {device.name}: {key}: {value!r} is not possible: {error}") from (
            error
        )


def make_appliances(
    settings: Settings, attached: Mapping[str, Attached], act: Callable[[Act], None]
) -> dict[str, Appliance]:
    appliances = {}
    for values in settings.device:
        device = attached[values.name].device
        if isinstance(device, Actuator) and values.output is not None:
            limits = make_limits(values, device, values.output)
            appliances[values.name] = Appliance(device.action, device.parse, limits, act)
    return appliances


def make_limits(device: DeviceSettings, output: Actuator, values: OutputSettings) -> Limits:
    loss = values.link_loss
    return Limits(
        command_ttl=values.command_ttl,
        fresh_only=values.fresh_only,
        max_on=values.max_on,
        min_on=values.min_on,
        min_off=values.min_off,
        max_switches_per_hour=values.max_switches_per_hour,
        interlock=values.interlock,
        dead_time=values.dead_time,
        link_loss=None if loss is None else level(device, output, "link_loss", loss),
        link_loss_after=values.link_loss_after,
    )


def by_bus(settings: Settings, attached: Mapping[str, Attached]) -> dict[str, list[Attached]]:
    """One worker a bus; devices that need none share one called host."""
    buses: dict[str, list[Attached]] = {}
    for values in settings.device:
        buses.setdefault(values.bus or "host", []).append(attached[values.name])
    return buses


def describe(
    settings: Settings, outbox: Outbox, clock: Clock, attached: Mapping[str, Attached]
) -> About:
    previous = outbox.previous
    return About(
        version=importlib.metadata.version("tidegate"),
        epoch=outbox.epoch,
        started=clock.stamp(),
        devices=tuple(_describe(d, attached[d.name].device) for d in settings.device),
        previous=None if previous is None else Settlement(previous.epoch, previous.durable_seq),
        description=settings.gateway.description,
        allow=settings.gateway.allow,
    )


def _describe(values: DeviceSettings, device: Device) -> DeviceAbout:
    return DeviceAbout(
        name=values.name,
        driver=values.driver,
        channels=tuple(device.channels),
        units=tuple(unit_of(channel.quantity) for channel in device.channels),
        interval=values.interval,
        action=device.action if isinstance(device, Actuator) else None,
        description=values.description,
    )


def make_outbox(settings: Settings, store: Store, clock: Clock) -> Outbox:
    values = settings.outbox
    outbox = Outbox(
        epoch=store.next_epoch(),
        open_journal=open_journal(settings),
        shelf=Shelf(Path(settings.gateway.state) / "shelf"),
        clock=clock.stamp,
        durability=values.durability,
        commit_every=values.commit_every,
        order=values.order,
        expire=values.expire,
        memory=values.memory,
    )
    store.raise_epoch(outbox.epoch)
    return outbox


def make_dialect(settings: Settings, anchors: Mapping[str, float]) -> Dialect:
    return json_.dialect(
        root=settings.upstream.root,
        gateway=settings.gateway.id,
        qos={device.name: device.qos for device in settings.device},
        restamp=lambda stamp: corrected(stamp, anchors),
    )


def make_link(
    settings: Settings,
    outbox: Outbox,
    dialect: Dialect,
    clock: Clock,
    control: Control,
    heartbeat: Callable[[], None],
) -> Link:
    upstream = settings.upstream
    ttls = [d.output.command_ttl for d in settings.device if d.output is not None]
    urls = (upstream.url,) if isinstance(upstream.url, str) else upstream.url

    def alarm(name: str, raised: bool, text: str) -> None:
        state = AlarmState.RAISED if raised else AlarmState.CLEARED
        control.tell(Alarm(name, clock.stamp(), state, text))

    link = Link(
        outbox=outbox,
        dialect=dialect,
        clock=clock,
        urls=urls,
        client_id=upstream.client_id or f"tidegate-{settings.gateway.id}",
        epoch=outbox.epoch,
        on_command=lambda message, token: control.receive(message, lambda: link.acknowledge(token)),
        on_state=lambda state: control.link_changed(state is LinkState.CONNECTED),
        on_alarm=alarm,
        heartbeat=heartbeat,
        protocol=upstream.protocol,
        login=Login(upstream.username, upstream.password, upstream.password_file),
        tls=TlsFiles(upstream.ca_file, upstream.cert_file, upstream.key_file),
        insecure=upstream.insecure,
        proxy=upstream.proxy,
        keepalive=upstream.keepalive,
        window=upstream.window,
        clean_session=upstream.clean_session,
        # A command must not wait at the broker for longer than any command may live.
        session_expiry=min([upstream.session_expiry, *ttls]),
        ack_timeout=upstream.ack_timeout,
        history_batch=upstream.history_batch if upstream.history == "batch" else 0,
        history_rate=upstream.history_rate,
        daily_bytes=upstream.daily_bytes,
        health_every=settings.gateway.health_every,
    )
    return link


def _stop(link: Link, timeout: float) -> None:
    if not link.stop(timeout):
        log.error("the link did not stop within %.1f s", timeout)


def _close(outbox: Outbox, store: Store, timeout: float) -> None:
    if not outbox.close(timeout):
        log.error(
            "not everything is on disk: the storage fails, or takes more than %.1f s", timeout
        )
    store.close()
