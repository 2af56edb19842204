"""SunSpec inverters and meters, which describe themselves: Fronius, SMA, Huawei, SolarEdge, Kostal.

SunSpec Device Information Model Specification V1.1: the registers begin with "SunS" at 40000, 0 or
50000, and are a chain of models, each with its number and length.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, Option, Reading, SerialPort, WrongDevice
from drivers.serial import sunspec_models as models
from drivers.serial.modbus_frame import (
    READ_HOLDING_REGISTERS,
    REGISTERS_MAX,
    ModbusException,
    read,
)
from drivers.serial.modbus_line import Line
from drivers.serial.stream import checked_line

CHAIN_MAX = 64
"""Models of one device: more is a chain that leads nowhere."""


class SunSpec:
    """One device. Its models are found at each start."""

    channels: Sequence[Channel] = models.CHANNELS

    def __init__(
        self,
        port: SerialPort,
        *,
        unit: Annotated[int, Option("unit number; SMA: 126", low=0, high=255)] = 1,
        framing: Annotated[
            str, Option("tcp: on a bus socket://HOST:502", choices=("tcp", "rtu"))
        ] = "tcp",
        line: Annotated[str, Option("of framing rtu: speed and frame")] = "9600 8N1",
        timeout: Annotated[float, Option("for an answer to begin", "s", low=0.02, high=10)] = 3.0,
        retries: Annotated[int, Option("after a bad or missing answer", low=0, high=5)] = 1,
    ) -> None:
        self._unit = unit
        self._line = Line(
            port,
            checked_line(line),
            framing=framing,
            timeout=timeout,
            retries=retries,
            pause=0.0,
            echo=False,
        )
        self._chain: list[tuple[int, int, int]] = []

    def start(self) -> Generator[float, None, None]:
        self._line.open()
        self._chain = []
        at = self._base() + 2
        for _ in range(CHAIN_MAX):
            head = self._fetch(at, 2)
            model, length = int.from_bytes(head[:2], "big"), int.from_bytes(head[2:], "big")
            if model == models.END:
                break
            if model in models.KNOWN:
                self._chain.append((model, at, length + 2))
            at += length + 2
            yield 0.0
        if not any(model != models.COMMON for model, _, _ in self._chain):
            raise WrongDevice("SunSpec, but no model of an inverter or a meter")

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        found: dict[str, Reading] = {}
        meters = 0
        for model, at, length in self._chain:
            data = self._fetch(at, length)
            if int.from_bytes(data[:2], "big") != model:
                raise CorruptData(f"register {at} does not begin model {model} any more")
            meters += model in models.METERS or model in models.METERS_FLOAT
            for one in models.readings(model, data, meters):
                found.setdefault(one.channel, one)
            yield 0.0
        return list(found.values())

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""

    def _base(self) -> int:
        for base in models.BASES:
            try:
                if self._fetch(base, 2) == models.SUNS:
                    return base
            except ModbusException:
                continue  # no such registers: the device may have the others
        raise WrongDevice("no SunSpec at 40000, 0 or 50000; is it switched on in the device?")

    def _fetch(self, address: int, count: int) -> bytes:
        data = b""
        while count > 0:
            part = min(count, REGISTERS_MAX)
            body = self._line.ask(read(self._unit, READ_HOLDING_REGISTERS, address, part))
            data += body[1:]
            address, count = address + part, count - part
        return data


DRIVER = SunSpec
