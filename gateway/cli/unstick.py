"""`tidegate unstick`: which line of an I2C bus is held low, and clocks that free it.

Through pinctrl(1) of Raspberry Pi OS, because a pin that serves the I2C controller is no GPIO for
the kernel meanwhile, and gets its function back by its name alone. By hand, not by the daemon: that
is not allowed to reach the pins' registers.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence

from drivers.i2c.unstick import diagnosis, unstick

HELP = "Look whether a chip holds an I2C bus, and free it by clock pulses."
EXAMPLES = """\
tidegate unstick /dev/i2c-1                 # tells what is held low
sudo tidegate unstick /dev/i2c-1 --pulses   # and frees it; stop the gateway first
sudo tidegate unstick /dev/i2c-3 --pins 23,24 --pulses"""

PINS = {"/dev/i2c-1": (2, 3), "/dev/i2c-0": (0, 1)}

_GET = re.compile(r"^\s*(?P<gpio>\d+):\s+(?P<function>\S+)")

Run = Callable[[Sequence[str]], str]


class Pinctrl:
    """The lines, through pinctrl; `functions` remembers what they were."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._functions: dict[int, str] = {}

    def remember(self, *gpios: int) -> None:
        """OSError where pinctrl says something that is not understood."""
        for gpio in gpios:
            said = self._run(["get", str(gpio)])
            match = _GET.match(said)
            if match is None or int(match["gpio"]) != gpio:
                raise OSError(f"pinctrl get {gpio} says {said.strip()!r}")
            self._functions[gpio] = match["function"]

    def restore(self) -> None:
        for gpio, function in self._functions.items():
            self._run(["set", str(gpio), function])

    def low(self, gpio: int) -> None:
        self._run(["set", str(gpio), "op", "dl"])

    def release(self, gpio: int) -> None:
        self._run(["set", str(gpio), "ip"])

    def level(self, gpio: int) -> bool:
        return self._run(["lev", str(gpio)]).strip() == "1"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="DEVICE", help="the bus, as /dev/i2c-1")
    parser.add_argument("--pins", metavar="SDA,SCL", help="GPIO numbers, of buses on other pins")
    parser.add_argument("--pulses", action="store_true", help="give clock pulses if SDA is held")


def run(args: argparse.Namespace) -> int:
    """0 if the bus is free in the end."""
    try:
        sda, scl = _pins(args)
        return _mend(Pinctrl(_pinctrl), sda, scl, args.pulses)
    except (ValueError, OSError, subprocess.SubprocessError) as error:
        print(f"{args.device}: {error}", file=sys.stderr)
        return 1


def _pins(args: argparse.Namespace) -> tuple[int, int]:
    if args.pins is None:
        if args.device not in PINS:
            raise ValueError("which GPIOs are its SDA and SCL? say --pins SDA,SCL")
        return PINS[args.device]
    match = re.fullmatch(r"(\d+),(\d+)", args.pins)
    if match is None:
        raise ValueError("--pins wants two GPIO numbers, as 2,3")
    return int(match[1]), int(match[2])


def _pinctrl(arguments: Sequence[str]) -> str:
    program = shutil.which("pinctrl")
    if program is None:
        raise OSError("no pinctrl here: sudo apt install raspi-utils")
    command = [program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
    if done.returncode:
        raise OSError(f"pinctrl {' '.join(arguments)}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _mend(lines: Pinctrl, sda: int, scl: int, pulses: bool) -> int:
    held = diagnosis(lines, sda, scl)
    if not held:
        print("both lines are high: the bus is free")
        return 0
    print(f"{held} is held low")
    if "SCL" in held:
        print("a chip that holds SCL is freed by its power alone; or a wire touches ground")
        return 1
    if not pulses:
        print("--pulses clocks it free; or take the chips' power away for a moment")
        return 1
    lines.remember(sda, scl)
    try:
        took = unstick(lines, sda, scl)
    finally:
        lines.restore()
    if took < 0:
        print("SDA stays low after 9 pulses: a broken chip, or a wire that touches ground")
        return 1
    print(f"free after {took} pulses")
    return 0
