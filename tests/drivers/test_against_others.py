"""Maintained drivers of others and ours on the same simulated chip, on random values."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import Sensor
from drivers.i2c.ads1115 import Ads1115, Input
from drivers.i2c.bme68x import heater_code, parse_calibration
from drivers.i2c.bme680 import Bme680
from drivers.i2c.ens160 import Ens160
from drivers.i2c.ina219 import Ina219
from drivers.i2c.ina3221 import Ina3221
from drivers.i2c.mcp23017 import Mcp23017
from drivers.i2c.pca9685 import Pca9685
from drivers.i2c.scd4x import Scd4x
from drivers.i2c.scd30 import Scd30
from drivers.i2c.tsl2591 import Tsl2591
from drivers.i2c.veml7700 import straightened
from drivers.simulated import (
    ads1115,
    bme680,
    ens160,
    ina219,
    ina3221,
    mcp23017,
    pca9685,
    scd4x,
    scd30,
    tsl2591,
)  # fmt: skip
from drivers.simulated.bus import Chip, SimulatedI2CBus
from tests.drivers.others import BlinkaI2C, SMBusFront, ours
from tests.fakes import FakeClock, finish

RANDOM = random.Random(20261126)
ROUNDS = 8


def on_bus(address: int, chip: Chip, clock: FakeClock) -> tuple[SimulatedI2CBus, BlinkaI2C]:
    bus = SimulatedI2CBus({address: chip})
    return bus, BlinkaI2C(bus, clock)


def other(module: str) -> Any:
    """Of the extra `peers`, which needs a C compiler."""
    return pytest.importorskip(module)


def test_ads1115(clock: FakeClock) -> None:
    for _ in range(ROUNDS):
        inputs = [RANDOM.uniform(-4, 4) for _ in range(4)]
        bus, blinka = on_bus(0x48, ads1115.Ads1115(*inputs, clock=clock), clock)
        ads = other("adafruit_ads1x15.ads1115").ADS1115(blinka, gain=1)
        analog_in = other("adafruit_ads1x15.analog_in").AnalogIn
        mine = ours(Ads1115(bus, inputs={"a": Input(pins="1"), "b": Input(pins="0-3")}), clock)
        assert mine["a"] == pytest.approx(analog_in(ads, 1).voltage, abs=2e-4)
        if abs(inputs[0] - inputs[3]) < 4.096:
            assert mine["b"] == pytest.approx(analog_in(ads, 0, 3).voltage, abs=2e-4)


def test_ina219(clock: FakeClock) -> None:
    for _ in range(ROUNDS):
        volts, ampere = RANDOM.uniform(0, 26), RANDOM.uniform(-3, 3)
        bus, blinka = on_bus(0x40, ina219.Ina219(volts, ampere, clock=clock), clock)
        mine = ours(Ina219(bus), clock)
        them = other("adafruit_ina219").INA219(blinka, 0x40)
        clock.now += 1
        assert mine["voltage"] == pytest.approx(them.bus_voltage, abs=0.004)
        assert mine["current"] == pytest.approx(them.shunt_voltage / 0.1, abs=1e-4)


def test_ina3221(clock: FakeClock) -> None:
    for _ in range(ROUNDS):
        lines = [(RANDOM.uniform(0, 26), RANDOM.uniform(-1.6, 1.6)) for _ in range(3)]
        bus, blinka = on_bus(0x40, ina3221.Ina3221(lines, clock=clock), clock)
        mine = ours(Ina3221(bus), clock)
        them = other("adafruit_ina3221").INA3221(blinka)
        for number in (1, 2, 3):
            channel = them[number - 1]
            assert mine[f"voltage_{number}"] == pytest.approx(channel.bus_voltage, abs=0.009)
            shunt_mv = channel.shunt_voltage
            assert mine[f"current_{number}"] == pytest.approx(shunt_mv / 1000 / 0.1, abs=5e-4)


def climate() -> tuple[float, float, float]:
    return RANDOM.uniform(400, 4000), RANDOM.uniform(-10, 50), RANDOM.uniform(5, 95)


@pytest.mark.parametrize(
    ("make", "address", "driver", "module", "cls"),
    [
        (scd4x.Scd4x, 0x62, Scd4x, "adafruit_scd4x", "SCD4X"),
        (scd30.Scd30, 0x61, Scd30, "adafruit_scd30", "SCD30"),
    ],
)
def test_scd4x_and_scd30(
    clock: FakeClock,
    make: Callable[..., Chip],
    address: int,
    driver: Callable[..., Sensor],
    module: str,
    cls: str,
) -> None:
    for _ in range(ROUNDS):
        bus, blinka = on_bus(address, make(*climate(), clock=clock), clock)
        mine = ours(driver(bus), clock)
        them = getattr(other(module), cls)(blinka)
        if hasattr(them, "start_periodic_measurement"):
            them.start_periodic_measurement()
        clock.now += 6
        assert mine["co2"] == pytest.approx(them.CO2, abs=0.6)
        assert mine["temperature"] == pytest.approx(them.temperature, abs=0.01)
        assert mine["humidity"] == pytest.approx(them.relative_humidity, abs=0.01)


def test_tsl2591(clock: FakeClock) -> None:
    for lux in (3.0, 80.0, 700.0, 3000.0):
        bus, blinka = on_bus(0x29, tsl2591.Tsl2591(lux, clock=clock), clock)
        them = other("adafruit_tsl2591").TSL2591(blinka)
        clock.now += 1
        theirs = them.lux
        assert ours(Tsl2591(bus), clock)["illuminance"] == pytest.approx(theirs, rel=0.04)


def test_veml7700_nonlinearity() -> None:
    compute = other("adafruit_veml7700").VEML7700.compute_lux

    class Unit:
        def resolution(self) -> float:
            return 1.0

    for _ in range(100):
        lux = RANDOM.uniform(0, 100_000)
        assert straightened(lux) == pytest.approx(compute(Unit(), lux, True), rel=1e-6)


def test_ens160(clock: FakeClock) -> None:
    for _ in range(ROUNDS):
        chip = ens160.Ens160(RANDOM.randrange(65000), RANDOM.randrange(400, 65000), clock=clock)
        bus, blinka = on_bus(0x53, chip, clock)
        mine = ours(Ens160(bus), clock)
        them = other("adafruit_ens160").ENS160(blinka)
        clock.now += 2
        assert (mine["air_quality_index"], mine["voc"], mine["co2_equivalent"]) == (
            them.AQI, them.TVOC, them.eCO2,
        )  # fmt: skip


def test_bme680(clock: FakeClock) -> None:
    for _ in range(ROUNDS):
        chip = bme680.Bme680(
            RANDOM.uniform(-20, 60), RANDOM.uniform(850, 1090), RANDOM.uniform(5, 95), clock=clock
        )
        chip.gas = (RANDOM.randrange(1024), RANDOM.randrange(16))
        bus = SimulatedI2CBus({0x76: chip})
        mine = ours(Bme680(bus), clock)
        them = other("bme680").BME680(0x76, SMBusFront(bus))
        assert them.get_sensor_data()
        assert mine["temperature"] == pytest.approx(them.data.temperature, abs=0.02)
        assert mine["pressure"] == pytest.approx(them.data.pressure, abs=0.1)
        assert mine["humidity"] == pytest.approx(them.data.humidity, abs=0.05)
        assert mine["gas_resistance"] == pytest.approx(them.data.gas_resistance, rel=0.001, abs=0.6)
        parsed = parse_calibration(*bme680.calibration().values())
        # At 0 °C: their term for the ambient temperature is not the data sheet's.
        them.ambient_temperature = 0
        code = them._calc_heater_resistance(320)
        assert heater_code(320, 0, parsed) == pytest.approx(code, abs=2)


def test_mcp23017(clock: FakeClock) -> None:
    chip = mcp23017.Mcp23017()
    chip.outside = {pin: RANDOM.random() < 0.5 for pin in range(16)}
    bus, blinka = on_bus(0x20, chip, clock)
    pins = {f"p{pin}": pin for pin in range(16)}
    mine = ours(Mcp23017(bus, pins=pins, closed=False), clock)
    them = other("adafruit_mcp230xx.mcp23017").MCP23017(blinka, reset=False)
    assert mine == {f"p{pin}": bool(them.gpio >> pin & 1) for pin in range(16)}


def test_pca9685(clock: FakeClock) -> None:
    chip = pca9685.Pca9685()
    bus, blinka = on_bus(0x40, chip, clock)
    output = Pca9685(bus, pin=5, frequency=50.0)
    finish(output.start(0.0), clock)
    them = other("adafruit_pca9685").PCA9685(blinka)
    for level in (0.0, 12.5, 50.0, 99.9, 100.0):
        output.set(level)
        assert them.channels[5].duty_cycle / 65535 == pytest.approx(level / 100, abs=0.001)
    assert them.frequency == pytest.approx(50, rel=0.01)
