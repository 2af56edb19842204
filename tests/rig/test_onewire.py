"""1-Wire through the kernel's own w1 stack: DS2482 bridges on the rig's I2C bus, chips behind them.

And one chip that the kernel drives itself, through IIO. The guest's kernel needs the modules of
tests/rig/modules, which `make rig` puts into it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from drivers.simulated import bme280
from tests.rig.conftest import CHECKOUT, BoardChip, rig_modules
from tests.rig.onewire_chips import Ds2482, Switch, Thermometer
from tests.rig.test_sensors import look

HEAD = '[gateway]\nid = "rig"\n[upstream]\nurl = "mqtt://localhost"\n'
PLACES = {"boiler": 58.3125, "return": 41.5, "loft": -10.125, "garden": -0.5}


@dataclass
class Wired:
    guest: Any
    thermometers: dict[str, Thermometer]
    mixed: Thermometer
    switch: Switch

    def adapter(self) -> str:
        found = self.guest.run("basename $(readlink -f /dev/rig/i2c-usb)", check=True)
        return str(found.stdout.strip())

    def wait(self, condition: str, limit: float = 180) -> None:
        """Until a shell's condition holds in the guest."""
        end = time.monotonic() + limit
        while self.guest.run(condition).returncode:
            assert time.monotonic() < end, f"not within {limit} s: {condition}"
            time.sleep(0.5)


@pytest.fixture(scope="module")
def wired() -> Iterator[Wired]:
    rig, i2cbus = rig_modules()
    thermometers = {
        name: Thermometer(0x0316A2794C00 + index, celsius)
        for index, (name, celsius) in enumerate(PLACES.items())
    }
    mixed, switch = Thermometer(0x0316A2795555, 21.0625), Switch(0x1A2B3C)
    chips = {
        0x18: Ds2482(list(thermometers.values()), i2cbus.Nak),
        0x19: Ds2482([mixed, switch], i2cbus.Nak),
        0x76: BoardChip(bme280.Bme280(21.5, 1000.0, 45.0), i2cbus.Nak),
    }
    with i2cbus.I2CBus(chips) as bus, rig.Guest() as guest:
        if guest.run("modprobe -a wire ds2482 w1_therm w1_ds2413 bmp280-i2c").returncode:
            pytest.skip("the guest's kernel has no w1 modules: make rig puts them there")
        guest.push(CHECKOUT)
        rules = "/etc/udev/rules.d/60-tidegate.rules"
        guest.run(
            f"groupadd -f gpio; cp /src/deploy/systemd/udev.rules {rules}; udevadm control -R",
            check=True,
        )
        guest.plug_usb_device(bus.port)
        one = Wired(guest, thermometers, mixed, switch)
        one.wait("test -e /dev/rig/i2c-usb")
        new = f"/sys/bus/i2c/devices/{one.adapter()}/new_device"
        for chip, address in (("ds2482", 0x18), ("ds2482", 0x19), ("bme280", 0x76)):
            guest.run(f"echo {chip} {address:#x} > {new}", check=True)
        for slave in (*thermometers.values(), mixed, switch):
            one.wait(f"test -e /sys/bus/w1/devices/{slave.name}")
        # Found is found: the search for others would take the line's time from what is measured.
        guest.run(
            "for m in /sys/bus/w1/devices/w1_bus_master*; do echo 0 > $m/w1_master_search; done",
            check=True,
        )
        guest.run("udevadm settle", check=True)
        yield one


def thermometers(names: dict[str, Thermometer]) -> str:
    return HEAD + "".join(
        f'[[device]]\nname = "{name}"\ndriver = "ds18b20"\naddress = "{one.name}"\n'
        for name, one in names.items()
    )


def test_all_thermometers_of_a_bus_convert_together(wired: Wired) -> None:
    found = look(wired.guest, thermometers(wired.thermometers))
    assert {name: row["temperature"] for name, row in found.items()} == {
        name: pytest.approx(celsius, abs=0.001) for name, celsius in PLACES.items()
    }
    assert {one.conversions for one in wired.thermometers.values()} == {1}


def test_one_that_did_not_convert_is_no_85_degrees(wired: Wired) -> None:
    one = wired.thermometers["boiler"]
    one.powered = False
    fresh = Thermometer(0, 0.0)
    one._scratchpad = fresh._scratchpad
    found = look(wired.guest, thermometers(wired.thermometers))
    one.powered = True
    assert found["boiler"]["temperature"] is None
    assert found["loft"]["temperature"] == -10.125


def test_one_that_is_pulled_out_is_no_value(wired: Wired) -> None:
    one = wired.thermometers["garden"]
    one.there = False
    found = look(wired.guest, thermometers(wired.thermometers))
    one.there = True
    assert "error" in found["garden"] or found["garden"]["temperature"] is None
    assert found["return"]["temperature"] == 41.5


def test_a_switch_beside_a_thermometer(wired: Wired) -> None:
    """The kernel has no common conversion where another kind of chip is: one by one, then."""
    text = thermometers({"pipe": wired.mixed}) + (
        f'[[device]]\nname = "vent"\ndriver = "ds2413_output"\naddress = "{wired.switch.name}"\n'
        'pin = "b"\n'
        f'[[device]]\nname = "gate"\ndriver = "ds2413"\naddress = "{wired.switch.name}"\n'
    )
    wired.switch.closed[0] = True
    found = look(wired.guest, text)
    assert found["pipe"]["temperature"] == pytest.approx(21.062, abs=0.001)
    assert found["vent"] == {"state": True}
    assert found["gate"] == {"a": True, "b": True}
    assert wired.switch.latches == [True, False]


def test_the_service_may_write_what_it_has_to(wired: Wired) -> None:
    """In the service's own sandbox, by the rules of udev that the package brings."""
    unit = (CHECKOUT / "deploy/systemd/tidegate.service").read_text().splitlines()
    closed = [line for line in unit if line.startswith(("ProtectK", "ProtectS", "ReadWritePaths"))]
    assert len(closed) >= 5
    properties = " ".join(f"-p '{line}'" for line in closed)
    wired.guest.run("id -u w1test || useradd -G gpio w1test", check=True)
    masters = "/sys/bus/w1/devices/w1_bus_master"
    for file in (f"{masters}1/therm_bulk_read", f"/sys/bus/w1/devices/{wired.switch.name}/output"):
        test = f"systemd-run -q --pipe --wait -p User=w1test {properties} test -w {file}"
        done = wired.guest.run(test)
        listing = wired.guest.run(f"ls -l $(readlink -f {file})").stdout
        assert done.returncode == 0, f"{file}: {listing} {done.stderr}"


def test_a_chip_that_the_kernel_drives(wired: Wired) -> None:
    text = HEAD + (
        '[[device]]\nname = "attic"\ndriver = "iio"\nsensor = "bme280"\n'
        'measures = ["temp", "humidityrelative", "pressure"]\n'
    )
    found = look(wired.guest, text)["attic"]
    assert found["temperature"] == pytest.approx(21.5, abs=0.05)
    assert found["humidity"] == pytest.approx(45.0, abs=0.5)
    assert found["pressure"] == pytest.approx(1000.0, abs=0.5)
