"""Brings the outputs to their crash states when the gateway's process is dead: `tidegate safe`.

systemd runs it as ExecStopPost. It reads no configuration and needs nothing but Python itself: the
gateway leaves a file of steps in its state directory each time it starts. A Raspberry Pi's kernel
keeps an output as it was when the process that set it ends, for good and for ill.

    # pump
    gpio header 17 0
    wait 0.1

`gpio CHIP LINE LEVEL`: CHIP is a path, or `header` for the Pi's own pins.
`i2c BUS ADDRESS REGISTER MASK VALUE`: the bits of MASK in a register of 8 bits become VALUE.
"""

from __future__ import annotations

import fcntl
import os
import struct
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

FILE = "safe-states"
HEADER = "header"
LONGEST_WAIT = 5.0  # seconds

# linux/gpio.h, version 2 of the character device's interface (Linux 5.10 and later).
GPIO_GET_CHIPINFO_IOCTL = 0x8044B401
GPIO_V2_GET_LINE_IOCTL = 0xC250B407
GPIO_V2_LINE_FLAG_OUTPUT = 1 << 3
GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES = 2
LINE_REQUEST = struct.Struct("=I252x 32s QI20x IIQQ 216x II20xi")
"""One offset of 64, consumer, flags, number of attributes, one attribute of 10 (id, padding,
values, mask), number of lines, event buffer, descriptor."""
CHIP_INFO = struct.Struct("=32s32sI")
I2C_SLAVE = 0x0703
"""linux/i2c-dev.h: the address that reads and writes are for."""
PI_CHIPS = (b"pinctrl-bcm", b"pinctrl-rp1")

Steps = Mapping[str, tuple[str, ...]]
"""What to do for each output, by its name."""


def main(directory: str, environment: Mapping[str, str] = os.environ) -> int:
    """Exit status: 0 all is done, or the gateway stopped in good order; 1 something failed."""
    if environment.get("SERVICE_RESULT") == "success":
        return 0  # it has put the outputs to their stop states itself
    try:
        steps = read(Path(directory) / FILE)
    except (OSError, ValueError) as error:
        print(f"tidegate safe: {error}", file=sys.stderr)
        return 1
    failed = [name for name, lines in steps.items() if not carry_out(name, lines)]
    return 1 if failed else 0


def read(path: Path) -> dict[str, tuple[str, ...]]:
    """The steps that the file names. OSError."""
    steps: dict[str, list[str]] = {}
    name = ""
    for line in path.read_text("utf-8", "replace").splitlines():
        if line.startswith("# "):
            name = line[2:]
        elif line.strip():
            steps.setdefault(name, []).append(line)
    return {name: tuple(lines) for name, lines in steps.items()}


def write(path: Path, steps: Steps) -> None:
    """Only where it says something else: a start must not wear the card. OSError."""
    text = "".join(f"# {name}\n" + "".join(f"{s}\n" for s in own) for name, own in steps.items())
    if path.exists() and path.read_text("utf-8", "replace") == text:
        return
    fresh = path.with_name(path.name + ".new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def left_over(before: Steps, now: Steps) -> dict[str, tuple[str, ...]]:
    """Of the outputs before, those whose lines no output has now: a new configuration left them."""
    used = {target for steps in now.values() for target in _targets(steps)}
    return {name: steps for name, steps in before.items() if not used & _targets(steps)}


def _targets(steps: tuple[str, ...]) -> set[tuple[str, ...]]:
    """The lines and bits that these steps are about."""
    sizes = {"gpio": 3, "i2c": 5}
    words = [step.split() for step in steps]
    return {tuple(word[: sizes[word[0]]]) for word in words if word[0] in sizes}


def carry_out(name: str, steps: tuple[str, ...]) -> bool:
    """Whether all went well; what did not is told, and the rest is done."""
    well = True
    for step in steps:
        try:
            verb, *arguments = step.split()
            VERBS[verb](*arguments)
        except (OSError, KeyError, TypeError, ValueError) as error:
            print(f"tidegate safe: {name}: {step}: {error}", file=sys.stderr)
            well = False
    if well:
        print(f"tidegate safe: {name}: {'; '.join(steps)}", file=sys.stderr)
    return well


def gpio(chip: str, line: str, level: str) -> None:
    """Makes a line an output of this level, in one step. OSError."""
    descriptor = os.open(_header() if chip == HEADER else chip, os.O_RDWR | os.O_CLOEXEC)
    try:
        request = bytearray(
            LINE_REQUEST.pack(
                *(int(line), b"tidegate safe", GPIO_V2_LINE_FLAG_OUTPUT, 1),
                *(GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES, 0, int(level), 1, 1, 0, -1),
            )
        )
        fcntl.ioctl(descriptor, GPIO_V2_GET_LINE_IOCTL, request)
        os.close(LINE_REQUEST.unpack(request)[-1])
    finally:
        os.close(descriptor)


def _header() -> str:
    """The chip of the Pi's header: its number differs between models and kernels."""
    for path in sorted(Path("/dev").glob("gpiochip*")):
        info = bytearray(CHIP_INFO.size)
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.ioctl(descriptor, GPIO_GET_CHIPINFO_IOCTL, info)
        finally:
            os.close(descriptor)
        if CHIP_INFO.unpack(info)[1].startswith(PI_CHIPS):
            return str(path)
    raise FileNotFoundError("this machine has no header of a Raspberry Pi")


def wait(seconds: str) -> None:
    time.sleep(min(LONGEST_WAIT, max(0.0, float(seconds))))


def i2c(bus: str, address: str, register: str, mask: str, value: str) -> None:
    """Changes some bits of a register. OSError."""
    number, bits = int(register, 0), int(mask, 0)
    descriptor = os.open(bus, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, I2C_SLAVE, int(address, 0))
        now = 0
        if bits != 0xFF:
            os.write(descriptor, bytes([number]))
            now = os.read(descriptor, 1)[0]
        os.write(descriptor, bytes([number, (now & ~bits) | (int(value, 0) & bits)]))
    finally:
        os.close(descriptor)


VERBS: dict[str, Callable[..., None]] = {"gpio": gpio, "i2c": i2c, "wait": wait}
