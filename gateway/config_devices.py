"""A `[[device]]` table -> settings, checked against its driver.

The driver is made once on a bus that is not there: its constructor checks options that contradict
each other, an output's `parse` knows its values, and the channels are known from then on. No
driver touches hardware before `start`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from drivers.base import Actuator, BusMissing, Moving, OptionError, Sensor, Stream
from gateway import catalog
from gateway.catalog import Driver, DriverUnknown, DriverUnusable
from gateway.config_report import Place, nearest
from gateway.config_schema import fields_of
from gateway.config_values import is_complete, read_settings, refuse_unknown
from gateway.settings import DeviceSettings, FilterSettings, OutputSettings

NOT_OF_MOTORS = (
    *("max_on", "min_on", "min_off", "max_switches_per_hour"),
    *("interlock", "load_budget", "ramp"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Configured:
    """A device's settings, and what the checks between devices need beside them."""

    settings: DeviceSettings
    driver: Driver | None
    """None if there is no such driver; that has been complained about."""
    place: Place


class BusNotThere:
    """Stands in for a bus while a driver's options are checked."""

    def __getattr__(self, name: str) -> NoReturn:
        raise BusMissing(f"a driver's constructor may not use its bus ({name})")


def read_device(table: Any, place: Place) -> Configured | None:
    """None after an error that leaves nothing to check further."""
    if not isinstance(table, dict):
        place.error("must be a table", "write [[device]]")
        return None
    own = fields_of(DeviceSettings)
    values = read_settings(own, table, place)
    # Where these are missing the rest is checked nevertheless.
    settings = DeviceSettings(**{"name": f"{place.path[-1]}", "driver": "", **values})
    driver = _driver(settings.driver, place) if settings.driver else None
    if driver is not None:
        settings = _with_options(settings, driver, table, place)
    return Configured(settings, driver, place)


def _with_options(
    settings: DeviceSettings, driver: Driver, table: Mapping[str, Any], place: Place
) -> DeviceSettings:
    outputs = fields_of(OutputSettings) if driver.is_actuator else {}
    known = {**driver.options, **outputs, **fields_of(DeviceSettings)}
    refuse_unknown(table, known, place, _hints(driver))
    output = read_settings(outputs, table, place)
    if outputs:
        settings = dataclasses.replace(settings, output=OutputSettings(**output))
    options = read_settings(driver.options, table, place)
    settings = dataclasses.replace(settings, options=options)
    return _tried(settings, driver, place) if is_complete(options, driver.options) else settings


def _driver(name: str, place: Place) -> Driver | None:
    try:
        return catalog.find(name)
    except (DriverUnknown, DriverUnusable) as error:
        place.at("driver").error(str(error), error.hint)
        return None


def _hints(driver: Driver) -> dict[str, str]:
    """For keys that exist, but elsewhere."""
    hints = dict.fromkeys(fields_of(FilterSettings), "belongs in [device.filter.CHANNEL]")
    if not driver.is_actuator:
        why = f'only an output has it, and driver "{driver.name}" is none'
        hints |= dict.fromkeys(fields_of(OutputSettings), why)
    return hints


def _tried(settings: DeviceSettings, driver: Driver, place: Place) -> DeviceSettings:
    try:
        device = driver.create(BusNotThere(), settings.options)
    except OptionError as error:
        place.error(str(error), f"`tidegate drivers {driver.name}` shows its options")
        return settings
    _check_filters(settings, device, driver, place)
    if settings.output is None:
        return settings
    output = _parsed(settings.output, device, place)
    if isinstance(device, Moving):
        _check_moving(output, device, place)
    return dataclasses.replace(settings, output=output)


def _check_moving(output: OutputSettings, device: Moving, place: Place) -> None:
    """A motor is neither on nor off, and nobody waits for its run at a start or a stop."""
    for key in ("start", "stop", "crash"):
        if getattr(output, key) not in (None, device.off):
            place.at(key).error(f'a motor can only "{device.off}" then', "leave it out")
    for key in NOT_OF_MOTORS:
        if getattr(output, key):
            place.at(key).error("does not apply to a motor, which is neither on nor off")


def _check_filters(
    settings: DeviceSettings, device: Sensor | Stream | Actuator, driver: Driver, place: Place
) -> None:
    known = [channel.name for channel in device.channels]
    for name, rule in settings.filter.items():
        here = place.at("filter", name)
        if name not in known:
            hint = nearest(name, known) or f"channels: {', '.join(known)}"
            # A meter may send more than its driver knows of, so there it may be meant.
            complain = here.warn if driver.is_stream else here.error
            complain(f'the driver has no channel "{name}"', hint)
        if rule.low is not None and rule.high is not None and rule.low >= rule.high:
            here.at("low").error(f"must be below high, which is {rule.high:g}")


def _parsed(output: OutputSettings, device: Any, place: Place) -> OutputSettings:
    """The states in the form that the driver's `set` takes."""
    parsed = {}
    for key in ("start", "stop", "crash", "offline", "link_loss"):
        value = getattr(output, key)
        if value is not None:
            try:
                parsed[key] = device.parse(value)
            except ValueError as error:
                place.at(key).error(f"is no state of this output: {error}")
    return dataclasses.replace(output, **parsed)
