"""`tidegate read`: one look at a device, from start to close."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Sequence
from pathlib import Path

import pytest

from drivers.base import Channel, Corrupt, NoAnswer, Reading, Telegram
from gateway.cli.main import main
from gateway.cli.read import read_once

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
name = "i2c"
kind = "i2c"
device = "/dev/i2c-99"
[[bus]]
name = "gpio"
kind = "gpio"
device = "mock"
[[device]]
name = "room"
driver = "bme280"
bus = "sim"
[[device]]
name = "silent"
driver = "bme280"
bus = "sim"
address = 0x77
[[device]]
name = "away"
driver = "bme280"
bus = "i2c"
[[device]]
name = "host"
driver = "host"
[[device]]
name = "pump"
driver = "relay"
bus = "gpio"
pin = 17
"""


@pytest.fixture
def config(tmp_path: Path) -> str:
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIG)
    return str(file)


def test_a_table(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "room", "-c", config]) == 0
    rows = [row.split() for row in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["channel", "value", "unit", "quality"]
    assert [(row[0], row[2], row[3]) for row in rows[1:]] == [
        ("temperature", "°C", "good"),
        ("pressure", "hPa", "good"),
        ("humidity", "%", "good"),
    ]


def test_json(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "host", "--json", "-c", config]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["device"] == "host"
    load = found["readings"][0]
    assert (load["channel"], load["unit"]) == ("load", "")
    assert load["value"] == round(load["value"], 2)


@pytest.mark.parametrize(
    ("device", "error"),
    [
        ("romo", 'no [[device]] of the configuration has this name; did you mean "room"?'),
        ("silent", "no answer at 0x77"),
        ("away", "/dev/i2c-99"),
        ("pump", "is an output, and reading it would claim its pin; its state is at topic "
                 "tidegate/gw/pump/state"),
    ],
)  # fmt: skip
def test_what_cannot_be_read(
    config: str, capsys: pytest.CaptureFixture[str], device: str, error: str
) -> None:
    assert main(["read", device, "-c", config]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"{device}: ")
    assert error in err
    assert len(err.splitlines()) == 1


def test_a_wrong_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIG.replace("[[bus]]", "[[bush]]"))
    assert main(["read", "room", "-c", str(file)]) == 78
    assert 'bush: unknown key\n' in capsys.readouterr().err  # fmt: skip


class Slow:
    """A sensor that makes its reader wait, and notes what is done with it."""

    channels: Sequence[Channel] = (Channel("temperature", "temperature"),)

    def __init__(self, fails: bool = False) -> None:
        self.done: list[str] = []
        self._fails = fails

    def start(self) -> Generator[float, None, None]:
        yield 0.0
        self.done.append("start")

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        yield 0.0
        if self._fails:
            raise NoAnswer("gone")
        self.done.append("read")
        return [Reading("temperature", 1.5)]

    def close(self) -> None:
        self.done.append("close")


def test_steps_are_run_to_their_end() -> None:
    sensor = Slow()
    assert read_once(sensor) == [Reading("temperature", 1.5)]
    assert sensor.done == ["start", "read", "close"]


def test_a_device_that_fails_is_closed() -> None:
    sensor = Slow(fails=True)
    with pytest.raises(NoAnswer):
        read_once(sensor)
    assert sensor.done == ["start", "close"]


class Meter:
    """Says what a script holds, one part at each look, on a pipe that is always readable."""

    silence = 0.2
    channels: Sequence[Channel] = ()

    def __init__(self, *heard: Sequence[Telegram | Corrupt], descriptor: int | None = None) -> None:
        self._heard = list(heard)
        self._descriptor = descriptor

    def start(self) -> None: ...

    def receive(self) -> Sequence[Telegram | Corrupt]:
        return self._heard.pop(0) if self._heard else []

    def fileno(self) -> int | None:
        return self._descriptor

    def close(self) -> None: ...


TELEGRAM = Telegram(5, (Reading("energy", 7.0),))
NOISE = Corrupt(0, 5, "no start")


def test_the_first_good_telegram_of_a_meter() -> None:
    assert read_once(Meter([], [NOISE], [NOISE, TELEGRAM])) == TELEGRAM.readings


def test_a_meter_with_a_descriptor_is_waited_for() -> None:
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, b"x")
        assert read_once(Meter([], [TELEGRAM], descriptor=read_end)) == TELEGRAM.readings
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_silent_meter_says_what_came_instead() -> None:
    with pytest.raises(NoAnswer, match=r"silent for 0\.2 s$"):
        read_once(Meter())
    with pytest.raises(NoAnswer, match=r"5 bytes came that were no telegram: no start"):
        read_once(Meter([NOISE]))
