"""The helper's steps on the parts: drivers say them, simulated chips and devices carry them out."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from drivers.i2c.pcf8574 import Pcf8574
from drivers.i2c.pcf8574_output import Pcf8574Output
from drivers.onewire.ds2413 import LATCH_A, LATCH_B
from drivers.onewire.ds2413_output import Ds2413Output
from drivers.serial.modbus_output import ModbusOutput
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.pcf8574 import Pcf8574 as PcfChip
from gateway import safe, safe_port
from gateway.build_devices import attach
from gateway.build_safe import renew, steps_of
from gateway.cli.demo_broker import free_port
from gateway.config import parse
from gateway.state import Store
from tests.drivers.serial.modbus_server import Wire, device, on_a_line, on_tcp, registers
from tests.drivers.serial.streams import FakePort

PATIENT: dict[str, Any] = {"timeout": 10.0}


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Machines may be slow; who asks a device that is silent says so."""
    monkeypatch.setattr(safe_port, "LONGEST_LIMIT", 30.0)


def on(port: str, *steps: str) -> tuple[str, ...]:
    """The driver's steps with the port, as build_safe does it."""
    return tuple(step.replace("ask ", f"ask {port} - ", 1) for step in steps)


@contextmanager
def chip_at(chip: PcfChip, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patched:
        patched.setattr("gateway.safe.fcntl.ioctl", lambda fd, number, address: 0)
        patched.setattr("gateway.safe.os.open", lambda path, flags: 99)
        patched.setattr("gateway.safe.os.close", lambda descriptor: None)
        patched.setattr("gateway.safe.os.write", lambda descriptor, data: chip.write(data))
        patched.setattr("gateway.safe.os.read", lambda descriptor, count: chip.read(count))
        yield


@pytest.mark.parametrize("active_high", [False, True])
def test_a_pin_of_a_pcf8574_goes_off_and_no_other_changes(
    active_high: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chip = PcfChip()
    bus = SimulatedI2CBus({0x20: chip})
    lamp = Pcf8574Output(bus, pin=1, active_high=active_high)
    other = Pcf8574Output(bus, pin=2)
    contact = Pcf8574(bus, pins={"door": 6})
    contact.start()
    lamp.start(True)
    other.start(True)
    chip.grounded = {6}  # the door is closed: its pin reads low, and must not be driven low
    before = chip.latch
    with chip_at(chip, monkeypatch):
        (step,) = lamp.safeguard(False)
        assert safe.carry_out("lamp", (step.replace("pins", "pins /dev/i2c-1", 1),))
    assert chip.latch == before ^ 0b10


def test_an_output_beside_a_closed_contact_leaves_it_an_input() -> None:
    chip = PcfChip()
    chip.grounded = {6}
    bus = SimulatedI2CBus({0x20: chip})
    Pcf8574(bus, pins={"door": 6})
    Pcf8574Output(bus, pin=1).start(False)
    assert chip.latch == 0xFF


@pytest.mark.parametrize(("pin", "value"), [("a", False), ("b", False), ("a", True), ("b", True)])
@pytest.mark.parametrize("latches", range(4))
def test_a_latch_of_a_ds2413_is_set_and_the_other_kept(
    tmp_path: Path, pin: Any, value: bool, latches: int
) -> None:
    folder = tmp_path / "sys/bus/w1/devices/3a-0000001a2b3c"
    folder.mkdir(parents=True)
    low = (latches & 1) * LATCH_A | (latches >> 1) * LATCH_B | 0b0101
    (folder / "state").write_bytes(bytes([low | (low ^ 0x0F) << 4]))
    output = Ds2413Output(address="3a-0000001a2b3c", pin=pin, root=str(tmp_path))
    assert safe.carry_out("vent", tuple(output.safeguard(value)))
    written = (folder / "output").read_bytes()
    bit = 1 if pin == "a" else 2
    assert written == bytes([latches & ~bit if value else latches | bit])


def test_a_ds2413_that_is_not_heard_well_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "state").write_bytes(b"\x33")
    assert not safe.carry_out("vent", (f"ds2413 {tmp_path} 1 1", f"ds2413 {tmp_path}/no 1 1"))
    assert not (tmp_path / "output").exists()
    told = capsys.readouterr().err
    assert "do not complement" in told
    assert "No such file" in told


@pytest.mark.parametrize(
    ("options", "value", "asked"),
    [
        ({"register": 3}, False, [5, 0, 3, 0, 0]),
        ({"register": 3, "many": True}, True, [15, 0, 3, 0, 1, 1, 1]),
        ({"register": 3, "pulse": 0.5}, True, [5, 0, 3, 0, 0]),  # never given again
        ({"register": 1, "table": "holding", "scale": 0.1}, 12.5, [6, 0, 1, 0, 125]),
        (
            {"register": 0, "table": "holding", "on_value": 1, "off_value": 5},
            False,
            [6, 0, 0, 0, 5],
        ),
        (
            {"register": 1, "table": "holding", "kind": "float32"},
            33.5,
            [16, 0, 1, 0, 2, 4, *struct.pack(">f", 33.5)],
        ),
    ],
)
def test_a_modbus_device_is_told_and_confirms(
    options: dict[str, Any], value: Any, asked: list[int]
) -> None:
    wire = Wire()
    with on_a_line(wire, device(1, holding=registers(0, 0, 0, 0, 0))) as name:
        output = ModbusOutput(FakePort(), **options, **PATIENT)
        assert safe.carry_out("pump", on(name, *output.safeguard(value)))
    assert [list(request[1:-2]) for request in wire.requests] == [asked]


def test_modbus_over_tcp() -> None:
    wire, port = Wire(), free_port()
    with on_tcp(wire, port, device(1)):
        output = ModbusOutput(FakePort(), register=3, framing="tcp", **PATIENT)
        assert safe.carry_out("pump", on(f"socket://127.0.0.1:{port}", *output.safeguard(True)))
    assert [request[7:] for request in wire.requests] == [bytes([5, 0, 3, 0xFF, 0])]


@contextmanager
def far_end(*answers: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A terminal whose other end gives these answers, one a request of 8 bytes."""
    master, slave = pty.openpty()
    heard: list[bytes] = []

    def serve() -> None:
        for answer in answers:
            request = b""
            while len(request) < 8:
                request += os.read(master, 8 - len(request))
            heard.append(request)
            os.write(master, answer)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield os.ttyname(slave), heard
        thread.join(30.0)
        assert not thread.is_alive(), "not all was asked"
    finally:
        os.close(slave)
        os.close(master)


def coil_off(**options: Any) -> tuple[str, bytes]:
    """The driver's step, and the request, which is the answer as well."""
    (step,) = ModbusOutput(FakePort(), register=3, **PATIENT, **options).safeguard(False)
    return step, bytes.fromhex(step.split()[-1])


def test_an_echo_is_no_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    step, request = coil_off(echo=True)
    with far_end(request + request) as (name, heard):
        assert safe.carry_out("pump", on(name, step))
        assert heard == [request]
    monkeypatch.setattr(safe_port, "LONGEST_LIMIT", 0.5)
    with far_end(request) as (name, _):
        assert not safe.carry_out("pump", on(name, step))
    assert f"1/coil/3: heard {request.hex(' ')}" in capsys.readouterr().err


def test_who_refuses_is_told_with_what_he_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(safe_port, "LONGEST_LIMIT", 0.5)
    step, _ = coil_off()
    with far_end(bytes.fromhex("0185024351")) as (name, _):
        assert not safe.carry_out("pump", on(name, step))
    assert "1/coil/3: heard 01 85 02 43 51" in capsys.readouterr().err


def test_the_line_is_set_as_the_device_speaks() -> None:
    step, request = coil_off(line="19200 7E2")
    with far_end(request) as (name, _):
        assert safe.carry_out("pump", on(name, step))
        descriptor = os.open(name, os.O_RDWR | os.O_NOCTTY)
        _, _, flags, local, speed_in, speed_out, _ = termios.tcgetattr(descriptor)
        os.close(descriptor)
    assert (speed_in, speed_out, local) == (termios.B19200, termios.B19200, 0)
    # The kernel's pseudo-terminals take 8 bits without parity, whatever they are told.
    assert flags & (termios.CSTOPB | termios.CLOCAL) == termios.CSTOPB | termios.CLOCAL
    assert not safe.carry_out("pump", on(name, step.replace("19200", "19201")))


@pytest.mark.parametrize(("rts", "calls"), [("high", [0x5416, 0x5417]), ("low", [0x5417, 0x5416])])
def test_rts_is_held_while_it_is_sent(
    rts: str, calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    step, request = coil_off()
    done: list[object] = []
    real = os.write

    def write(descriptor: int, data: bytes) -> int:
        done.append(data)
        return real(descriptor, data)

    with far_end(request) as (name, _), monkeypatch.context() as patched:
        patched.setattr(
            "gateway.safe_port.fcntl.ioctl", lambda fd, number, bits: done.append(number)
        )
        patched.setattr("gateway.safe_port._send", write)
        assert safe.carry_out("pump", (step.replace("ask ", f"ask {name} {rts} ", 1),))
    assert done == [calls[0], request, calls[1]]


def test_a_line_that_is_dead_or_takes_nothing_costs_no_more_than_its_limit(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for limit in ("LONGEST_LIMIT", "QUIET_S", "NOISY_S"):
        monkeypatch.setattr(safe_port, limit, 0.2)
    step, _ = coil_off()
    master, slave = pty.openpty()
    name = os.ttyname(slave)
    os.write(master, b"x" * 100 + b"\n")  # noise before; nobody reads or answers
    assert not safe.carry_out("dead", on(name, step))
    assert "dead" in capsys.readouterr().err
    full = os.open(name, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    monkeypatch.setattr("gateway.safe_port.select.select", lambda *_: ([], [], []))
    assert not safe.carry_out("full", on(name, step))
    assert "the port takes nothing" in capsys.readouterr().err
    for descriptor in (full, slave, master):
        os.close(descriptor)


def test_a_port_that_somebody_has_is_left_to_him(capsys: pytest.CaptureFixture[str]) -> None:
    step, _ = coil_off()
    master, slave = pty.openpty()
    safe_port._lock(slave)
    assert not safe.carry_out("pump", on(os.ttyname(slave), step))
    assert "in use by another program" in capsys.readouterr().err
    os.close(slave)
    os.close(master)


def test_lines_come_last_twice_and_not_for_ever(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[str] = []

    def ask(*words: str) -> None:
        calls.append(words[2])
        if words[2] != "2/coil/0" or calls.count(words[2]) < 2:
            raise OSError("no answer")

    monkeypatch.setitem(safe.VERBS, "ask", ask)
    monkeypatch.setitem(safe.VERBS, "gpio", lambda *words: calls.append("gpio"))
    steps = {
        "dead": ("ask /dev/x - 1/coil/0 9600/8N1 1 0 00 00",),
        "spoilt": ("ask /dev/x - 2/coil/0 9600/8N1 1 0 00 00",),
        "pump": ("gpio header 17 0",),
    }
    assert not safe.all_done(steps)
    assert calls == ["gpio", "1/coil/0", "2/coil/0", "1/coil/0", "2/coil/0"]
    del steps["dead"]
    assert safe.all_done(steps)
    monkeypatch.setattr(safe, "LONGEST_ASKING", -1.0)
    assert not safe.all_done(steps)
    assert "spoilt: no time is left" in capsys.readouterr().err
    assert calls.count("gpio") == 3


CONFIG = """
gateway.id = "gw"
upstream.url = "mqtt://localhost"
bus = [
  {name = "i2c", kind = "i2c", device = "/dev/i2c-1"}, {name = "w1", kind = "onewire"},
  {name = "rs485", kind = "serial", device = "/dev/ttyUSB0", rts = "high"},
  {name = "net", kind = "serial", device = "socket://10.0.0.5:502"},
  {name = "named", kind = "serial", device = "socket://board.example:502"},
  {name = "far", kind = "serial", device = "rfc2217://10.0.0.5:2217"},
]
device = [
  {name = "a", driver = "pcf8574_output", bus = "i2c", pin = 3},
  {name = "doors", driver = "pcf8574", bus = "i2c", pins = {front = 6, back = 7}},
  {name = "b", driver = "ds2413_output", bus = "w1", address = "3a-0000001a2b3c", pin = "b"},
  {name = "b2", driver = "ds2413_output", address = "3a-0000001a2b3c", pin = "a", crash = "on"},
  {name = "c", driver = "modbus_output", bus = "rs485", register = 3, crash = "on"},
  {name = "d", driver = "modbus_output", bus = "net", register = 2, framing = "tcp"},
  {name = "e", driver = "modbus_output", bus = "named", register = 2, framing = "tcp"},
  {name = "f", driver = "modbus_output", bus = "far", register = 2},
]
"""


def test_the_steps_name_the_bus_and_what_cannot_be_reached_has_none(tmp_path: Path) -> None:
    settings = parse(CONFIG, "x.toml").settings
    store = Store(tmp_path / "state.db")
    on_3, off_2 = "01050003ff007c3a", "0001000000060105000200" + "00"
    assert steps_of(settings, attach(settings, store)) == {
        "a": ("pins /dev/i2c-1 0x20 8 8 192",),
        "b": ("ds2413 /sys/bus/w1/devices/3a-0000001a2b3c 2 2",),
        "b2": ("ds2413 /sys/bus/w1/devices/3a-0000001a2b3c 1 0",),
        "c": (f"ask /dev/ttyUSB0 high 1/coil/3 9600/8N1 1 0 {on_3} {on_3}",),
        "d": (f"ask socket://10.0.0.5:502 - 1/coil/2 9600/8N1 1 0 {off_2} {off_2}",),
    }
    store.close()


def test_other_outputs_on_the_same_chip_and_line_are_not_left_over(tmp_path: Path) -> None:
    written = {
        "a": ("pins /dev/i2c-1 0x20 8 8 192",),
        "b": ("ask /dev/x - 1/coil/3 9600/8N1 1 0 00 00",),
        "c": ("ask /dev/x - 1/coil/4 9600/8N1 1 0 00 00",),
        "d": ("ds2413 /nowhere 1 1",),
        "e": ("pins /dev/i2c-1 0x20 16 16 192",),
    }
    now = {
        "a": ("pins /dev/i2c-1 0x20 8 0 0",),
        "x": ("ask /dev/x - 1/coil/3 19200/8N1 2 0 01 01",),
        "y": ("pins /dev/i2c-1 0x20 4 0 0", "ds2413 /nowhere 2 2"),
    }
    assert set(safe.left_over(written, now)) == {"c", "d", "e"}
    renew(tmp_path / safe.FILE, now)
    assert safe.read(tmp_path / safe.FILE) == now


def test_the_helper_as_a_process_reaches_a_relay_board(tmp_path: Path) -> None:
    wire = Wire()
    with on_a_line(wire, device(1)) as name:
        step, request = coil_off()
        safe.write(tmp_path / safe.FILE, {"pump": on(name, step)})
        run = [sys.executable, "-m", "gateway", "safe", str(tmp_path)]
        environment = {**os.environ, "SERVICE_RESULT": "watchdog"}
        done = subprocess.run(
            run, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert (done.returncode, wire.requests) == (0, [request])
    assert done.stderr.startswith(f"tidegate safe: pump: ask {name} - 1/coil/3 9600/8N1 ")
