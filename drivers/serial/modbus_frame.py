"""Modbus requests and answers as bytes: RTU frames and TCP packets. No I/O.

Modbus Application Protocol V1.1b3 (section 6: function codes, 7: exceptions), Modbus over Serial
Line V1.02 (2.5.1: RTU), Modbus Messaging on TCP/IP V1.0b (3.1.3: MBAP header).

An RTU answer has no length field and no number. What was asked says how long it must be, so it is
looked for in what came: noise of a driver that switches on, the echo of an adapter and a late
answer of another device are passed over, and a wrong checksum never becomes a value.
"""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import DriverError
from drivers.serial.crc import modbus

READ_COILS, READ_DISCRETE_INPUTS, READ_HOLDING_REGISTERS, READ_INPUT_REGISTERS = 1, 2, 3, 4
WRITE_SINGLE_COIL, WRITE_SINGLE_REGISTER = 5, 6
WRITE_MULTIPLE_COILS, WRITE_MULTIPLE_REGISTERS = 15, 16
EXCEPTION = 0x80

COIL_ON, COIL_OFF = 0xFF00, 0x0000

REGISTERS_MAX = 125

EXCEPTION_LENGTH = 5
HEADER_LENGTH = 7
"""Of TCP: transaction, protocol, length, unit."""
PDU_MAX = 253

ILLEGAL_DATA_ADDRESS, ACKNOWLEDGE, DEVICE_BUSY = 2, 5, 6
EXCEPTIONS = {
    1: "illegal function: the device does not know this request",
    2: "illegal data address: the device has no such register",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledge: the device needs longer",
    6: "device busy",
    7: "negative acknowledge",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "gateway target device failed to respond",
}


class ModbusException(DriverError):
    """The device understood the request and refuses it. code: as in EXCEPTIONS."""

    def __init__(self, code: int, where: str = "") -> None:
        super().__init__(f"{where}exception {code}, {EXCEPTIONS.get(code, 'unknown')}")
        self.code = code


class Broken(ValueError):
    """A TCP stream that is not, or no longer, in step: the connection is of no more use."""


@dataclass(frozen=True, slots=True)
class Request:
    """unit: address of the device. body: what follows the function code. answer_length: of the
    answer's body, bytes; head: what that body must begin with."""

    unit: int
    function: int
    body: bytes
    answer_length: int
    head: bytes

    @property
    def pdu(self) -> bytes:
        return bytes([self.function]) + self.body


def read(unit: int, function: int, address: int, count: int) -> Request:
    """Functions 1 to 4. count: coils or registers, at least 1."""
    length = -(-count // 8) if function in (READ_COILS, READ_DISCRETE_INPUTS) else 2 * count
    body = address.to_bytes(2, "big") + count.to_bytes(2, "big")
    return Request(unit, function, body, 1 + length, bytes([length]))


def write_coil(unit: int, address: int, on: bool) -> Request:
    body = address.to_bytes(2, "big") + (COIL_ON if on else COIL_OFF).to_bytes(2, "big")
    return Request(unit, WRITE_SINGLE_COIL, body, len(body), body)


def write_register(unit: int, address: int, value: bytes) -> Request:
    body = address.to_bytes(2, "big") + value
    return Request(unit, WRITE_SINGLE_REGISTER, body, len(body), body)


def write_coils(unit: int, address: int, on: list[bool]) -> Request:
    bits = sum(1 << place for place, one in enumerate(on) if one)
    data = bits.to_bytes(-(-len(on) // 8), "little")
    return _write_many(unit, WRITE_MULTIPLE_COILS, address, len(on), data)


def write_registers(unit: int, address: int, values: bytes) -> Request:
    return _write_many(unit, WRITE_MULTIPLE_REGISTERS, address, len(values) // 2, values)


def _write_many(unit: int, function: int, address: int, count: int, data: bytes) -> Request:
    head = address.to_bytes(2, "big") + count.to_bytes(2, "big")
    return Request(unit, function, head + bytes([len(data)]) + data, len(head), head)


def rtu_frame(request: Request) -> bytes:
    frame = bytes([request.unit]) + request.pdu
    return frame + modbus(frame).to_bytes(2, "little")


def rtu_answer(heard: bytes, request: Request) -> bytes | None:
    """The answer's body, None if it is not whole (yet). ModbusException when it is a refusal."""
    for start, length in _rtu_candidates(heard, request):
        frame = heard[start : start + length]
        if len(frame) < length or modbus(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
            continue
        if frame[1] & EXCEPTION:
            raise ModbusException(frame[2])
        return frame[2:-2]
    return None


def rtu_missing(heard: bytes, request: Request) -> int:
    """How many more bytes may at the earliest make an answer of what was heard, at least 1."""
    wanted = [start + length - len(heard) for start, length in _rtu_candidates(heard, request)]
    shortest = min((count for count in wanted if count > 0), default=0)
    return shortest or max(1, EXCEPTION_LENGTH - len(heard))


def _rtu_candidates(heard: bytes, request: Request) -> list[tuple[int, int]]:
    """Where the answer may begin, and how long it would be."""
    found = []
    begin = bytes([request.unit, request.function]) + request.head
    refusal = bytes([request.unit, request.function | EXCEPTION])
    for start in range(len(heard)):
        rest = heard[start : start + len(begin)]
        if begin.startswith(rest):
            found.append((start, 2 + request.answer_length + 2))
        elif rest[:2] == refusal or rest == refusal[: len(rest)]:
            found.append((start, EXCEPTION_LENGTH))
    return found


def rtu_length(request: Request) -> int:
    """Bytes of the answer that carries what was asked for."""
    return 2 + request.answer_length + 2


def tcp_packet(request: Request, transaction: int) -> bytes:
    pdu = request.pdu
    return (
        transaction.to_bytes(2, "big")
        + b"\0\0"
        + (len(pdu) + 1).to_bytes(2, "big")
        + bytes([request.unit])
        + pdu
    )


def tcp_answer(heard: bytes, request: Request, transaction: int) -> tuple[bytes | None, int]:
    """The answer's body, or None and how many more bytes it takes to say.

    Packets of other transactions (late answers) are passed over. ModbusException, Broken.
    """
    at = 0
    while len(heard) - at >= HEADER_LENGTH:
        length = int.from_bytes(heard[at + 4 : at + 6], "big")
        if heard[at + 2 : at + 4] != b"\0\0" or not 2 < length <= PDU_MAX + 1:
            raise Broken(f"no Modbus TCP: {heard[at : at + HEADER_LENGTH].hex(' ')}")
        end = at + 6 + length
        if end > len(heard):
            return None, end - len(heard)
        if int.from_bytes(heard[at : at + 2], "big") == transaction:
            return _tcp_body(heard[at + HEADER_LENGTH : end], request), 0
        at = end
    return None, at + HEADER_LENGTH - len(heard)


def _tcp_body(pdu: bytes, request: Request) -> bytes:
    if pdu[0] == request.function | EXCEPTION:
        raise ModbusException(pdu[1])
    body = pdu[1:]
    right = pdu[0] == request.function and len(body) == request.answer_length
    if not right or not body.startswith(request.head):
        raise Broken(f"the answer does not fit what was asked: {pdu[:8].hex(' ')}")
    return body
