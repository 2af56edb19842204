"""Every I2C driver through smbus2 and the kernel's I2C, GPIO inputs through gpiozero and gpio-sim.

The chips are those of the unit tests, on the rig's bus. One look at each, faults included.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from drivers.simulated import (
    ads1115,
    aht20,
    bh1750,
    bme280,
    bme680,
    ens160,
    ezo,
    htu21d,
    ina219,
    ina226,
    ina3221,
    lm75,
    mcp9808,
    mcp23017,
    pca9685,
    pcf8574,
    scd4x,
    scd30,
    sgp40,
    sht3x,
    sht4x,
    tca9548a,
    tmp117,
    tsl2591,
    veml7700,
)  # fmt: skip
from drivers.simulated.bus import SimulatedI2CBus
from tests.rig.conftest import CHECKOUT, BoardChip, rig_modules

CHIPS: dict[int, Any] = {
    0x10: veml7700.Veml7700(250.0),
    0x18: mcp9808.Mcp9808(33.5),
    0x20: mcp23017.Mcp23017(),
    0x21: pcf8574.Pcf8574(),
    0x23: bh1750.Bh1750(640.0),
    0x29: tsl2591.Tsl2591(120.0),
    0x38: aht20.Aht20(19.0, 61.0),
    0x40: htu21d.Htu21d(18.0, 66.0),
    0x41: ina226.Ina226(24.0, 0.3),
    0x42: ina3221.Ina3221([(5.0, 0.5), (12.0, 0.2), (24.0, 0.1)]),
    0x43: pca9685.Pca9685(),
    0x44: sht4x.Sht4x(-12.0, 40.0),
    0x45: sht3x.Sht3x(23.0, 55.0),
    0x48: ads1115.Ads1115(1.25, 0.0, 0.0, 0.0),
    0x49: tmp117.Tmp117(-3.25),
    0x4A: lm75.Lm75(52.5),
    0x4D: ina219.Ina219(12.0, -0.5),
    0x53: ens160.Ens160(150.0, 700.0),
    0x59: sgp40.Sgp40(31000.0),
    0x61: scd30.Scd30(650.0, 18.0, 70.0),
    0x62: scd4x.Scd4x(812.0, 21.0, 44.0),
    0x63: ezo.Ezo(6.5),
    0x70: tca9548a.Tca9548a({3: {0x46: sht4x.Sht4x(7.0, 30.0)}}),
    0x76: bme280.Bme280(21.5, 1000.0, 45.0),
    0x77: bme680.Bme680(22.5, 990.0, 50.0),
}

DEVICES: tuple[tuple[str, str, str, dict[str, float | bool]], ...] = (
    # name and driver, options, what it says
    ("light", "veml7700", "", {"illuminance": 250}),
    ("contacts", "mcp23017", "pins = { door = 0 }", {"door": False}),
    ("lamp", "mcp23017_output", "pin = 9", {"state": True}),
    ("inputs", "pcf8574", "address = 0x21\npins = { door = 0 }", {"door": False}),
    ("fan", "pcf8574_output", "address = 0x21\npin = 4", {"state": True}),
    ("sky", "tsl2591", "", {"illuminance": 120}),
    ("cellar", "aht20", "", {"temperature": 19, "humidity": 61}),
    ("boiler", "mcp9808", "", {"temperature": 33.5}),
    ("desk", "bh1750", "", {"illuminance": 640}),
    ("loft", "htu21d", "", {"temperature": 18, "humidity": 66}),
    ("fridge", "tmp117", "address = 0x49", {"temperature": -3.25}),
    ("pipe", "lm75", "address = 0x4a", {"temperature": 52.5}),
    ("battery", "ina219", "address = 0x4d", {"voltage": 12, "current": -0.5}),
    ("solar", "ina226", "address = 0x41", {"voltage": 24, "current": 0.3}),
    ("rails", "ina3221", "address = 0x42", {"voltage_3": 24, "current_1": 0.5}),
    ("dimmer", "pca9685", "address = 0x43\npin = 3", {"state": 100}),
    ("outdoor", "sht4x", "", {"temperature": -12, "humidity": 40}),
    ("room", "sht3x", "address = 0x45", {"temperature": 23, "humidity": 55}),
    ("tank", "ads1115", 'inputs = { level = { pins = "0" } }', {"level": 1.25}),
    ("air", "ens160", "", {"voc": 150, "co2_equivalent": 700}),
    ("smell", "sgp40", "sampling = 0", {"voc_raw": 31000}),
    ("green", "scd30", "", {"co2": 650, "temperature": 18}),
    ("class", "scd4x", "", {"co2": 812, "temperature": 21}),
    ("pool", "ezo", 'measures = "ph"', {"acidity": 6.5}),
    ("shelf", "sht4x", 'bus = "shelf"\naddress = 0x46', {"temperature": 7, "humidity": 30}),
    ("climate", "bme280", "", {"temperature": 21.5, "pressure": 1000}),
    ("kitchen", "bme680", "address = 0x77", {"temperature": 22.5, "humidity": 50}),
)

HEAD = """\
[gateway]
id = "rig"
[upstream]
url = "mqtt://localhost"
[[bus]]
name = "i2c"
kind = "i2c"
device = "/dev/rig/i2c-usb"
[[bus]]
name = "shelf"
kind = "i2c-mux"
parent = "i2c"
channel = 3
[[bus]]
name = "pins"
kind = "gpio"
device = "/dev/gpiochip0"
"""
PINS = """\
[[device]]
name = "door"
driver = "contact"
bus = "pins"
pin = 22
pull = "none"
debounce = 0
"""


class OnTheBus:
    """A chip of the simulated bus at one address, so that multiplexers reach what is behind."""

    def __init__(self, bus: SimulatedI2CBus, address: int) -> None:
        self._bus, self._address = bus, address

    def write(self, data: bytes) -> None:
        self._bus.write(self._address, data)

    def read(self, length: int) -> bytes:
        return self._bus.read(self._address, length)


@pytest.fixture(scope="module")
def wired() -> Iterator[tuple[Any, Any]]:
    """The machine with every chip on its bus, and the checkout in /src."""
    rig, i2cbus = rig_modules()
    simulated = SimulatedI2CBus(CHIPS)
    chips = {
        address: BoardChip(OnTheBus(simulated, address), i2cbus.Nak) for address in (*CHIPS, 0x46)
    }
    with i2cbus.I2CBus(chips) as bus, rig.Guest() as guest:
        guest.push(CHECKOUT)
        guest.plug_usb_device(bus.port)
        yield guest, bus


def look(guest: Any, text: str) -> dict[str, dict[str, Any]]:
    guest.run("cat > /tmp/rig.toml", input=text, check=True)
    done = guest.run("cd /src && python3 -m tests.rig.look /tmp/rig.toml", timeout=600)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row.pop("device"): row for row in rows}


def devices() -> str:
    rows = []
    for name, driver, options, _ in DEVICES:
        bus = "" if "bus =" in options else 'bus = "i2c"\n'
        rows.append(f'[[device]]\nname = "{name}"\ndriver = "{driver}"\n{bus}{options}\n')
    return HEAD + "".join(rows)


def test_every_driver_reads_its_chip(wired: tuple[Any, Any]) -> None:
    found = look(wired[0], devices())
    for name, driver, _, expected in DEVICES:
        assert "error" not in found[name], f"{driver}: {found[name]}"
        for channel, value in expected.items():
            assert found[name][channel] == pytest.approx(value, rel=0.03, abs=0.02), driver


def test_a_chip_that_is_pulled_out_and_put_back(wired: tuple[Any, Any]) -> None:
    guest, bus = wired
    chip = bus.chips.pop(0x76)
    found = look(guest, devices())
    assert found["climate"]["error"].startswith("NoAnswer: no answer at 0x76")
    assert "error" not in found["kitchen"]
    bus.chips[0x76] = chip
    assert "error" not in look(guest, devices())["climate"]


def test_scan_finds_them(wired: tuple[Any, Any]) -> None:
    guest, _ = wired
    command = "cd /src && python3 -m gateway scan --i2c /dev/rig/i2c-usb --json"
    found = json.loads(guest.run(command, check=True, timeout=600).stdout)["found"]
    at = {thing["where"]: thing["what"] for thing in found}
    for address, chip in (
        (0x76, "BME280"), (0x77, "BME680 or BME688"), (0x44, "SHT4x"), (0x45, "SHT3x"),
        (0x41, "INA226"), (0x42, "INA3221"), (0x48, "ADS1115 or ADS1015"), (0x29, "TSL2591"),
        (0x10, "VEML7700"), (0x53, "ENS160"), (0x61, "SCD30"), (0x62, "SCD4x"),
    ):  # fmt: skip
        assert at[f"0x{address:02x}"] == chip


def test_a_contact_on_a_line_of_the_kernel(wired: tuple[Any, Any]) -> None:
    guest, _ = wired
    for level in (1, 0):
        guest.gpio_pull(22, level)
        assert look(guest, HEAD + PINS)["door"]["contact"] is (level == 0)


EDGES = """\
[[device]]
name = "gas"
driver = "s0"
bus = "pins"
pin = 23
measures = "volume"
pulses_per_unit = 100
debounce = 0
pull = "none"
[[device]]
name = "button"
driver = "contact"
bus = "pins"
pin = 24
channel = "button"
pull = "none"
debounce = 0
[[device]]
name = "fan"
driver = "frequency"
bus = "pins"
pin = 25
pull = "none"
"""


def test_edges_are_counted_by_the_kernel(wired: tuple[Any, Any]) -> None:
    guest, _ = wired
    for pin in (23, 24, 25):
        guest.gpio_pull(pin, 1)
    guest.run("cat > /tmp/edges.toml", input=HEAD + EDGES, check=True)
    command = "cd /src && python3 -m tests.rig.listen /tmp/edges.toml"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with guest.popen(command, **pipes) as process:
        try:
            assert process.stdout.readline().strip() == "ready"
            for _ in range(7):
                for level in (0, 1):
                    for pin in (23, 24, 25):
                        guest.gpio_pull(pin, level)
            process.stdin.write("\n")
            process.stdin.flush()
            said = json.loads(process.stdout.readline())
        finally:
            process.kill()
    assert said["gas"]["volume"] == 0.07
    assert said["button"] == {"button": True, "count": 7}
    assert said["fan"]["frequency"] > 0


def test_the_adapter_is_unplugged_and_plugged_in_again(wired: tuple[Any, Any]) -> None:
    guest, bus = wired
    bus.unplug()
    found = look(guest, devices())
    assert all("error" in said for said in found.values())
    guest.plug_usb_device(bus.port)
    assert "error" not in look(guest, devices())["climate"]
