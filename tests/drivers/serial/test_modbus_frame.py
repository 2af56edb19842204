"""Modbus frames: the standard's own examples, and whatever a line does to an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import LineSettings
from drivers.serial import modbus_frame as frame
from drivers.serial.crc import modbus
from drivers.serial.modbus_frame import Broken, ModbusException, Request
from drivers.serial.modbus_line import silence


def answer(request: Request, body: bytes) -> bytes:
    data = bytes([request.unit, request.function]) + body
    return data + modbus(data).to_bytes(2, "little")


@pytest.mark.parametrize(
    ("request_", "pdu"),
    [
        # Modbus Application Protocol V1.1b3, the examples of sections 6.1 to 6.6, 6.11, 6.12
        (frame.read(1, 1, 0x13, 19), "01 00 13 00 13"),
        (frame.read(1, 2, 0xC4, 22), "02 00 c4 00 16"),
        (frame.read(1, 3, 0x6B, 3), "03 00 6b 00 03"),
        (frame.read(1, 4, 0x08, 1), "04 00 08 00 01"),
        (frame.write_coil(1, 0xAC, True), "05 00 ac ff 00"),
        (frame.write_register(1, 1, b"\0\3"), "06 00 01 00 03"),
        (frame.write_registers(1, 1, b"\0\x0a\1\2"), "10 00 01 00 02 04 00 0a 01 02"),
        (
            frame.write_coils(1, 0x13, [c == "1" for c in "1011001110"]),
            "0f 00 13 00 0a 02 cd 01",
        ),
    ],
)
def test_requests_of_the_standard(request_: Request, pdu: str) -> None:
    assert request_.pdu.hex(" ") == pdu
    assert frame.tcp_packet(request_, 0x1501) == bytes.fromhex(
        f"15 01 00 00 00 {len(request_.pdu) + 1:02x} 01"
    ) + bytes.fromhex(pdu)


def test_an_rtu_frame_with_its_checksum() -> None:
    # Eastron SDM120 protocol, 1.2: voltage of unit 1
    assert frame.rtu_frame(frame.read(1, 4, 0, 2)).hex() == "01040000000271cb"


def test_answers_of_the_standard() -> None:
    request = frame.read(0x11, 3, 0x6B, 3)
    good = answer(request, bytes.fromhex("06 02 2b 00 00 00 64"))
    assert frame.rtu_answer(good, request) == bytes.fromhex("06 02 2b 00 00 00 64")
    assert frame.rtu_length(request) == len(good)
    refusal = bytes([0x11, 0x83, 2])
    with pytest.raises(ModbusException, match="exception 2, illegal data address") as raised:
        frame.rtu_answer(refusal + modbus(refusal).to_bytes(2, "little"), request)
    assert raised.value.code == 2
    assert "exception 99, unknown" in str(ModbusException(99))


requests = st.one_of(
    st.builds(
        frame.read, st.integers(1, 247), st.integers(3, 4), st.integers(0, 99), st.integers(1, 125)
    ),
    st.builds(
        frame.read, st.integers(1, 247), st.integers(1, 2), st.integers(0, 99), st.integers(1, 2000)
    ),
)


@given(requests, st.data())
def test_only_the_whole_right_answer_is_one(request: Request, data: st.DataObject) -> None:
    content = data.draw(st.binary(min_size=request.head[0], max_size=request.head[0]))
    body = request.head + content
    whole = answer(request, body)
    noise = data.draw(st.sampled_from([b"", b"\0", b"\xff\x00", frame.rtu_frame(request)]))
    heard = noise
    while (found := frame.rtu_answer(heard, request)) is None:
        missing = frame.rtu_missing(heard, request)
        assert 1 <= missing <= len(noise + whole) - len(heard)
        heard = (noise + whole)[: len(heard) + missing]
    assert found == body


@given(requests, st.data())
def test_one_wrong_bit_is_no_answer(request: Request, data: st.DataObject) -> None:
    content = data.draw(st.binary(min_size=request.head[0], max_size=request.head[0]))
    wrong = bytearray(answer(request, request.head + content))
    bit = data.draw(st.integers(0, 8 * len(wrong) - 1))
    wrong[bit // 8] ^= 1 << bit % 8
    assert frame.rtu_answer(bytes(wrong), request) is None


@given(requests, st.binary(max_size=300))
def test_any_bytes_are_no_accident(request: Request, heard: bytes) -> None:
    try:
        frame.rtu_answer(heard, request)
    except ModbusException:
        pass
    assert frame.rtu_missing(heard, request) >= 1


@given(requests, st.binary(max_size=300))
def test_any_bytes_of_a_network(request: Request, heard: bytes) -> None:
    try:
        body, missing = frame.tcp_answer(heard, request, 7)
    except (Broken, ModbusException):
        return
    assert (body is None) == (missing > 0)


def test_a_late_packet_is_passed_over() -> None:
    request = frame.read(1, 3, 0, 1)
    late = bytes.fromhex("0006 0000 0005 01 03 02 1111")
    right = bytes.fromhex("0007 0000 0005 01 03 02 2222")
    assert frame.tcp_answer(late, request, 7) == (None, 7)
    assert frame.tcp_answer(late + right[:8], request, 7) == (None, 3)
    assert frame.tcp_answer(late + right, request, 7) == (b"\x02\x22\x22", 0)
    with pytest.raises(ModbusException, match="exception 6, device busy"):
        frame.tcp_answer(bytes.fromhex("0007 0000 0003 01 83 06"), request, 7)
    with pytest.raises(Broken, match="does not fit"):
        frame.tcp_answer(bytes.fromhex("0007 0000 0007 01 03 04 2222 2222"), request, 7)
    with pytest.raises(Broken, match="no Modbus TCP"):
        frame.tcp_answer(b"HTTP/1.1 400", request, 7)


@pytest.mark.parametrize(
    ("line", "milliseconds"),
    [
        (LineSettings(9600), 3.646),
        (LineSettings(9600, 8, "E"), 4.010),
        (LineSettings(2400, 8, "N", 2), 16.042),
        (LineSettings(19200, 8, "E"), 2.005),
        (LineSettings(115200), 1.75),
    ],
)
def test_silence_between_frames(line: LineSettings, milliseconds: float) -> None:
    assert silence(line) * 1000 == pytest.approx(milliseconds, abs=0.001)
