"""capture and replay of I2C and SPI: what is recorded plays to the same readings."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from drivers.base import BusFault, DriverError, NoAnswer
from drivers.i2c.ads1115 import Ads1115
from drivers.simulated.ads1115 import Ads1115 as AdsChip
from drivers.simulated.bus import SimulatedI2CBus
from gateway.attached import finish
from gateway.cli.main import main
from gateway.cli.transactions import NoTransfers, Played, Player, Recorder, Transfer, head, parsed
from gateway.config import parse
from tests.fakes import FailsOnce

CONFIG = """\
[gateway]
id = "gw"
[upstream]
url = "mqtt://localhost"
[[bus]]
name = "sim"
kind = "simulated-i2c"
chips = ["bme280@0x76"]
[[bus]]
name = "gpio"
kind = "gpio"
device = "mock"
[[device]]
name = "room"
driver = "bme280"
bus = "sim"
interval = 0.1
[[device]]
name = "silent"
driver = "sht4x"
bus = "sim"
[[device]]
name = "pump"
driver = "relay"
bus = "gpio"
pin = 17
[[device]]
name = "tank"
driver = "ads1115"
bus = "sim"
[device.inputs.level]
pins = "0"
signal = "4-20mA"
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIG)
    return str(file)


def test_what_is_captured_plays_to_the_same_readings(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "room.transfers")
    assert main(["capture", "room", "-c", config, "-o", file, "--for", "0"]) == 0
    lines = Path(file).read_text().splitlines()
    assert lines[0] == "# tidegate transfers 1" and " 76 ask d0 -> 60" in lines[2]
    assert main(["replay", file]) == 0
    (look,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    channels = {reading["channel"]: reading["value"] for reading in look["readings"]}
    assert set(channels) == {"temperature", "pressure", "humidity"}
    assert -40 < channels["temperature"] < 85


def test_a_failure_is_captured_and_played(
    config: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "silent.transfers")
    assert main(["capture", "silent", "-c", config, "-o", file, "--for", "0"]) == 0
    assert "! NoAnswer: no answer at 0x44" in Path(file).read_text()
    assert main(["replay", file]) == 0
    assert "NoAnswer" in json.loads(capsys.readouterr().out)["error"]


@pytest.mark.parametrize(
    ("device", "text"), [("pump", "nothing passes"), ("nobody", "no [[device]]")]
)
def test_what_cannot_be_captured(
    config: str, capsys: pytest.CaptureFixture[str], device: str, text: str
) -> None:
    assert main(["capture", device, "-c", config]) == 1
    assert text in capsys.readouterr().err


def test_options_with_tables_come_back(config: str) -> None:
    settings = parse(CONFIG, "test.toml").settings
    tank = next(device for device in settings.device if device.name == "tank")
    clock = iter(range(1000))
    told: list[Transfer] = []
    bus = SimulatedI2CBus({0x48: AdsChip(1.8)})
    adc = Ads1115(Recorder(bus, told.append, lambda: float(next(clock))), **tank.options)
    adc.start()
    readings = finish(adc.read())
    text = "\n".join([head(tank), *map(str, told)])
    device, transfers = parsed(text)
    assert (device["driver"], transfers) == ("ads1115", told)
    assert device["options"]["inputs"]["level"]["signal"] == "4-20mA"
    again = Ads1115(Player(transfers), **tank.options)
    again.start()
    assert finish(again.read()) == readings


def test_faults_are_the_same_when_played() -> None:
    told: list[Transfer] = []
    bus = FailsOnce(SimulatedI2CBus({}), BusFault("SDA is held low"))
    recorder = Recorder(bus, told.append, lambda: 0.0)
    for error in (BusFault, NoAnswer):
        with pytest.raises(error):
            recorder.write_read(0x44, b"\x01", 2)
    player = Player(told)
    for error, text in ((BusFault, "SDA is held low"), (NoAnswer, "no answer")):
        with pytest.raises(error, match=text):
            player.write_read(0x44, b"\x01", 2)
    assert player.next is None


@pytest.mark.parametrize(
    "do",
    [
        lambda bus: bus.write(0x44, b"\x02"),
        lambda bus: bus.read(0x44, 1),
        lambda bus: bus.write_read(0x45, b"\x01", 2),
        lambda bus: bus.write_read(0x44, b"\x01", 3),
        lambda bus: bus.transfer(b"\x01", mode=0, hertz=1),
    ],
)
def test_another_transfer_than_was_recorded_is_told(do: Any) -> None:
    player = Player([Transfer(0.0, "44", "ask", b"\x01", b"\x00\x00")])
    with pytest.raises(Played, match="the capture has"):
        do(player)
    with pytest.raises(Played, match="at its end"):
        player.read(0x44, 1)


def test_spi_is_recorded_too() -> None:
    class Echo:
        def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
            return data[::-1]

    out = io.StringIO()
    bus = Recorder(Echo(), lambda t: print(t, file=out), lambda: 0.0)
    assert bus.transfer(b"\x01\x02", mode=1, hertz=5) == b"\x02\x01"
    assert out.getvalue() == "0.000 spi transfer 0102 -> 0201\n"


@pytest.mark.parametrize(
    "text",
    [
        "# tidegate transfers 1\n0.0 44 read - -> 00\n",
        '# tidegate transfers 1\n# device {"driver": "sht4x", "options": {}}\nrubbish\n',
        '# tidegate transfers 1\n# device {"driver": "nobody", "options": {}}\n',
        '# tidegate transfers 1\n# device {"driver": "sht4x", "options": {"address": 5}}\n',
        '# tidegate transfers 1\n# device {"driver": "relay", "options": {"pin": 5}}\n',
    ],
)
def test_what_is_no_capture(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str) -> None:
    file = tmp_path / "x"
    file.write_text(text)
    assert main(["replay", str(file)]) == 1
    assert "not to be played" in capsys.readouterr().err


def test_errors_are_drivers_errors() -> None:
    assert issubclass(Played, DriverError)
    with pytest.raises(NoTransfers, match="line 2"):
        parsed('# device {"driver": "x"}\n0.0 zz read - -> 00')
