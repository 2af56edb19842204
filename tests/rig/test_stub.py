"""Drivers that read registers alone, through the kernel's SMBus transfers on i2c-stub.

Many adapters can do no more than those (the SMBus of PCs, some USB bridges). The registers are what
each driver reads of its simulated chip. Not among them, for what i2c-stub cannot be: chips of
commands and plain reads (SHT3x, SHT4x, AHT20, HTU21D, BH1750, SCD30, SCD4x, SGP40, EZO, PCF8574),
and chips whose registers change by themselves behind a write (INA219's reset, TMP117's conversion).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

import pytest

from drivers.base import I2CBus
from drivers.simulated import (
    ads1115,
    bme280,
    bme680,
    bmp280,
    ens160,
    ina226,
    ina3221,
    lm75,
    mcp9808,
    mcp23017,
    pca9685,
    tsl2591,
    veml7700,
)
from gateway.attached import finish, steps_of
from gateway.build_devices import make_device
from gateway.config import parse
from gateway.settings import DeviceSettings
from tests.rig.conftest import CHECKOUT, rig_modules
from tests.rig.stub_image import recorded
from tests.rig.test_sensors import HEAD, look

CHIPS: tuple[tuple[str, int, Any, str], ...] = (
    # driver, address, chip, options
    ("bmp280", 0x77, bmp280.Bmp280(19.5, 1012.0), ""),
    ("veml7700", 0x10, veml7700.Veml7700(250.0), ""),
    ("mcp9808", 0x18, mcp9808.Mcp9808(33.5), ""),
    ("mcp23017", 0x20, mcp23017.Mcp23017(), "pins = { door = 0, leak = 9 }"),
    ("mcp23017_output", 0x21, mcp23017.Mcp23017(), "pin = 9"),
    ("tsl2591", 0x29, tsl2591.Tsl2591(120.0), ""),
    ("ina226", 0x41, ina226.Ina226(24.0, 0.3), ""),
    ("ina3221", 0x42, ina3221.Ina3221([(5.0, 0.5), (12.0, 0.2), (24.0, 0.1)]), ""),
    ("pca9685", 0x43, pca9685.Pca9685(), "pin = 3"),
    ("ads1115", 0x48, ads1115.Ads1115(1.25, 0.0, 0.0, 0.0), 'inputs = { level = { pins = "0" } }'),
    ("lm75", 0x4A, lm75.Lm75(52.5), ""),
    ("ens160", 0x53, ens160.Ens160(150.0, 700.0), ""),
    ("bme280", 0x76, bme280.Bme280(21.5, 1000.0, 45.0), ""),
    ("bme680", 0x77, bme680.Bme680(22.5, 990.0, 50.0), ""),
)
AT_ONCE = 10
"""Chips of one i2c-stub (MAX_CHIPS in linux drivers/i2c/i2c-stub.c)."""

FILL = """\
import json, sys
from smbus2 import SMBus
with SMBus("/dev/rig/i2c-stub") as bus:
    for address, image in json.load(sys.stdin).items():
        for register, word in image.items():
            bus.write_word_data(int(address), int(register), word)
"""


def use(device: DeviceSettings, bus: I2CBus) -> dict[str, Any]:
    """What the device says; of an output, its state after it was switched on."""
    made: Any = make_device(device, bus)
    if device.output is not None:
        finish(steps_of(made.start(made.parse("on"))))
        return {"state": finish(steps_of(made.state()))}
    finish(steps_of(made.start()))
    return {one.channel: one.value for one in finish(steps_of(made.read()))}


def block(driver: str, address: int, options: str) -> str:
    where = f'bus = "i2c"\naddress = {address}\n{options}\n'
    return f'[[device]]\nname = "{driver}"\ndriver = "{driver}"\n{where}'


@pytest.fixture(scope="module")
def guest() -> Iterator[Any]:
    rig, _ = rig_modules()
    with rig.Guest() as guest:
        guest.push(CHECKOUT)
        yield guest


@pytest.mark.parametrize("first", range(0, len(CHIPS), AT_ONCE))
def test_registers_are_enough(guest: Any, first: int) -> None:
    chips = CHIPS[first : first + AT_ONCE]
    images: dict[int, Mapping[int, int]] = {}
    said: dict[str, dict[str, Any]] = {}
    text = HEAD.replace("/dev/rig/i2c-usb", "/dev/rig/i2c-stub")
    for driver, address, chip, options in chips:
        text += block(driver, address, options)
        (device,) = parse(HEAD + block(driver, address, options), driver).settings.device
        images[address], said[driver] = recorded(chip, address, partial(use, device))
    assert len(images) == len(chips), "two chips of one round have one address"
    addresses = ",".join(f"{address:#x}" for address in images)
    guest.run(
        f"modprobe -r i2c-stub && modprobe i2c-stub chip_addr={addresses} && udevadm settle",
        check=True,
    )
    guest.run(["python3", "-c", FILL], input=json.dumps(images), check=True)
    found = look(guest, text)
    for driver, expected in said.items():
        assert "error" not in found[driver], f"{driver}: {found[driver]}"
        assert expected, driver
        assert found[driver] == pytest.approx(expected, rel=1e-6), driver
