"""The example that began it: the house reaches 30 degrees, and the air conditioner starts.

Once with both on one gateway and no broker at all, once with the sensor on one gateway and the
appliance on another, whose readings go through the broker.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.brokers import Listener, Mosquitto, eventually

LONG = 60.0
"""Seconds in which even a busy machine does what takes a second."""

GATEWAY = """
[gateway]
id = "{name}"
state = "{folder}/{name}"
health_every = "1s"
[upstream]
url = "{url}"
[site]
battery_clock = true
"""
SENSOR = """
[[bus]]
name = "i2c"
kind = "simulated-i2c"
chips = ["sht4x@0x44"]
heat = "{folder}/heat"
[[device]]
name = "climate"
driver = "sht4x"
bus = "i2c"
interval = 0.2
"""
COOLER = """
[[bus]]
name = "pins"
kind = "gpio"
device = "mock"
[[device]]
name = "cooler"
driver = "relay"
bus = "pins"
pin = 27
[[rule]]
name = "cool"
when = {{ reading = "{input}", at_least = "30 °C", hysteresis = 2, max_age = "{max_age}" }}
then = {{ command = "cooler", value = "on" }}
else = {{ command = "cooler", value = "off" }}
stale = [{{ command = "cooler", value = "off" }}, {{ alarm = "blind", text = "no sensor" }}]
"""


class House:
    """Gateways as processes; `heat` makes it warmer by so many degrees."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.heat(0)

    def heat(self, degrees: float) -> None:
        part = self._folder / "heat.part"
        part.write_text(f"{degrees}")
        part.rename(self._folder / "heat")

    def start(self, name: str, *parts: str, **values: str) -> None:
        config = self._folder / f"{name}.toml"
        if parts:
            text = "".join((GATEWAY, *parts))
            config.write_text(
                text.format(name=name, folder=self._folder, url=self._url, **values), "utf-8"
            )
        command = [sys.executable, "-m", "gateway", "run", str(config)]
        self.running[name] = subprocess.Popen(command)

    def stop(self, name: str) -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait(LONG)


@pytest.fixture
def house(tmp_path: Path, broker: Mosquitto) -> Iterator[House]:
    made = House(tmp_path, broker.url)
    yield made
    for name in list(made.running):
        made.stop(name)


def state_of(listener: Listener, gateway: str) -> object:
    told = listener.of(f"tidegate/{gateway}/cooler/state")
    return json.loads(told[-1])["value"] if told else None


def becomes(listener: Listener, gateway: str, expected: bool) -> None:
    what = f"the cooler is {'on' if expected else 'off'}"
    eventually(lambda: state_of(listener, gateway) is expected, what, LONG)


def test_the_cooler_starts_at_thirty_degrees_and_stops_below_twenty_eight(
    house: House, listener: Listener
) -> None:
    house.start("house", SENSOR, COOLER, input="climate.temperature", max_age="30s")
    becomes(listener, "house", False)
    house.heat(15)
    becomes(listener, "house", True)
    house.heat(0)
    becomes(listener, "house", False)
    results = [json.loads(p) for p in listener.of("tidegate/house/cooler/result")]
    assert {(r["source"], r["outcome"]) for r in results} == {("rule cool", "done")}


def test_it_needs_no_broker(tmp_path: Path) -> None:
    """What it did while there was none comes when there is one."""
    mosquitto = Mosquitto(tmp_path)
    house = House(tmp_path, mosquitto.url)
    try:
        house.heat(15)
        house.start("house", SENSOR, COOLER, input="climate.temperature", max_age="30s")
        state = tmp_path / "house" / "state.db"
        eventually(lambda: _remembers(state, b"rule-cool-"), "a command in the ledger", LONG)
        mosquitto.start()
        listener = Listener(mosquitto.port)
        becomes(listener, "house", True)
        listener.close()
    finally:
        for name in list(house.running):
            house.stop(name)
        mosquitto.stop()


def test_the_sensor_of_one_gateway_and_the_appliance_of_another(
    house: House, listener: Listener
) -> None:
    house.start("sensor", SENSOR)
    house.start("cellar", COOLER, input="sensor/climate.temperature", max_age="5s")
    becomes(listener, "cellar", False)
    house.heat(15)
    becomes(listener, "cellar", True)

    # The sensor's gateway dies: nothing new comes, so the cooler goes off by itself.
    house.stop("sensor")
    becomes(listener, "cellar", False)
    eventually(lambda: _alarm(listener) == "raised", "the alarm", LONG)

    # Its last reading again, by whoever can write there: older than what was used.
    replayed = listener.of("tidegate/sensor/climate/data")[-1]
    assert json.loads(replayed)["temperature"] >= 30
    listener.publish("tidegate/sensor/climate/data", replayed)
    house.start("sensor")
    becomes(listener, "cellar", True)
    eventually(lambda: _alarm(listener) == "cleared", "the alarm's end", LONG)


def _alarm(listener: Listener) -> str:
    told = listener.of("tidegate/cellar/alarm/blind")
    return str(json.loads(told[-1])["state"]) if told else ""


def test_when_the_broker_dies_the_appliance_goes_off_by_itself(tmp_path: Path) -> None:
    mosquitto = Mosquitto(tmp_path)
    mosquitto.start()
    house = House(tmp_path, mosquitto.url)
    try:
        house.heat(15)
        house.start("sensor", SENSOR)
        house.start("cellar", COOLER, input="sensor/climate.temperature", max_age="5s")
        listener = Listener(mosquitto.port)
        becomes(listener, "cellar", True)
        listener.close()
        mosquitto.kill()
        state = tmp_path / "cellar" / "state.db"
        # It is off before anybody can tell: the alarm is in the state, then the broker is back.
        eventually(lambda: _remembers(state, b"no sensor"), "stale without a broker", LONG)
        house.stop("sensor")
        mosquitto.start()
        listener = Listener(mosquitto.port)
        becomes(listener, "cellar", False)
        listener.close()
    finally:
        for name in list(house.running):
            house.stop(name)
        mosquitto.stop()


def _remembers(state: Path, what: bytes) -> bool:
    wal = state.with_name(state.name + "-wal")
    return any(what in file.read_bytes() for file in (state, wal) if file.exists())
