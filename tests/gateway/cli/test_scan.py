"""`tidegate scan` on a made-up machine: what it lists, and that its blocks load."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

import drivers.buses
from drivers.base import BusFault, BusMissing
from drivers.simulated.bme280 import Bme280
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.tca9548a import Tca9548a
from gateway.cli.main import main
from gateway.config import parse

HEAD = '[gateway]\nid = "g"\n[upstream]\nurl = "mqtt://localhost"\n'


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for file in ("dev/i2c-1", "dev/spidev0.0", "dev/gpiochip0", "dev/ttyUSB0", "dev/ttyS0"):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).touch()
    (tmp_path / "dev/serial/by-id").mkdir(parents=True)
    (tmp_path / "dev/serial/by-id/usb-FTDI_AB").symlink_to("../../ttyUSB0")
    (tmp_path / "dev/serial0").symlink_to("ttyS0")
    for name in ("28-0316a2794cff", "3a-0000001a2b3c", "1d-000000000001"):
        (tmp_path / "sys/bus/w1/devices" / name).mkdir(parents=True)
    iio = tmp_path / "sys/bus/iio/devices/iio:device0"
    iio.mkdir(parents=True)
    for file, text in {"name": "dht11@4", "in_temp_input": "1", "in_foo_raw": "1"}.items():
        (iio / file).write_text(text)
    clock = tmp_path / "sys/bus/i2c/devices/1-0068"
    clock.mkdir(parents=True)
    (tmp_path / "sys/bus/i2c/drivers/rtc-ds1307").mkdir(parents=True)
    (clock / "driver").symlink_to("../../drivers/rtc-ds1307")
    bus = SimulatedI2CBus({0x76: Bme280(), 0x70: Tca9548a()})
    monkeypatch.setattr(drivers.buses, "LinuxI2C", lambda device: bus)
    return tmp_path


def test_lists_everything(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--root", str(root)]) == 0
    out = capsys.readouterr().out
    for text in (
        "0x76", "BME280", "0x70", "TCA9548A, perhaps", "0x68", "rtc-ds1307", "28-0316a2794cff",
        "ds2413", "family 1d", "usb-FTDI_AB", "-> ttyUSB0", "-> ttyS0", "spidev0.0", "gpiochip0",
        "dht11@4",
    ):  # fmt: skip
        assert text in out


def test_its_blocks_load(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--blocks", "--root", str(root)]) == 0
    text = capsys.readouterr().out.replace(str(root), "")
    settings = parse(HEAD + text, "found.toml").settings
    drivers_found = {device.driver for device in settings.device}
    assert drivers_found == {"bme280", "ds18b20", "ds2413", "iio"}
    assert {bus.kind for bus in settings.bus} == {"i2c", "i2c-mux", "onewire", "serial", "spi"}


def test_as_json_and_of_one_bus(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--json", "--i2c", "/dev/i2c-1", "--root", str(root)]) == 0
    found = json.loads(capsys.readouterr().out)["found"]
    assert {thing["bus"] for thing in found} == {"/dev/i2c-1"}


def test_an_empty_machine_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scan", "--root", str(tmp_path)]) == 0
    assert "nothing found" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "text"),
    [(BusMissing("gone"), "is not there: gone"), (BusFault("stuck"), "cannot be used: stuck")],
)
def test_a_bus_that_fails_is_told_and_the_rest_goes_on(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    text: str,
) -> None:
    class Failing(SimulatedI2CBus):
        def write_read(self, address: int, data: bytes, count: int) -> bytes:
            raise error

    monkeypatch.setattr(drivers.buses, "LinuxI2C", lambda device: Failing({}))
    assert main(["scan", "--root", str(root)]) == 0
    captured = capsys.readouterr()
    assert text in captured.err and "28-0316a2794cff" in captured.out
    assert os.sep in captured.err
