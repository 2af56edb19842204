"""The helper after a crash: its file, its steps, and the kernel's structures."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway import safe
from gateway.build_devices import attach
from gateway.build_safe import renew, steps_of
from gateway.config import parse
from gateway.state import Store

STEPS = {
    "pump": ("gpio /dev/gpiochip0 17 0",),
    "valve": ("gpio header 23 0", "gpio header 24 1", "wait 0.1", "gpio header 24 0"),
}


class Attribute(ctypes.Structure):
    """linux/gpio.h, struct gpio_v2_line_attribute."""

    _fields_ = (("id", ctypes.c_uint32), ("padding", ctypes.c_uint32), ("values", ctypes.c_uint64))


class ConfigAttribute(ctypes.Structure):
    _fields_ = (("attr", Attribute), ("mask", ctypes.c_uint64))


class Config(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("num_attrs", ctypes.c_uint32),
        ("padding", ctypes.c_uint32 * 5),
        ("attrs", ConfigAttribute * 10),
    )


class Request(ctypes.Structure):
    _fields_ = (
        ("offsets", ctypes.c_uint32 * 64),
        ("consumer", ctypes.c_char * 32),
        ("config", Config),
        ("num_lines", ctypes.c_uint32),
        ("event_buffer_size", ctypes.c_uint32),
        ("padding", ctypes.c_uint32 * 5),
        ("fd", ctypes.c_int32),
    )


class Kernel:
    """Answers the ioctls of one chip, and keeps the levels."""

    def __init__(self) -> None:
        self.levels: list[tuple[int, int]] = []
        self.busy: set[int] = set()

    def __call__(self, descriptor: int, number: int, data: bytearray) -> int:
        if number == safe.GPIO_GET_CHIPINFO_IOCTL:
            data[32:] = b"pinctrl-rp1".ljust(32, b"\0") + b"\x36\0\0\0"
            return 0
        assert number == 0xC0000000 | ctypes.sizeof(Request) << 16 | 0xB407
        request = Request.from_buffer(data)
        assert (request.config.flags, request.config.num_attrs, request.num_lines) == (8, 1, 1)
        assert (request.config.attrs[0].attr.id, request.config.attrs[0].mask) == (2, 1)
        assert request.consumer == b"tidegate safe"
        if request.offsets[0] in self.busy:
            raise OSError(16, "Device or resource busy")
        self.levels.append((request.offsets[0], request.config.attrs[0].attr.values))
        request.fd = os.open("/dev/null", os.O_RDONLY)
        return 0


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    really = os.open

    def opened(path: str | os.PathLike[str], flags: int, *mode: int) -> int:
        return really("/dev/null" if "gpiochip" in os.fspath(path) else path, flags, *mode)

    monkeypatch.setattr("gateway.safe.fcntl.ioctl", kernel)
    monkeypatch.setattr("gateway.safe.os.open", opened)
    monkeypatch.setattr("gateway.safe._header", lambda: "/dev/gpiochip4")
    return kernel


def test_what_is_written_is_read_and_written_once(tmp_path: Path) -> None:
    file = tmp_path / safe.FILE
    safe.write(file, STEPS)
    assert safe.read(file) == STEPS
    before = file.stat().st_mtime_ns
    safe.write(file, dict(STEPS))
    assert file.stat().st_mtime_ns == before


def test_after_a_crash_every_output_gets_its_level(tmp_path: Path, kernel: Kernel) -> None:
    """Case 44."""
    safe.write(tmp_path / safe.FILE, STEPS)
    assert safe.main(str(tmp_path), {"SERVICE_RESULT": "signal"}) == 0
    assert kernel.levels == [(17, 0), (23, 0), (24, 1), (24, 0)]


def test_bits_of_a_chip_are_changed_and_the_others_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registers, pointer, addresses = {0x14: 0b0101, 0x00: 0xFF}, [0], []
    monkeypatch.setattr(
        "gateway.safe.fcntl.ioctl", lambda fd, number, address: addresses.append((number, address))
    )

    def write(descriptor: int, data: bytes) -> int:
        pointer[0] = data[0]
        if len(data) > 1:
            registers[data[0]] = data[1]
        return len(data)

    monkeypatch.setattr("gateway.safe.os.open", lambda path, flags: 99)
    monkeypatch.setattr("gateway.safe.os.close", lambda descriptor: None)
    monkeypatch.setattr("gateway.safe.os.write", write)
    monkeypatch.setattr("gateway.safe.os.read", lambda fd, count: bytes([registers[pointer[0]]]))
    steps = (
        "i2c /dev/i2c-1 0x20 20 4 0",
        "i2c /dev/i2c-1 0x20 0 4 0",
        "i2c /dev/i2c-1 0x40 6 0xff 9",
    )
    assert safe.carry_out("valve", steps)
    assert registers == {0x14: 0b0001, 0x00: 0b11111011, 6: 9}
    assert addresses == [(0x0703, 0x20), (0x0703, 0x20), (0x0703, 0x40)]


def test_after_a_stop_in_good_order_nothing_is_touched(tmp_path: Path, kernel: Kernel) -> None:
    safe.write(tmp_path / safe.FILE, STEPS)
    assert safe.main(str(tmp_path), {"SERVICE_RESULT": "success"}) == 0
    assert kernel.levels == []


def test_one_that_fails_does_not_keep_the_others_back(
    tmp_path: Path, kernel: Kernel, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel.busy.add(17)
    safe.write(tmp_path / safe.FILE, {**STEPS, "odd": ("fly 1", "gpio header", "wait soon")})
    assert safe.main(str(tmp_path), {}) == 1
    assert kernel.levels == [(23, 0), (24, 1), (24, 0)]
    assert "pump: gpio /dev/gpiochip0 17 0: [Errno 16]" in capsys.readouterr().err


def test_without_a_file_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert safe.main(str(tmp_path), {}) == 1
    assert safe.FILE in capsys.readouterr().err


def test_an_output_that_is_configured_no_more_is_put_to_its_last_safe_state(
    tmp_path: Path, kernel: Kernel
) -> None:
    file = tmp_path / safe.FILE
    renew(file, STEPS)
    assert kernel.levels == []
    renew(file, {"sprinkler": ("gpio header 24 0",)})
    assert kernel.levels == [(17, 0)]
    assert safe.read(file) == {"sprinkler": ("gpio header 24 0",)}


def test_a_state_that_takes_no_file_is_no_reason_not_to_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    renew(tmp_path / "file" / safe.FILE, STEPS)
    assert "no states for after a crash" in caplog.text


def test_the_steps_follow_from_the_configuration(tmp_path: Path) -> None:
    text = """
    gateway.id = "gw"
    upstream.url = "mqtt://localhost"
    bus = [
      {name = "pins", kind = "gpio"}, {name = "more", kind = "gpio", device = "/dev/gpiochip2"},
      {name = "mock", kind = "gpio", device = "mock"},
      {name = "i2c", kind = "i2c", device = "/dev/i2c-1"},
    ]
    device = [
      {name = "a", driver = "relay", bus = "pins", pin = 4, active_high = false, crash = "on"},
      {name = "b", driver = "relay", bus = "more", pin = 5, stop = "on"},
      {name = "c", driver = "relay", bus = "mock", pin = 6},
      {name = "d", driver = "blind", bus = "pins", up_pin = 7, down_pin = 8,
       travel_up = 9, travel_down = 9},
      {name = "e", driver = "mcp23017_output", bus = "i2c", address = 0x21, pin = 9},
      {name = "f", driver = "pca9685", bus = "i2c", pin = 1},
      {name = "host", driver = "host"},
    ]
    """
    settings = parse(text.replace(",\n       ", ", "), "x.toml").settings
    store = Store(tmp_path / "state.db")
    assert steps_of(settings, attach(settings, store)) == {
        "a": ("gpio header 4 0",),
        "b": ("gpio /dev/gpiochip2 5 1",),
        "d": ("gpio header 7 0", "gpio header 8 0"),
        "e": ("i2c /dev/i2c-1 0x21 21 2 0", "i2c /dev/i2c-1 0x21 1 2 0"),
        "f": tuple(
            f"i2c /dev/i2c-1 0x40 {register} 0xff {byte}"
            for register, byte in [(10, 0), (11, 0), (12, 0), (13, 16)]
        ),
    }
    store.close()


def test_the_helper_loads_nothing_of_the_gateway(tmp_path: Path) -> None:
    code = (
        "import sys; sys.argv = ['tidegate', 'safe', sys.argv[1]]\n"
        "from gateway.__main__ import main; main()\n"
        "ours = {m for m in sys.modules if m.startswith(('gateway', 'drivers'))}\n"
        "print(sorted(ours | ({'json', 'tomllib', 'sqlite3', 'argparse'} & set(sys.modules))))"
    )
    run = [sys.executable, "-c", code, str(tmp_path)]
    told = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60).stdout
    assert told.strip() == "['gateway', 'gateway.__main__', 'gateway.safe']"
