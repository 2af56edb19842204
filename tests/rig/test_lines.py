"""Lines that switch and are timed by the kernel: PWM outputs, the echo of an HC-SR04, a held bus.

gpio-sim has edges and levels, stamped by the kernel. What needs an answer within microseconds (an
HX711's data behind each clock) it cannot give: nobody stands on the far side of its lines.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import mean
from typing import Any

import pytest

from tests.rig.conftest import CHECKOUT, rig_modules
from tests.rig.test_sensors import HEAD, look

PIPES = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
METRES = (331.3 + 0.606 * 20) / 2
"""For a second of echo, there and back, at 20 °C."""


@pytest.fixture(scope="module")
def guest() -> Iterator[Any]:
    rig, i2cbus = rig_modules()
    with i2cbus.I2CBus({}) as bus, rig.Guest() as guest:
        guest.push(CHECKOUT)
        guest.plug_usb_device(bus.port)
        yield guest


@contextmanager
def running(guest: Any, command: str) -> Iterator[Any]:
    with guest.popen(f"cd /src && exec python3 -m {command}", **PIPES) as process:
        try:
            yield process
        finally:
            process.kill()


def device(driver: str, options: str) -> str:
    return f'[[device]]\nname = "one"\ndriver = "{driver}"\nbus = "pins"\n{options}\n'


@pytest.mark.parametrize(
    ("driver", "options", "value", "low", "high"),
    [
        # An emulated processor is late by milliseconds: 5 Hz are exact enough, a servo's pulses are
        # only seen to be there, and short.
        ("dimmer", "pin = 18\nfrequency = 5", "30", 0.15, 0.45),
        ("dimmer", "pin = 18\nfrequency = 5\nactive_high = false", "30", 0.55, 0.85),
        ("dimmer", "pin = 18", "100", 1.0, 1.0),
        ("servo", "pin = 18\nhold = true", "open", 0.003, 0.4),
        ("servo", "pin = 18", "open", 0.0, 0.0),  # arrived: no pulses
    ],
)
def test_the_load_sees_a_share_of_the_time(
    guest: Any, driver: str, options: str, value: str, low: float, high: float
) -> None:
    guest.run("cat > /tmp/lines.toml", input=HEAD + device(driver, options), check=True)
    with running(guest, f"tests.rig.switch_on /tmp/lines.toml {value}") as process:
        assert process.stdout.readline()
        see = "cd /src && python3 -m tests.rig.pulses see 18 300"
        seen = json.loads(guest.run(see, check=True, timeout=600).stdout)
    assert low <= mean(seen) <= high


def test_an_echo_is_as_long_as_the_kernel_says(guest: Any) -> None:
    """Pulses of known length at the echo pin, whatever the trigger says: 10 ms are 1.7 m."""
    text = HEAD + device("hcsr04", "trigger_pin = 23\necho_pin = 24\npings = 5")
    guest.gpio_pull(24, 0)
    with running(guest, "tests.rig.pulses echo 24 0.02") as process:
        assert process.stdout.readline()
        found: dict[str, Any] = {}
        for _ in range(20):  # a machine that is busy elsewhere may let a ping pass, or make it long
            found = look(guest, text)["one"]
            if found.get("distance") is not None:
                break
        process.stdin.close()
        process.terminate()
        rows = [json.loads(line) for line in process.stdout if line.endswith("]\n")]
    assert found.get("distance") is not None, found
    shortest, longest = min(least for least, _ in rows), max(most for _, most in rows)
    assert shortest * METRES - 0.01 <= found["distance"] <= longest * METRES + 0.01
    assert found["distance"] > 1.6


def test_no_echo_is_told(guest: Any) -> None:
    guest.gpio_pull(24, 0)
    text = HEAD + device("hcsr04", "trigger_pin = 23\necho_pin = 24")
    assert look(guest, text)["one"]["error"].startswith("NoAnswer: no echo signal")


def test_a_held_bus_is_seen_through_its_lines(guest: Any) -> None:
    """The lines are a gpio-sim's and hold no real bus: the pulses go out, and SDA stays low."""
    bus = 'device = "/dev/rig/i2c-usb"\n'
    text = HEAD.replace(bus, bus + 'recover = "pins"\nsda = 5\nscl = 6\n')
    text += '[[device]]\nname = "one"\ndriver = "sht4x"\nbus = "i2c"\n'
    for sda, scl, said in (
        (1, 1, "NoAnswer: no answer at 0x44"),
        (0, 1, "BusFault: SDA is held low, and 9 clock pulses did not free it"),
        (1, 0, "BusFault: SCL is held low; only the chips' power frees it"),
        (1, 1, "NoAnswer: no answer at 0x44"),
    ):
        guest.gpio_pull(5, sda)
        guest.gpio_pull(6, scl)
        assert look(guest, text)["one"]["error"].startswith(said)
