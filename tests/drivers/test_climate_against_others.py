"""Adafruit's drivers and ours on the same simulated chip, on random values: simple sensors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from drivers.base import I2CBus, Sensor
from drivers.i2c.aht20 import Aht20
from drivers.i2c.bh1750 import Bh1750
from drivers.i2c.bme280 import Bme280
from drivers.i2c.bmp280 import Bmp280
from drivers.i2c.htu21d import Htu21d
from drivers.i2c.lm75 import Lm75
from drivers.i2c.mcp9808 import Mcp9808
from drivers.i2c.pcf8574 import Pcf8574
from drivers.i2c.sgp40 import Sgp40
from drivers.i2c.sht3x import Sht3x
from drivers.i2c.sht4x import Sht4x
from drivers.i2c.tmp117 import Tmp117
from drivers.simulated import (
    aht20,
    bh1750,
    bme280,
    bmp280,
    htu21d,
    lm75,
    mcp9808,
    pcf8574,
    sgp40,
    sht3x,
    sht4x,
    tmp117,
)
from drivers.simulated.bus import SimulatedI2CBus
from tests.drivers.others import BlinkaI2C, ours
from tests.fakes import FakeClock

RANDOM = random.Random(20261127)
ROUNDS = 6
RANGES = {"temperature": (-30.0, 70.0), "pressure": (900.0, 1080.0), "humidity": (5.0, 95.0)}
TOLERANCE = {"temperature": 0.02, "pressure": 0.05, "humidity": 0.05, "illuminance": 0.1}
CLIMATE = {"temperature": "temperature", "humidity": "relative_humidity"}


@pytest.mark.parametrize(
    ("make", "address", "driver", "module", "cls", "theirs"),
    [
        (
            bme280.Bme280, 0x76, Bme280, "adafruit_bme280.basic", "Adafruit_BME280_I2C",
            {"temperature": "temperature", "pressure": "pressure", "humidity": "humidity"},
        ),
        (
            bmp280.Bmp280, 0x76, Bmp280, "adafruit_bmp280", "Adafruit_BMP280_I2C",
            {"temperature": "temperature", "pressure": "pressure"},
        ),
        (sht4x.Sht4x, 0x44, Sht4x, "adafruit_sht4x", "SHT4x", CLIMATE),
        (sht3x.Sht3x, 0x44, Sht3x, "adafruit_sht31d", "SHT31D", CLIMATE),
        (aht20.Aht20, 0x38, Aht20, "adafruit_ahtx0", "AHTx0", CLIMATE),
        (htu21d.Htu21d, 0x40, Htu21d, "adafruit_htu21d", "HTU21D", CLIMATE),
        (
            mcp9808.Mcp9808, 0x18, Mcp9808, "adafruit_mcp9808", "MCP9808",
            {"temperature": "temperature"},
        ),
        (tmp117.Tmp117, 0x48, Tmp117, "adafruit_tmp117", "TMP117", {"temperature": "temperature"}),
        (lm75.Lm75, 0x48, Lm75, "adafruit_pct2075", "PCT2075", {"temperature": "temperature"}),
    ],
)  # fmt: skip
def test_climate(
    clock: FakeClock,
    make: Callable[..., Any],
    address: int,
    driver: Callable[[I2CBus], Sensor],
    module: str,
    cls: str,
    theirs: dict[str, str],
) -> None:
    them_class = getattr(pytest.importorskip(module), cls)
    for _ in range(ROUNDS):
        wanted = {name: RANDOM.uniform(*RANGES[name]) for name in theirs}
        bus = SimulatedI2CBus({address: make(*wanted.values(), clock=clock)})
        mine = ours(driver(bus), clock)
        them = them_class(BlinkaI2C(bus, clock), address=address)
        clock.now += 2
        for name, attribute in theirs.items():
            assert mine[name] == pytest.approx(getattr(them, attribute), abs=TOLERANCE[name]), name


def test_bh1750(clock: FakeClock) -> None:
    module = pytest.importorskip("adafruit_bh1750")
    for lux in (0.0, 1.7, 380.0, 26_000.0):  # theirs measures in steps of half a lux
        bus = SimulatedI2CBus({0x23: bh1750.Bh1750(lux, clock=clock)})
        mine = ours(Bh1750(bus), clock)
        them = module.BH1750(BlinkaI2C(bus, clock))
        clock.now += 1
        assert mine["illuminance"] == pytest.approx(them.lux, abs=0.9)


def test_sgp40(clock: FakeClock) -> None:
    module = pytest.importorskip("adafruit_sgp40")
    for _ in range(ROUNDS):
        raw = float(RANDOM.randrange(20_000, 52_000))
        bus = SimulatedI2CBus({0x59: sgp40.Sgp40(raw, clock=clock)})
        mine = ours(Sgp40(bus, sampling=0), clock)
        them = module.SGP40(BlinkaI2C(bus, clock))
        assert mine == {"voc_raw": them.measure_raw(temperature=25, relative_humidity=50)}


def test_pcf8574(clock: FakeClock) -> None:
    module = pytest.importorskip("adafruit_pcf8574")
    chip = pcf8574.Pcf8574()
    chip.grounded = {pin for pin in range(8) if RANDOM.random() < 0.5}
    bus = SimulatedI2CBus({0x20: chip})
    mine = ours(Pcf8574(bus, pins={f"p{pin}": pin for pin in range(8)}, closed=False), clock)
    them = module.PCF8574(BlinkaI2C(bus, clock), 0x20)
    found = them.read_gpio()
    assert mine == {f"p{pin}": bool(found >> pin & 1) for pin in range(8)}
