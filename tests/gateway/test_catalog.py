"""Names to drivers, and what is said where there is none."""

from __future__ import annotations

import importlib.metadata
import sys
from pathlib import Path

import pytest

from drivers.base import I2CBus
from gateway import catalog
from gateway.catalog import Driver, DriverUnknown, DriverUnusable, describe, everything, find
from gateway.config_devices import BusNotThere
from gateway.config_schema import fields_of
from gateway.settings import DeviceSettings, FilterSettings, OutputSettings
from tests.gateway import fake_drivers


def test_a_driver_by_its_module_s_name() -> None:
    driver = find("bme280")
    assert driver.factory.__name__ == "Bme280"
    assert driver.bus_kinds == ("i2c", "i2c-mux", "simulated-i2c")
    assert driver.has_bus and not driver.is_actuator and not driver.is_stream
    assert driver.summary.startswith("BME280: temperature, pressure")
    address = driver.options["address"]
    assert (address.type, address.default, address.required) == (int, 0x76, False)
    assert address.note.choices == (0x76, 0x77)


def test_kinds_of_drivers() -> None:
    assert find("relay").is_actuator
    assert find("relay").bus_kinds == ("gpio",)
    assert find("relay").options["pin"].required
    assert find("sml").is_stream
    assert find("sml").bus_kinds == ("serial",)
    assert find("sml").constant("DECODER") is not None
    assert find("host").constant("DECODER") is None
    assert not find("host").has_bus


def test_only_modules_with_a_driver_are_drivers() -> None:
    with pytest.raises(DriverUnknown):
        find("crc")  # drivers/serial/crc.py: what the serial drivers share
    assert "crc" not in dict(everything())


@pytest.mark.parametrize("name", ["", "../base", "Bme280", "os.path", "bme280.py", "a b"])
def test_names_that_cannot_be(name: str) -> None:
    with pytest.raises(DriverUnknown):
        find(name)


def test_the_nearest_name_is_offered() -> None:
    with pytest.raises(DriverUnknown) as raised:
        find("bme28")
    assert raised.value.hint == 'did you mean "bme280"?'
    with pytest.raises(DriverUnknown) as raised:
        find("zzzzzz")
    assert raised.value.hint == "`tidegate drivers` lists them"


def test_devices_are_made_with_and_without_a_bus() -> None:
    device = fake_drivers.DRIVERS["thermometer"].create(BusNotThere(), {"address": 0x41})
    assert isinstance(device, fake_drivers.Thermometer)
    assert isinstance(fake_drivers.DRIVERS["clock"].create(None, {}), fake_drivers.Clock)


def test_a_driver_of_another_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    point = importlib.metadata.EntryPoint(
        "acme", "tests.gateway.fake_drivers:Thermometer", catalog.ENTRY_POINTS
    )
    broken = importlib.metadata.EntryPoint("broken", "no_such_module:X", catalog.ENTRY_POINTS)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda group: (point, broken))
    assert find("acme").bus_kinds == ("i2c", "i2c-mux", "simulated-i2c")
    with pytest.raises(DriverUnusable) as raised:
        find("broken")
    assert raised.value.hint == "install the Python library no_such_module"
    assert {"acme", "broken", "bme280"} <= set(dict(everything()))


def test_a_library_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "lorem.py").write_text("import a_library_that_is_not_there\n")
    import drivers.i2c

    monkeypatch.setattr(drivers.i2c, "__path__", [*drivers.i2c.__path__, str(tmp_path)])
    with pytest.raises(DriverUnusable) as raised:
        find("lorem")
    assert 'driver "lorem" cannot be loaded' in str(raised.value)
    assert raised.value.hint == "install the Python library a_library_that_is_not_there"
    assert isinstance(dict(everything())["lorem"], DriverUnusable)
    assert "drivers.i2c.lorem" not in sys.modules


def test_a_constructor_must_say_its_types() -> None:
    class Odd:
        def __init__(self, bus: dict[str, str]) -> None: ...

    with pytest.raises(DriverUnusable, match="takes a dict, which is no bus"):
        describe("odd", Odd, "i2c")

    class Lost:
        def __init__(self, bus: I2CBus, *, x: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821

    with pytest.raises(DriverUnusable, match="types cannot be read"):
        describe("lost", Lost, "i2c")


def test_options_do_not_hide_the_keys_of_every_device() -> None:
    own = set(fields_of(DeviceSettings)) | set(fields_of(FilterSettings))
    for name, driver in everything():
        assert isinstance(driver, Driver)
        taken = own | set(fields_of(OutputSettings)) if driver.is_actuator else own
        assert not taken & set(driver.options), name


def test_simulated_chips() -> None:
    assert catalog.has_chip("bme280")
    assert not catalog.has_chip("bme820")
