"""What the daemon must not carry in memory, and that what is put off is there when it is used."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = ["argparse", "asyncio", "email", "http.client", "multiprocessing", "unittest", "zipfile"]
HEAVY += ["colorzero", "fractions", "gpiozero.tones"]

LOADED = f"""
import json, sys
from gateway.deferred import defer
defer()
import gateway.daemon, gateway.build, gpiozero, serial, smbus2
print(json.dumps([name for name in {HEAVY} if name in sys.modules]))
"""

USED = """
from gateway.deferred import defer
defer()
import urllib.request
from importlib.metadata import entry_points
import paho.mqtt.client
print(callable(urllib.request.getproxies), len(entry_points(group="console_scripts")) > 0)
import urllib.request, importlib.metadata
print(urllib.request.__spec__ is not None, importlib.metadata.version("paho-mqtt") > "2")
"""

GPIO = """
from gateway.deferred import defer
defer()
import gpiozero
from gpiozero.pins.mock import MockFactory
from gateway.deferred import _Later
print(isinstance(gpiozero.LED, _Later))
led = gpiozero.LED(17, pin_factory=MockFactory())
led.on()
print(led.value, type(led).__module__, gpiozero.TrafficLights.__class__.__name__)
from statistics import median
print(median([1, 9, 3]))
"""


def python(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_daemon_does_not_load_what_it_does_not_use() -> None:
    assert json.loads(python(LOADED)) == []


def test_without_it_the_libraries_do_load_that() -> None:
    assert "email" in json.loads(python(LOADED.replace("\ndefer()\n", "\n")))


@pytest.mark.parametrize("line", [0, 1])
def test_what_is_put_off_is_there_when_it_is_used(line: int) -> None:
    assert python(USED).splitlines()[line] == "True True"


def test_what_gpiozero_has_besides_pins_is_there_when_it_is_used() -> None:
    later, used, middle = python(GPIO).splitlines()
    assert later == "True"
    assert used == "1 gpiozero.output_devices _Later"
    assert middle == "3"
