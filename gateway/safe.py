"""Brings the outputs to their crash states when the gateway's process is dead: `tidegate safe`.

systemd runs it as ExecStopPost. It reads no configuration and needs nothing but Python itself: the
gateway leaves a file of steps in its state directory each time it starts. A Raspberry Pi's kernel
keeps an output as it was when the process that set it ends, for good and for ill.

    # pump
    gpio header 17 0
    wait 0.1

`gpio CHIP LINE LEVEL`: CHIP is a path, or `header` for the Pi's own pins.
`i2c BUS ADDRESS REGISTER MASK VALUE`: the bits of MASK in a register of 8 bits become VALUE.
`pins BUS ADDRESS MASK VALUE INPUTS`: the same of a chip without registers, whose inputs stay at 1.
`ds2413 PATH MASK VALUE`: the latches of a DS2413, bit 0 is A, in the kernel's folder of it.
`ask PORT RTS WHO LINE LIMIT SKIP SENT ANSWER`: bytes to a serial port, and what has to come back;
    safe_port.py has the words.
"""

from __future__ import annotations

import fcntl
import math
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FILE = "safe-states"
HEADER = "header"
LONGEST_WAIT = 5.0  # seconds
LONGEST_ASKING = 9.0
"""Seconds after which no further port is asked: systemd ends the helper after 15 (TimeoutStopSec=),
and one question may take 3.5."""

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
    except OSError as error:
        print(f"tidegate safe: {error.filename}: {error.strerror}", file=sys.stderr)
        print("  the gateway leaves it in its state directory at each start", file=sys.stderr)
        return 1
    return 0 if all_done(steps) else 1


def all_done(steps: Steps) -> bool:
    """What needs no answer comes first, since a line may be dead; what was not answered is asked
    once more, since the dying process may have spoilt it half-way through a request."""
    until = time.monotonic() + LONGEST_ASKING
    local = {name: own for name, own in steps.items() if not _asks(own)}
    failed = [name for name, own in local.items() if not carry_out(name, own)]
    waiting = [name for name in steps if name not in local]
    for _ in range(2):
        waiting = [name for name in waiting if not carry_out(name, steps[name], until)]
    return not failed and not waiting


def _asks(steps: tuple[str, ...]) -> bool:
    return any(step.startswith("ask ") for step in steps)


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
    sizes = {"gpio": 3, "i2c": 5, "pins": 4, "ds2413": 3, "ask": 4}
    words = [step.split() for step in steps]
    return {tuple(word[: sizes[word[0]]]) for word in words if word[0] in sizes}


def carry_out(name: str, steps: tuple[str, ...], until: float = math.inf) -> bool:
    """Whether all went well; what did not is told, and the rest is done. Not begun after `until`,
    of the monotonic clock."""
    if time.monotonic() > until:
        print(f"tidegate safe: {name}: no time is left", file=sys.stderr)
        return False
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
    with _chip(bus, address) as descriptor:
        now = 0
        if bits != 0xFF:
            os.write(descriptor, bytes([number]))
            now = os.read(descriptor, 1)[0]
        os.write(descriptor, bytes([number, (now & ~bits) | (int(value, 0) & bits)]))


def pins(bus: str, address: str, mask: str, value: str, inputs: str) -> None:
    """Changes some pins of a chip that is one byte. What reads low is taken for driven low, but an
    input at 0 would be shorted by what drives it. OSError."""
    bits = int(mask, 0)
    with _chip(bus, address) as descriptor:
        now = os.read(descriptor, 1)[0]
        wanted = (now & ~bits) | (int(value, 0) & bits) | int(inputs, 0)
        os.write(descriptor, bytes([wanted]))


@contextmanager
def _chip(bus: str, address: str) -> Iterator[int]:
    descriptor = os.open(bus, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, I2C_SLAVE, int(address, 0))
        yield descriptor
    finally:
        os.close(descriptor)


def ds2413(path: str, mask: str, value: str) -> None:
    """Both latches are written at once: the other one keeps what it has. OSError, ValueError."""
    (state,) = Path(path, "state").read_bytes()
    if state >> 4 != ~state & 0x0F:
        raise ValueError(f"its state is 0x{state:02x}, whose halves do not complement each other")
    now = (state >> 1 & 1) | (state >> 2 & 2)
    wanted = (now & ~int(mask, 0)) | (int(value, 0) & int(mask, 0))
    Path(path, "output").write_bytes(bytes([wanted]))


def ask(*words: str) -> None:
    """OSError, ValueError."""
    from gateway import safe_port  # what it loads is of use on few machines

    safe_port.ask(*words)


ON_A_BUS = ("gpio", "i2c", "pins", "ask")
"""Steps that name a bus or a port first."""
VERBS: dict[str, Callable[..., None]] = {
    "gpio": gpio,
    "i2c": i2c,
    "pins": pins,
    "ds2413": ds2413,
    "ask": ask,
    "wait": wait,
}
