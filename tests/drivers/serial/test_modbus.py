"""Modbus drivers against pymodbus's server on a pseudo-terminal and TCP; lines that fail."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sunspec2

from drivers.base import (
    Action,
    CorruptData,
    LineSettings,
    NoAnswer,
    OptionError,
    Quality,
    Reading,
    WrongDevice,
)
from drivers.ports import TtyPort
from drivers.serial import sunspec_models
from drivers.serial.crc import modbus as checksum
from drivers.serial.modbus import Modbus
from drivers.serial.modbus_frame import ModbusException
from drivers.serial.modbus_map import Register
from drivers.serial.modbus_output import ModbusOutput
from drivers.serial.sunspec import SunSpec
from gateway.cli.demo_broker import free_port
from tests.drivers.serial.modbus_server import Wire, device, on_a_line, on_tcp, registers
from tests.drivers.serial.streams import FakePort, finished

PATIENT: dict[str, Any] = {"timeout": 10.0}
"""For answers that come: no test depends on a fast machine."""
MODELS = Path(sunspec2.__path__[0]) / "models" / "json"
BRIEF: dict[str, Any] = {"timeout": 0.5, "retries": 0}
"""For answers that do not."""


def floats(size: int, **values: float) -> list[int]:
    """Registers in which `a12` is the float at address 12."""
    data = [0] * size
    for name, value in values.items():
        address = int(name[1:])
        data[address : address + 2] = struct.unpack(">HH", struct.pack(">f", value))
    return data


SDM120 = registers(0, *floats(400, a0=230.5, a6=1.25, a12=-288.0, a72=123.5, a342=200.25))


@contextmanager
def opened(name: str) -> Iterator[TtyPort]:
    port = TtyPort(name)
    try:
        yield port
    finally:
        port.close()


def values(readings: Any) -> dict[str, object]:
    return {one.channel: one.value for one in readings}


def test_a_meter_is_read_in_as_few_requests_as_its_map_allows() -> None:
    wire = Wire()
    with on_a_line(wire, device(1, inputs=SDM120)) as name, opened(name) as port:
        meter = Modbus(port, map="sdm120", **PATIENT)
        meter.start()
        found = values(finished(meter.read()))
    assert [channel.name for channel in meter.channels] == list(found)
    assert (found["voltage"], found["current"], found["power"]) == (230.5, 1.25, -288.0)
    assert (found["energy_import"], found["energy_absolute"]) == (123.5, 200.25)
    asked = [(request[1], *struct.unpack(">HH", request[2:6])) for request in wire.requests]
    assert asked == [(4, 0, 32), (4, 70, 10), (4, 342, 4)]


def test_several_devices_and_speeds_share_a_line() -> None:
    wire = Wire()
    pzem = registers(0, 2301, 0xE240, 1, 5, 0, 1000, 0, 500, 99, 0xFFFF)
    with (
        on_a_line(wire, device(1, inputs=SDM120), device(7, inputs=pzem)) as name,
        opened(name) as port,
    ):
        one = Modbus(port, map="sdm120", only=("voltage",), **PATIENT)
        other = Modbus(port, map="pzem004t", unit=7, **PATIENT)
        for meter in (one, other):
            meter.start()
        for _ in range(2):
            assert values(finished(one.read())) == {"voltage": 230.5}
            found = values(finished(other.read()))
        assert port._line == LineSettings(9600)
    assert found == {
        "voltage": 230.1,
        "current": 123.456,
        "power": 0.5,
        "energy_import": 1.0,
        "frequency": 50.0,
        "power_factor": 0.99,
        "alarm": True,
    }


def spoilt(frame: bytes) -> bytes:
    return frame[:-1] + bytes([frame[-1] ^ 1])


def cut(frame: bytes) -> bytes:
    return frame[:-4]


def lost(frame: bytes) -> bytes:
    return b""


def of_another(frame: bytes) -> bytes:
    body = bytes([frame[0] + 1]) + frame[1:-2]
    return body + checksum(body).to_bytes(2, "little")


def noisy(frame: bytes) -> bytes:
    return b"\x00\xff" + frame


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (spoilt, "unit 1: wrong checksum"),
        (of_another, "no answer of unit 1 but 9 bytes from 02 04"),
    ],
)
def test_a_wrong_answer_is_told_and_asked_again(fault: Any, message: str) -> None:
    wire = Wire()
    with on_a_line(wire, device(1, inputs=SDM120)) as name, opened(name) as port:
        meter = Modbus(port, map="sdm120", only=("voltage",), timeout=1.0)
        meter._line._timeout = PATIENT["timeout"]
        meter.start()
        wire.faults = [fault]
        with pytest.raises(CorruptData, match=message):
            finished(meter.read())
        assert values(finished(meter.read())) == {"voltage": 230.5}
        meter._line._timeout = 1.0  # from here on retries make up for a slow machine
        wire.faults = [fault]
        assert values(finished(meter.read())) == {"voltage": 230.5}


@pytest.mark.parametrize("fault", [cut, lost])
def test_a_short_answer_or_none(fault: Any) -> None:
    wire = Wire(fault)
    with on_a_line(wire, device(1, inputs=SDM120)) as name, opened(name) as port:
        once = Modbus(port, map="sdm120", only=("voltage",), **BRIEF)
        once.start()
        with pytest.raises((CorruptData, NoAnswer)):
            finished(once.read())
        again = Modbus(port, map="sdm120", only=("voltage",), **PATIENT)
        again.start()
        assert values(finished(again.read())) == {"voltage": 230.5}


def test_what_is_said_of_a_bad_answer() -> None:
    body = bytes.fromhex("010404 00d7 01f4")
    frame = body + checksum(body).to_bytes(2, "little")
    for heard, message in (
        (b"", "unit 1 does not answer"),
        (frame[:-4], "unit 1: the answer is cut off or not the one: 5 bytes from 01 04 04"),
        (spoilt(frame), "unit 1: wrong checksum: 9 bytes"),
        (bytes(300), "no answer of unit 1 but"),
    ):
        port = FakePort(answer=lambda data, heard=heard: heard)  # type: ignore[misc]
        meter = Modbus(port, map="xy_md02", timeout=0.02)
        meter.start()
        with pytest.raises((CorruptData, NoAnswer), match=message):
            finished(meter.read())


def test_noise_before_an_answer_is_passed_over() -> None:
    wire = Wire(noisy)
    with on_a_line(wire, device(1, inputs=SDM120)) as name, opened(name) as port:
        meter = Modbus(port, map="sdm120", only=("voltage",), **PATIENT)
        meter.start()
        assert values(finished(meter.read())) == {"voltage": 230.5}


def test_a_refusal_has_a_name_and_an_optional_register_may_be_refused() -> None:
    wire = Wire()
    own = {
        "level": Register(address=0, quantity="level"),
        "more": Register(address=50, quantity="level", optional=True),
    }
    with on_a_line(wire, device(1, holding=registers(0, 42))) as name, opened(name) as port:
        meter = Modbus(port, map="own", registers=own, **PATIENT)
        meter.start()
        assert values(finished(meter.read())) == {"level": 42}
        assert values(finished(meter.read())) == {"level": 42}
        assert len(wire.requests) == 3, "what was refused is not asked for again"
        own["more"] = Register(address=50, quantity="level")
        strict = Modbus(port, map="own", registers=own, **PATIENT)
        strict.start()
        for _ in range(2):
            level, more = finished(strict.read())
            assert (level.value, more.value, more.quality) == (42, None, Quality.BAD)
        assert len(wire.requests) == 6
        del own["level"]
        lost = Modbus(port, map="own", registers=own, **PATIENT)
        lost.start()
        with pytest.raises(ModbusException, match=r"holding 50 to 50 \(more\): exception 2"):
            finished(lost.read())


def test_a_model_that_lacks_a_register_of_its_map_is_read_all_the_same() -> None:
    """Registers 342 and 343 are there, 344 and 345 are not, though one request asks for all."""
    wire = Wire()
    short = registers(0, *floats(344, a0=230.5, a342=200.25))
    with on_a_line(wire, device(1, inputs=short)) as name, opened(name) as port:
        meter = Modbus(port, map="sdm120", **PATIENT)
        meter.start()
        for _ in range(2):
            found = values(finished(meter.read()))
            assert (found["voltage"], found["energy_absolute"]) == (230.5, 200.25)
            assert found["reactive_energy_absolute"] is None
    assert len(wire.requests) == 5 + 3


def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """The first answer comes after its time; asked again, the meter says what it says then."""
    request = bytes.fromhex("010400000002")
    first = bytes.fromhex("010404") + struct.pack(">f", 111.0)
    second = bytes.fromhex("010404") + struct.pack(">f", 222.0)
    frames = [one + checksum(one).to_bytes(2, "little") for one in (first, second)]

    class Late(FakePort):
        reads = 0

        def read(self, count: int, timeout: float) -> bytes:
            self.reads += 1
            if self.reads == 2:  # nothing in time, then, while it is waited for quiet, the answer
                self.waiting += frames[0]
            return super().read(count, timeout)

    port = Late()
    meter = Modbus(port, map="sdm120", only=("voltage",), timeout=0.02)
    meter._line._answers = True
    port._answer = lambda data: b"" if port.reads == 0 else frames[1]
    (found,) = finished(meter.read())
    assert found.value == 222.0
    assert [sent[:6] for sent in port.written] == [request, request]


def test_a_device_that_never_answered_is_not_asked_twice() -> None:
    port = FakePort()
    meter = Modbus(port, map="xy_md02", timeout=0.02, retries=3)
    meter.start()
    with pytest.raises(NoAnswer):
        finished(meter.read())
    assert len(port.written) == 1


def test_a_busy_device_is_asked_again() -> None:
    refusal = bytes([1, 0x84, 6])
    busy = refusal + checksum(refusal).to_bytes(2, "little")
    body = bytes.fromhex("010404 00d7 01f4")
    answers = [busy, body + checksum(body).to_bytes(2, "little")]
    port = FakePort(answer=lambda data: answers.pop(0))
    meter = Modbus(port, map="xy_md02")
    meter.start()
    meter._line._answers = True
    assert values(finished(meter.read())) == {"temperature": 21.5, "humidity": 50.0}


def test_an_adapter_that_echoes() -> None:
    body = bytes.fromhex("010404 00d7 01f4")
    answer = body + checksum(body).to_bytes(2, "little")
    for echo in (True, False):  # a read answer cannot be mistaken for its request
        port = FakePort(answer=lambda data: data + answer)
        meter = Modbus(port, map="xy_md02", echo=echo)
        meter.start()
        assert values(finished(meter.read())) == {"temperature": 21.5, "humidity": 50.0}


def test_options_that_contradict() -> None:
    port = FakePort()
    with pytest.raises(OptionError, match="only: map xy_md02 has no power"):
        Modbus(port, map="xy_md02", only=("power",))
    with pytest.raises(OptionError, match="line: '9600': a line is"):
        Modbus(port, map="xy_md02", line="9600")
    with pytest.raises(OptionError, match="pulse needs table coil"):
        ModbusOutput(port, register=1, table="holding", pulse=1.0)
    with pytest.raises(OptionError, match="lowest must be below"):
        ModbusOutput(port, register=1, lowest=5.0, highest=5.0)


@pytest.mark.parametrize("many", [False, True])
def test_a_coil_is_switched_and_read_back(many: bool) -> None:
    wire = Wire()
    with on_a_line(wire, device(1)) as name, opened(name) as port:
        relay = ModbusOutput(port, register=3, many=many, **PATIENT)
        neighbour = ModbusOutput(port, register=2, **PATIENT)
        assert relay.action is Action.SET
        relay.start(None)
        assert relay.state() is False
        for level in (True, False, True):
            finished(relay.set(relay.parse("on" if level else "off")))
            assert relay.state() is level
        assert neighbour.state() is False
        neighbour.start(False)
        assert relay.state() is True
    assert wire.requests[1][1] == (15 if many else 5)


def test_a_register_takes_numbers_and_a_pulse_ends() -> None:
    wire = Wire()
    with on_a_line(wire, device(1, holding=registers(0, 0, 0, 0, 0))) as name, opened(name) as port:
        common: dict[str, Any] = {"table": "holding", **PATIENT}
        speed = ModbusOutput(
            port, register=1, scale=0.1, highest=50.0, quantity="frequency", **common
        )
        finished(speed.set(speed.parse("12.5")))
        assert speed.state() == 12.5
        wide = ModbusOutput(port, register=2, kind="float32", order="CDAB", **common)
        finished(wide.set(wide.parse(33.5)))
        assert wide.state() == 33.5
        bell = ModbusOutput(port, register=0, on_value=2, off_value=1, pulse=0.5, **common)
        assert bell.action is Action.PULSE
        steps = bell.set(bell.parse("on"))
        assert next(steps) == 0.5
        assert bell.state() is True
        steps.close()  # the worker gives up half-way
        assert bell.state() is False
    for wrong in ("50.1", "x", True, -1):
        with pytest.raises(ValueError, match="a number from 0 to 50"):
            speed.parse(wrong)
    with pytest.raises(ValueError, match="takes only on"):
        bell.parse("off")
    with pytest.raises(ValueError, match="on or off"):
        bell.parse("perhaps")


def test_modbus_tcp_and_a_server_that_was_restarted() -> None:
    number = free_port()
    with opened(f"socket://127.0.0.1:{number}") as port:
        meter = Modbus(port, map="sdm120", only=("voltage",), framing="tcp", **PATIENT)
        for _ in range(2):
            with on_tcp(Wire(), number, device(1, inputs=SDM120)):
                meter.start()
                assert values(finished(meter.read())) == {"voltage": 230.5}
        with pytest.raises(OSError, match="socket"):
            finished(meter.read())


def test_a_tcp_stream_out_of_step_is_given_up() -> None:
    port = FakePort(answer=lambda data: b"HTTP/1.1 400 Bad Request\r\n")
    meter = Modbus(port, map="xy_md02", framing="tcp", timeout=0.02)
    meter.start()
    with pytest.raises(CorruptData, match="no Modbus TCP"):
        finished(meter.read())
    assert port.closed == 2


def chain(*models: list[int]) -> list[int]:
    return [0x5375, 0x6E53, *(word for model in models for word in model), 0xFFFF, 0]


def common_model() -> list[int]:
    text = b"Fronius".ljust(32, b"\0") + b"Symo".ljust(32, b"\0") + bytes(16)
    text += b"1.2".ljust(16, b"\0") + b"34567890".ljust(32, b"\0") + bytes(4)
    return [1, 66, *struct.unpack(">66H", text)]


def inverter() -> list[int]:
    points = [0xFFFF] * 50
    points[0:5] = [1000, 334, 333, 333, 0xFFFE]  # 10.00 A and the phases, factor -2
    points[8:12] = [2301, 2302, 2303, 0xFFFF]  # V, factor -1
    points[12:16] = [0xFF9C, 1, 4998, 0xFFFE]  # -100 with factor 1: -1000 W; 49.98 Hz
    points[16:22] = [0x8000, 0, 0x8000, 0, 985, 0xFFFF]  # no VA, no var; 98.5 %
    points[22:25] = [0x0012, 0xD687, 0]  # 1234567 Wh
    points[25:31] = [0xFFFF, 0, 0xFFFF, 0, 0x8000, 0]  # nothing of direct current
    points[31:37] = [352, 0x8000, 0x8000, 0x8000, 0xFFFF, 4]  # 35.2 °C; producing
    return [103, 50, *points]


def test_sunspec_is_found_and_read() -> None:
    image = chain(common_model(), [64001, 3, 1, 2, 3], inverter())
    number = free_port()
    with (
        on_tcp(Wire(), number, device(1, holding=registers(40000, *image))),
        opened(f"socket://127.0.0.1:{number}") as port,
    ):
        one = SunSpec(port, **PATIENT)
        finished(one.start())
        found = values(finished(one.read()))
    assert found == {
        "manufacturer": "Fronius",
        "model": "Symo",
        "firmware": "1.2",
        "device_id": "34567890",
        "state": "producing",
        "current": 10.0,
        "current_l1": 3.34,
        "current_l2": 3.33,
        "current_l3": 3.33,
        "voltage_l1": 230.1,
        "voltage_l2": 230.2,
        "voltage_l3": 230.3,
        "power": -1000,
        "frequency": 49.98,
        "power_factor": 0.985,
        "energy_export": 1234.567,
        "temperature": 35.2,
    }


def test_a_device_without_sunspec() -> None:
    number = free_port()
    with (
        on_tcp(Wire(), number, device(1, holding=registers(0, *chain(common_model())))),
        opened(f"socket://127.0.0.1:{number}") as port,
    ):
        one = SunSpec(port, **PATIENT)
        with pytest.raises(WrongDevice, match="no model of an inverter"):
            finished(one.start())
    with (
        on_tcp(Wire(), number, device(1, holding=registers(0, 1, 2, 3))),
        opened(f"socket://127.0.0.1:{number}") as port,
        pytest.raises(WrongDevice, match="no SunSpec at 40000"),
    ):
        finished(SunSpec(port, **PATIENT).start())


def test_points_lie_where_the_sunspec_alliance_says() -> None:
    """Offsets, kinds and scale factors against the alliance's own model definitions."""
    from sunspec2.device import get_model_info  # noqa: F401

    for model, points in sunspec_models.POINTS.items():
        lies = {}
        at = 0
        for point in json.loads((MODELS / f"model_{model}.json").read_text())["group"]["points"]:
            lies[at] = point
            at += point["size"]
        kinds = {"uint16": "u", "int16": "s", "acc32": "a", "float32": "f"}
        for mine in points:
            theirs = lies[mine.at]
            assert mine.kind == kinds[theirs["type"]], (model, mine)
            if "sf" in theirs:
                assert lies[mine.factor]["name"] == theirs["sf"], (model, mine)
            units = {"Wh": -3, "Pct": -2}
            assert mine.exponent == units.get(theirs.get("units", ""), 0), (model, mine)


def test_strings_and_meters_of_an_inverter() -> None:
    head = struct.pack(">HHhhhhIHH", 160, 48, -2, -1, 0, 0, 0, 2, 0)
    strings = b"".join(
        struct.pack(">H16sHHHIIhHI", n, b"String", 500 + n, 4000, 200, 5000, 0, -32768, 4, 0)
        for n in (1, 2)
    )
    found = values(sunspec_models.readings(160, head + strings, 0))
    assert (found["current_pv2"], found["voltage_pv1"], found["power_pv1"]) == (5.02, 400.0, 200)
    assert found["energy_pv1"] == 5.0
    cut = values(sunspec_models.readings(160, (head + strings)[:-20], 0))
    assert "current_pv1" in cut and "current_pv2" not in cut
    data = bytearray(2 * 126)
    data[56:60] = struct.pack(">f", -1500.5)
    (power,) = [
        one for one in sunspec_models.readings(213, bytes(data), 2) if one.channel == "meter2_power"
    ]
    assert power == Reading("meter2_power", -1500.5, code="213.28", quantity="power")
