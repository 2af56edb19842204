"""The drop-in that closes the service to all but what its configuration needs."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from gateway.cli.unit import broker_addresses, device_classes, drop_in
from gateway.config import parse
from gateway.settings import BusSettings, Settings

HEAD = '[gateway]\nid = "g"\n[upstream]\nurl = {url}\n{more}\n'
UNIT = Path(__file__).parents[3] / "deploy/systemd/tidegate.service"
BAR = 1.6
"""What `systemd-analyze security` may give at most."""


def settings(url: str = '"mqtt://localhost"', more: str = "") -> Settings:
    return parse(HEAD.format(url=url, more=more), "test.toml").settings


@pytest.mark.parametrize(
    ("kind", "device", "classes"),
    [
        ("i2c", "/dev/i2c-1", ["char-i2c"]),
        ("gpio", "", ["char-gpiochip"]),
        ("gpio", "mock", []),
        ("serial", "/dev/ttyUSB7", ["char-ttyUSB"]),
        ("serial", "/dev/ttyAMA0", ["char-ttyAMA"]),
        ("serial", "/dev/ttyS4", ["char-ttyS"]),
        ("serial", "/dev/serial0", ["char-ttyAMA", "char-ttyS"]),
        ("serial", "/dev/serial/by-id/usb-none-here", ["char-ttyACM", "char-ttyUSB"]),
        ("serial", "socket://host:4001", []),
        ("host", "", []),
    ],
)
def test_classes_of_devices(kind: str, device: str, classes: list[str]) -> None:
    bus = BusSettings(name="b", kind=kind, device=device)  # type: ignore[arg-type]
    assert device_classes([bus, bus]) == classes


@pytest.mark.parametrize(
    ("url", "more", "addresses"),
    [
        ('"mqtt://localhost"', "", []),
        ('"mqtts://10.1.2.3"', "", ["10.1.2.3"]),
        ('"mqtts://[fd00::1]"', "", ["fd00::1"]),
        ('["mqtts://10.1.2.3", "mqtts://10.1.2.4"]', "", ["10.1.2.3", "10.1.2.4"]),
        ('"mqtts://broker.example"', "", None),
        ('["mqtts://10.1.2.3", "mqtts://broker.example"]', "", None),
        ('"unix:///run/mosquitto.sock"', "", []),
        ('"mqtts://10.1.2.3"', 'proxy = "http://proxy.example:3128"', None),
    ],
)
def test_addresses_of_brokers(url: str, more: str, addresses: list[str] | None) -> None:
    assert broker_addresses(settings(url, more)) == addresses


def test_the_drop_in_takes_back_what_the_unit_allows(tmp_path: Path) -> None:
    (tmp_path / "mqtt").write_text("secret")
    more = '[[bus]]\nname = "i2c"\nkind = "i2c"\ndevice = "/dev/i2c-1"'
    config = settings('"mqtts://10.1.2.3"', more)
    lines = drop_in(config, "/etc/tidegate/gateway.toml", tmp_path).splitlines()
    assert lines[1:7] == [
        "[Service]",
        "DeviceAllow=",
        "DeviceAllow=char-i2c rw",
        f"LoadCredential=mqtt:{tmp_path}/mqtt",
        "IPAddressDeny=any",
        "IPAddressAllow=localhost 10.1.2.3",
    ]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_the_unit_keeps_the_security_bar(tmp_path: Path) -> None:
    shutil.copy(UNIT, tmp_path)
    command = ["systemd-analyze", "security", "--offline=yes", "--no-pager"]
    command += [f"--threshold={BAR * 10:.0f}", str(tmp_path / UNIT.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    assert "Overall exposure level" in done.stdout
