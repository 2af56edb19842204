"""What `tidegate scan` asks: each simulated chip is found for what it is, and none is changed."""

import importlib
from collections.abc import Callable

import pytest

from drivers.base import BusFault, NoAnswer
from drivers.i2c.identify import ADDRESSES, EXPANDERS, PROBES, Found, identify
from drivers.simulated.bus import Chip, SimulatedI2CBus
from gateway import catalog
from tests.fakes import FakeClock, ScriptedI2C, Transfer, finish


@pytest.mark.parametrize(
    ("module", "address", "driver"),
    [
        ("bme280", 0x76, "bme280"), ("bmp280", 0x77, "bmp280"), ("bme680", 0x76, "bme680"),
        ("sht4x", 0x44, "sht4x"), ("sht3x", 0x44, "sht3x"), ("ina226", 0x41, "ina226"),
        ("ina3221", 0x40, "ina3221"), ("ads1115", 0x48, "ads1115"), ("veml7700", 0x10, "veml7700"),
        ("tsl2591", 0x29, "tsl2591"), ("ens160", 0x53, "ens160"), ("sgp40", 0x59, "sgp40"),
        ("scd30", 0x61, "scd30"), ("scd4x", 0x62, "scd4x"), ("ezo", 0x63, "ezo"),
        ("ina219", 0x40, "ina219"), ("mcp23017", 0x20, ""), ("pcf8574", 0x20, ""),
        ("tca9548a", 0x70, ""), ("htu21d", 0x40, "htu21d"), ("mcp9808", 0x18, "mcp9808"),
        ("tmp117", 0x49, "tmp117"), ("lm75", 0x4C, "lm75"), ("bh1750", 0x23, "bh1750"),
    ],
)  # fmt: skip
def test_each_simulated_chip_is_found(module: str, address: int, driver: str) -> None:
    clock = FakeClock()
    make: Callable[..., Chip] = importlib.import_module(f"drivers.simulated.{module}").CHIP
    try:
        chip = make(clock=clock)
    except TypeError:  # it has nothing that takes time
        chip = make()
    found = finish(identify(SimulatedI2CBus({address: chip}), address), clock)
    assert found is not None and (found.address, found.driver) == (address, driver)


def test_expanders_are_only_read() -> None:
    """A PCF8574 takes a written byte for its outputs."""
    for address in set(EXPANDERS) - {0x23}:  # where a BH1750 may be, which is only read too
        with ScriptedI2C(Transfer(address, b"", b"\x7f")) as bus:
            found = finish(identify(bus, address))
        assert found == Found(address, "PCF8574 or MCP23017", "", sure=False)


def test_nothing_is_written_but_a_pointer_or_a_question() -> None:
    """At most two bytes, and never a register with a value behind it: two bytes are commands of
    Sensirion's chips, at their addresses alone."""
    sensirion = {0x44, 0x45, 0x59, 0x61, 0x62}
    for probe in PROBES:
        assert len(probe.ask) <= 2
        assert len(probe.ask) < 2 or set(probe.addresses) <= sensirion, probe.chip


def test_each_driver_that_is_named_is_there() -> None:
    for probe in PROBES:
        if probe.driver:
            address = catalog.find(probe.driver).options["address"]
            low, high = address.note.low, address.note.high
            choices = address.note.choices or range(int(low or 0), int(high or 0) + 1)
            assert set(probe.addresses) <= set(choices) or probe.driver in ("ina219", "lm75"), probe


def test_silence_and_failing_buses() -> None:
    empty = SimulatedI2CBus({})
    assert [finish(identify(empty, address)) for address in ADDRESSES] == [None] * len(ADDRESSES)
    with ScriptedI2C(Transfer(0x10, b"\x07", b"\xff\xff")) as bus:
        assert finish(identify(bus, 0x10)) is None
    for error, raised in ((NoAnswer("no"), False), (BusFault("stuck"), True)):
        with ScriptedI2C(Transfer(0x10, b"\x07", error)) as bus:
            if raised:
                with pytest.raises(BusFault):
                    finish(identify(bus, 0x10))
            else:
                assert finish(identify(bus, 0x10)) is None
