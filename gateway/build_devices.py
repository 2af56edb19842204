"""The drivers' half of the composition: buses, devices, and what the gateway does with each."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, cast

from drivers.base import Actuator, DriverError, I2CBus, Moving, Sensor, Stream
from drivers.quantities import unit_of
from gateway import catalog
from gateway.appliance import Appliance
from gateway.attached import Attached
from gateway.codecs.base import DeviceAbout
from gateway.config_wiring import root
from gateway.filters import ChannelFilter, Total
from gateway.limits import Limits
from gateway.model import Act, Value
from gateway.rising import Rising
from gateway.settings import BusSettings, DeviceSettings, OutputSettings, Settings
from gateway.state import Store

if TYPE_CHECKING:
    from drivers.i2c.recovery import RecoveringI2C

log = logging.getLogger(__name__)

Device = Sensor | Stream | Actuator


class BuildError(Exception):
    """The configuration is well-formed but cannot be built; the message says where and why."""


def open_named(name: str, settings: Settings, opened: dict[str, object]) -> object:
    """The bus of this name, and first those that it hangs on; None where there is none.

    opened: the buses by name, those that are open already and those that this opens.
    """
    bus = next((bus for bus in settings.bus if bus.name == name), None)
    if bus is None or name in opened:
        return opened.get(name)
    parent = open_named(bus.parent, settings, opened) if bus.parent else None
    made = open_bus(bus, parent)
    if bus.recover:
        made = recovering(bus, cast(I2CBus, made), open_named(bus.recover, settings, opened))
    return opened.setdefault(name, made)


def recovering(bus: BusSettings, adapter: I2CBus, pins: object) -> I2CBus:
    """The adapter's bus with two lines that free it; they are claimed at the first trouble."""
    from drivers.gpio.open_drain import OpenDrainLines
    from drivers.i2c.recovery import RecoveringI2C

    assert bus.sda is not None and bus.scl is not None
    return RecoveringI2C(
        adapter,
        partial(OpenDrainLines, pins, bus.sda, bus.scl),
        bus.sda,
        bus.scl,
        report=partial(log.warning, "bus %s: %s", bus.name),
    )


def self_freeing(settings: Settings, buses: Mapping[str, object]) -> dict[str, RecoveringI2C]:
    """Of the open buses those that free themselves. By their settings: to ask a bus what it can do
    opens one that waits for its first use."""
    wanted = [bus.name for bus in settings.bus if bus.recover and bus.name in buses]
    return {name: cast("RecoveringI2C", buses[name]) for name in wanted}


def open_bus(bus: BusSettings, parent: object = None) -> object:
    """The bus of these settings. Buses open at first use, so a missing one is no error here."""
    match bus.kind:
        case "i2c":
            from drivers.buses import LinuxI2C

            return LinuxI2C(bus.device)
        case "i2c-mux":
            from drivers.i2c.mux import MuxedI2C

            assert bus.channel is not None
            return MuxedI2C(cast(I2CBus, parent), bus.address, bus.channel)
        case "spi":
            from drivers.spi_bus import LinuxSPI

            return LinuxSPI(bus.device)
        case "simulated-i2c":
            from drivers.simulated.bus import simulated_bus

            return simulated_bus(bus.chips, bus.heat)
        case "serial":
            from drivers.ports import TtyPort

            return TtyPort(bus.device, bus.rts)
        case "gpio":
            from drivers.gpio.pins import LaterPins, MockPulses

            pins = LaterPins(bus.device)
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


def attach(
    settings: Settings, store: Store, buses: dict[str, object] | None = None
) -> dict[str, Attached]:
    """Every device on its bus, with its filters and totals. buses: takes those that it opens."""
    buses = {} if buses is None else buses
    for bus in settings.bus:
        open_named(bus.name, settings, buses)
    attached = {}
    for values in settings.device:
        device = make_device(values, buses.get(values.bus))
        totals = {
            channel.name: Total(store.total(values.name, channel.name), channel.offset)
            for channel in device.channels
            if channel.counter
        }
        one = Attached(values.name, device, values.interval, make_filters(values), totals)
        one.rising = make_rising(values, device, partial(store.total, values.name))
        if isinstance(device, Actuator) and values.output is not None:
            one.start = level(values, device, "start", values.output.start)
            one.stop = level(values, device, "stop", values.output.stop)
            one.ramp = values.output.ramp
        attached[values.name] = one
    return attached


def make_rising(
    values: DeviceSettings, device: Device, known: Callable[[str], float]
) -> dict[str, Rising]:
    """The registers that only count up, by channel; a filter can say otherwise.

    known: what a channel's register showed when the gateway stopped, 0.0 if it is new.
    """
    said = {name: rule.rising for name, rule in values.filter.items() if rule.rising is not None}
    return {
        channel.name: Rising(
            partial(log.warning, "%s: %s %s", values.name, channel.name), known(channel.name)
        )
        for channel in device.channels
        if said.get(channel.name, channel.rising)
    }


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
        return off_of(output)
    try:
        return output.parse(value)
    except ValueError as error:
        raise BuildError(f"device {device.name}: {key}: {value!r} is not possible: {error}") from (
            error
        )


def off_of(output: Actuator) -> Value:
    """What makes the output safe: off, unless the driver says otherwise, as a motor's stop."""
    return output.off if isinstance(output, Moving) else False


def make_appliances(
    settings: Settings, attached: Mapping[str, Attached], act: Callable[[Act], None]
) -> dict[str, Appliance]:
    appliances = {}
    for values in settings.device:
        device = attached[values.name].device
        if isinstance(device, Actuator) and values.output is not None:
            limits = make_limits(values, device, values.output)
            signed_by = frozenset(values.output.signed_by)
            appliances[values.name] = Appliance(device.action, device.parse, limits, act, signed_by)
    return appliances


def make_limits(device: DeviceSettings, output: Actuator, values: OutputSettings) -> Limits:
    loss, back = values.link_loss, values.offline
    return Limits(
        off=off_of(output),
        momentary=isinstance(output, Moving),
        command_ttl=values.command_ttl,
        fresh_only=values.fresh_only or bool(values.signed_by),
        max_on=values.max_on,
        min_on=values.min_on,
        min_off=values.min_off,
        max_switches_per_hour=values.max_switches_per_hour,
        interlock=values.interlock,
        dead_time=values.dead_time,
        budget=values.load_budget,
        load=values.load,
        offline=None if back is None else level(device, output, "offline", back),
        link_loss=None if loss is None else level(device, output, "link_loss", loss),
        link_loss_after=values.link_loss_after,
    )


def by_bus(settings: Settings, attached: Mapping[str, Attached]) -> dict[str, list[Attached]]:
    """One worker an adapter, with what hangs on it behind multiplexers; devices without a bus by
    what their driver says of threads."""
    named = {bus.name: bus for bus in settings.bus}
    buses: dict[str, list[Attached]] = {}
    for values in settings.device:
        name = root(values.bus, named) or thread_of(values)
        buses.setdefault(name, []).append(attached[values.name])
    return buses


def thread_of(values: DeviceSettings) -> str:
    """The constant THREAD of the driver's module, which may name an option; else host."""
    pattern: str = catalog.find(values.driver).constant("THREAD") or "host"
    return pattern.format_map(values.options)


def describe_device(values: DeviceSettings, device: Device) -> DeviceAbout:
    return DeviceAbout(
        name=values.name,
        driver=values.driver,
        channels=tuple(device.channels),
        units=tuple(unit_of(channel.quantity) for channel in device.channels),
        interval=values.interval,
        action=device.action if isinstance(device, Actuator) else None,
        description=values.description,
    )
