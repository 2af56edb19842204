"""What was said on a Modbus line, heard by a third: requests and answers to readings. No I/O.

For captured bytes of one device. An answer does not say which registers it carries: its request,
which goes before it, does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from drivers.base import Channel, Option, Reading
from drivers.serial import modbus_map
from drivers.serial.crc import modbus
from drivers.serial.framing import Found, FrameDecoder, Skip
from drivers.serial.modbus_frame import EXCEPTION, EXCEPTION_LENGTH, EXCEPTIONS
from drivers.serial.modbus_map import BITS, Register
from drivers.serial.modbus_plan import FUNCTIONS, Block
from drivers.serial.modbus_value import reading

CAP = 600
"""A request and the longest answer."""

REQUEST_LENGTH = 8
READS = {function: table for table, function in FUNCTIONS.items()}


class ModbusDecoder(FrameDecoder):
    """Answers of one unit to requests that read; the rest of the traffic is passed over."""

    def __init__(
        self,
        *,
        map: Annotated[str, Option("as the driver's", example="sdm120")],
        registers: Annotated[Mapping[str, Register] | None, Option("as the driver's")] = None,
        unit: Annotated[int, Option("address of the device", low=0, high=255)] = 1,
    ) -> None:
        super().__init__(CAP)
        self._registers = modbus_map.device_map(map, registers).registers
        self._unit = unit

    @property
    def channels(self) -> tuple[Channel, ...]:
        """What the map names, with its quantities."""
        return tuple(Channel(name, one.quantity) for name, one in self._registers.items())

    def scan(self, data: bytearray, final: bool) -> Found | Skip | None:
        """A request with its answer right behind it is a telegram."""
        if data[0] != self._unit or (len(data) > 1 and data[1] not in READS):
            return Skip(1)
        if len(data) < REQUEST_LENGTH:
            return None
        if not _is_whole(data[:REQUEST_LENGTH]):
            return Skip(1)
        address, count = (int.from_bytes(data[at : at + 2], "big") for at in (2, 4))
        asked = Block(READS[data[1]], address, count, (), False)
        return self._answered(asked, data[REQUEST_LENGTH:])

    def _answered(self, asked: Block, behind: bytearray) -> Found | Skip | None:
        size = -(-asked.count // 8) if asked.table in BITS else 2 * asked.count
        begin = bytes([self._unit, asked.function, size & 0xFF])
        refusal = bytes([self._unit, asked.function | EXCEPTION])
        if behind.startswith(refusal) and len(behind) >= EXCEPTION_LENGTH:
            why = "a refusal that is spoilt"
            if _is_whole(behind[:EXCEPTION_LENGTH]):
                why = f"exception {behind[2]}, {EXCEPTIONS.get(behind[2], 'unknown')}"
            return Skip(REQUEST_LENGTH + EXCEPTION_LENGTH, why, complete=True)
        if not (begin.startswith(behind[:3]) or refusal.startswith(behind[:2])):
            return Skip(REQUEST_LENGTH, "a request without an answer")
        length = 3 + size + 2
        if len(behind) < length:
            return None
        if not _is_whole(behind[:length]):
            return Skip(REQUEST_LENGTH, "wrong checksum of an answer")
        return Found(
            REQUEST_LENGTH + length, tuple(self._readings(asked, bytes(behind[2 : 3 + size])))
        )

    def _readings(self, asked: Block, body: bytes) -> list[Reading]:
        end = asked.address + asked.count
        return [
            reading(name, one, asked.part(body, one))
            for name, one in self._registers.items()
            if one.table == asked.table
            and asked.address <= one.address
            and one.address + one.words <= end
        ]


def _is_whole(frame: bytearray) -> bool:
    return modbus(frame[:-2]) == int.from_bytes(frame[-2:], "little")
