"""INA219, INA226, INA3221: worked examples, negative currents, full scale, chips told apart."""

from typing import Any

import pytest

from drivers.base import BusFault, CorruptData, NoAnswer, OptionError, Quality, WrongDevice
from drivers.i2c import ina219, ina226, ina3221
from drivers.i2c.ina219 import Ina219
from drivers.i2c.ina226 import Ina226
from drivers.i2c.ina3221 import Ina3221
from drivers.simulated import ina219 as chip219
from drivers.simulated import ina226 as chip226
from drivers.simulated import ina3221 as chip3221
from drivers.simulated.bus import SimulatedI2CBus
from gateway.attached import steps_of
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values

DRIVERS: list[Any] = [(Ina219, chip219.Ina219), (Ina226, chip226.Ina226)]


def test_ina219_worked_examples() -> None:
    """SBOS448G, 8.5.1: 20 mV across 2 mΩ at 11.98 V are 10 A; 8.6.3.1: -320 mV is 0x8300."""
    got = ina219.decode(bytes.fromhex("07d0"), bytes.fromhex("5d98"), 0.002, 0.04)
    assert values(got) == pytest.approx({"voltage": 11.98, "current": 10, "power": 119.8})
    low = ina219.decode(bytes.fromhex("8301"), bytes.fromhex("5d98"), 0.1)
    assert values(low)["current"] == pytest.approx(-3.1999)
    full = ina219.decode(bytes.fromhex("8300"), bytes.fromhex("5d98"), 0.1)
    assert [(r.value, r.quality) for r in full[1:]] == [(None, Quality.BAD)] * 2


def test_ina226_worked_examples() -> None:
    """SBOS547B, 7.5.2: 20 mV is 0x1F40, 11.98 V is 0x2570; 7.6.2: -80 mV is 0x8300."""
    got = ina226.decode(bytes.fromhex("1f40"), bytes.fromhex("2570"), 0.002)
    assert values(got) == pytest.approx({"voltage": 11.98, "current": 10, "power": 119.8})
    low = ina226.decode(bytes.fromhex("8300"), bytes.fromhex("2570"), 0.1)
    assert values(low)["current"] == pytest.approx(-0.8)
    full = ina226.decode(bytes.fromhex("7fff"), bytes.fromhex("7fff"), 0.1)
    assert [r.quality for r in full] == [Quality.UNCERTAIN, Quality.BAD, Quality.BAD]


def test_ina3221_worked_examples() -> None:
    """SBOS576B, 8.6.2.2: -80 mV is 0xC180; 8.6.2.3: full scale 0x7FF8 is 32.76 V."""
    got = ina3221.decode(bytes.fromhex("c180"), bytes.fromhex("7ff8"), 0.1, 2)
    assert values(got[:2]) == pytest.approx({"voltage_2": 32.76, "current_2": -0.8})
    assert got[0].quality is Quality.UNCERTAIN
    full = ina3221.decode(bytes.fromhex("7ff8"), bytes.fromhex("0fa0"), 0.1, 1)
    assert [r.value for r in full] == [4.0, None, None]


@pytest.mark.parametrize(("driver", "chip"), DRIVERS)
@pytest.mark.parametrize("ampere", [-0.5, 0.25])
def test_reads_the_simulated_chip(driver: Any, chip: Any, ampere: float) -> None:
    clock = FakeClock()
    sensor = driver(SimulatedI2CBus({0x40: chip(12.0, ampere, clock=clock)}))
    finish(steps_of(sensor.start()), clock)
    assert values(finish(sensor.read(), clock)) == pytest.approx(
        {"voltage": 12, "current": ampere, "power": 12 * ampere}, abs=0.01
    )


def test_ina3221_reads_the_channels_in_use() -> None:
    clock = FakeClock()
    lines = [(5.0, 0.5), (12.0, -0.25), (24.0, 1.0)]
    bus = SimulatedI2CBus({0x41: chip3221.Ina3221(lines, clock=clock)})
    sensor = Ina3221(bus, address=0x41, used=(2, 3))
    sensor.start()
    got = values(finish(sensor.read(), clock))
    assert list(got) == [channel.name for channel in sensor.channels]
    assert got["current_2"] == pytest.approx(-0.25, abs=1e-3)
    assert got["power_3"] == pytest.approx(24, abs=0.02)
    for wrong in ((), (1, 1), (4,)):
        with pytest.raises(OptionError):
            Ina3221(bus, used=wrong)


def test_each_names_the_others() -> None:
    clock = FakeClock()
    buses = [
        SimulatedI2CBus({0x40: chip(12.0, 0.1, clock=clock)})
        for chip in (chip219.Ina219, chip226.Ina226)
    ] + [SimulatedI2CBus({0x40: chip3221.Ina3221(clock=clock)})]
    with pytest.raises(WrongDevice, match="ina226"):
        finish(Ina219(buses[1]).start(), clock)
    with pytest.raises(WrongDevice, match="ina3221"):
        finish(Ina219(buses[2]).start(), clock)
    with pytest.raises(WrongDevice, match="ina3221"):
        Ina226(buses[2]).start()
    with pytest.raises(WrongDevice, match="ina219"):
        Ina226(buses[0]).start()
    with pytest.raises(WrongDevice, match="ina226"):
        Ina3221(buses[1]).start()


def test_ina226_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x44, b"\xfe", b"\x54\x49"),
        Transfer(0x44, b"\xff", b"\x22\x60"),
        Transfer(0x44, b"\x00\x47\x23"),
        Transfer(0x44, b"\x06", b"\x00\x00"),
        Transfer(0x44, b"\x06", b"\x00\x08"),
        Transfer(0x44, b"\x00", b"\x47\x23"),
        Transfer(0x44, b"\x01", b"\xff\xff"),
        Transfer(0x44, b"\x02", b"\x25\x80"),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Ina226(bus, address=0x44, shunt=0.01)
        sensor.start()
        assert values(finish(sensor.read()))["current"] == pytest.approx(-0.00025)


@pytest.mark.parametrize(("driver", "chip"), DRIVERS)
def test_stuck_reset_and_failing(driver: Any, chip: Any) -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x40: chip(12.0, 0.1, clock=clock)})
    sensor = driver(bus)
    with pytest.raises(NoAnswer, match="no conversion"):
        finish(sensor.read())
    sensor = driver(FailsOnce(bus, BusFault("once")))
    with pytest.raises(BusFault):
        finish(sensor.read(), clock)
    assert values(finish(sensor.read(), clock))["voltage"] == pytest.approx(12, abs=0.01)
    steps = sensor.read()
    clock.now += next(steps)
    bus.chips[0x40] = chip(12.0, 0.1, clock=clock)
    with pytest.raises((CorruptData, NoAnswer)):
        finish(steps, clock)
