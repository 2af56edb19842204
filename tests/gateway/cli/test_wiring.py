"""`tidegate wiring`: the pin table, the drawing, and pins that two want."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from gateway.cli.header import GPIO, POWER, clashes, uses
from gateway.cli.main import main
from gateway.config import parse

HEAD = '[gateway]\nid = "shed"\n[upstream]\nurl = "mqtt://localhost"\n'
GPIO_BUS = '[[bus]]\nname = "head"\nkind = "gpio"\n'
I2C = '[[bus]]\nname = "i2c"\nkind = "i2c"\ndevice = "/dev/i2c-1"\n'
W1 = '[[bus]]\nname = "w1"\nkind = "onewire"\n'
SPI = "".join(
    f'[[bus]]\nname = "spi{n}"\nkind = "spi"\ndevice = "/dev/spidev0.{n}"\n' for n in (0, 1)
)
PORT = '[[bus]]\nname = "port"\nkind = "serial"\ndevice = "/dev/serial0"\n'
ROOM = '[[device]]\nname = "room"\ndriver = "bme280"\nbus = "i2c"\n'


def relay(name: str, pin: int) -> str:
    return f'[[device]]\nname = "{name}"\ndriver = "relay"\nbus = "head"\npin = {pin}\n'


CISTERN = """\
[[device]]
name = "cistern"
driver = "hcsr04"
bus = "head"
trigger_pin = 23
echo_pin = 24
"""
ALL = HEAD + GPIO_BUS + I2C + W1 + SPI + PORT + ROOM + relay("pump", 17) + CISTERN


def test_the_header_is_whole() -> None:
    """28 GPIOs and 12 pins of power are the 40."""
    assert sorted([*GPIO.values(), *POWER]) == list(range(1, 41))
    assert sorted(GPIO) == list(range(28))


def test_lists_pins_and_what_hangs_on_the_buses(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "shed.toml"
    file.write_text(ALL)
    drawing = tmp_path / "shed.svg"
    assert main(["wiring", str(file), "-o", str(drawing)]) == 0
    out = capsys.readouterr().out
    assert "11   GPIO17  pin          pump" in out and "pulled down until" in out
    assert "room at 0x76" in out and "spi0, spi1" in out and "DQ" in out
    texts = [node.text or "" for node in ElementTree.parse(drawing).iter() if node.text]
    assert {"pump: pin", "cistern: echo_pin", "i2c: SDA", "w1: DQ", "port: TXD"} <= set(texts)
    assert "spi0: MOSI, spi1: MOSI" in texts
    assert main(["wiring", str(file), "--json"]) == 0
    pins = json.loads(capsys.readouterr().out)["pins"]
    assert {(pin["pin"], pin["who"]) for pin in pins} >= {(11, "pump"), (16, "cistern")}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (I2C + ROOM + relay("lamp", 2), "GPIO2 (pin 3) is wanted twice: i2c SDA, and lamp pin"),
        (SPI + relay("lamp", 8), "GPIO8 (pin 24) is wanted twice: spi0 CE0, and lamp pin"),
        (W1 + relay("lamp", 4), "GPIO4 (pin 7) is wanted twice: w1 DQ, and lamp pin"),
        (PORT + relay("lamp", 15), "GPIO15 (pin 10) is wanted twice: port RXD, and lamp pin"),
    ],
)
def test_a_pin_that_two_want_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, sentence: str
) -> None:
    file = tmp_path / "x.toml"
    file.write_text(HEAD + GPIO_BUS + text)
    assert main(["wiring", str(file)]) == 78
    assert capsys.readouterr().err == sentence + "\n"


def test_two_chip_selects_share_their_clock_and_other_controllers_their_numbers() -> None:
    other = '[[bus]]\nname = "other"\nkind = "gpio"\ndevice = "/dev/gpiochip4"\n'
    away = relay("away", 17).replace("head", "other")
    settings = parse(HEAD + GPIO_BUS + SPI + other + relay("pump", 17) + away, "x").settings
    assert clashes(uses(settings)) == []


def test_nothing_on_the_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.toml"
    file.write_text(HEAD)
    assert main(["wiring", str(file)]) == 0
    assert "no pin" in capsys.readouterr().out


def test_the_lines_that_free_a_bus_are_pins_like_others() -> None:
    bus = I2C + 'recover = "head"\nsda = 5\nscl = 6\n'
    found = {use.gpio: use for use in uses(parse(HEAD + GPIO_BUS + bus, "t").settings)}
    assert sorted(found) == [2, 3, 5, 6]
    assert (found[6].what, found[6].who) == ("frees SCL", "i2c")
