"""Modbus RTU or TCP meters, inverters and sensors, by a map of their registers.

Modbus Application Protocol V1.1b3; what is where comes from `drivers/serial/maps/`, from a file of
your own, or from the configuration: see `modbus_map.py`.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import Annotated

from drivers.base import Channel, Option, OptionError, Quality, Reading, SerialPort
from drivers.serial import modbus_map
from drivers.serial.modbus_decode import ModbusDecoder
from drivers.serial.modbus_frame import ILLEGAL_DATA_ADDRESS, ModbusException, read
from drivers.serial.modbus_line import Line
from drivers.serial.modbus_map import Register
from drivers.serial.modbus_plan import Block, plan
from drivers.serial.modbus_value import channel, reading
from drivers.serial.stream import checked_line

DECODER = ModbusDecoder

FRAMINGS = ("rtu", "tcp")


class Modbus:
    """One device; several share a line, each with its own unit number and, if need be, speed."""

    def __init__(
        self,
        port: SerialPort,
        *,
        map: Annotated[
            str,
            Option("a packaged one, the path of one ending in .toml, or own", example="sdm120"),
        ],
        registers: Annotated[
            Mapping[str, Register] | None, Option("more registers, or those of map own, by channel")
        ] = None,
        only: Annotated[tuple[str, ...], Option("read these channels alone; empty: all")] = (),
        unit: Annotated[int, Option("address of the device on the line", low=0, high=255)] = 1,
        line: Annotated[str, Option("speed and frame, as 9600 8N1; empty: as delivered")] = "",
        framing: Annotated[
            str, Option("tcp: Modbus TCP, on a bus socket://HOST:502", choices=FRAMINGS)
        ] = "rtu",
        timeout: Annotated[float, Option("for an answer to begin", "s", low=0.02, high=10)] = 1.0,
        retries: Annotated[int, Option("after a bad or missing answer", low=0, high=5)] = 2,
        pause: Annotated[
            float, Option("rest before a request, if longer than the map's", "s", low=0, high=5)
        ] = 0.0,
        echo: Annotated[bool, Option("the adapter gives back what is sent")] = False,
    ) -> None:
        found = modbus_map.device_map(map, registers)
        wanted = {name: one for name, one in found.registers.items() if not only or name in only}
        unknown = set(only) - set(wanted)
        if unknown:
            raise OptionError(f"only: map {map} has no {', '.join(sorted(unknown))}")
        self._unit = unit
        self._line = Line(
            port,
            checked_line(line or found.line),
            framing=framing,
            timeout=timeout,
            retries=retries,
            pause=max(pause, found.pause),
            echo=echo,
        )
        self._plan = plan(wanted, found.longest, found.gap)
        self._blocks = list(self._plan)
        self._refused: dict[str, Reading] = {}
        self.channels: Sequence[Channel] = tuple(channel(*one) for one in wanted.items())

    def start(self) -> None:
        self._blocks = list(self._plan)
        self._refused = {}
        self._line.open()

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        """A register that the device does not have is a bad value, unless its map calls it
        optional; only where it has none of them that is an error."""
        found = dict(self._refused)
        for block in tuple(self._blocks):
            found |= self._read(block)
            yield 0.0  # an output on the line may be waiting to be switched
        return [found[one.name] for one in self.channels if one.name in found]

    def close(self) -> None:
        """Nothing to do: the port is the bus's."""

    def _read(self, block: Block) -> dict[str, Reading]:
        try:
            body = self._line.ask(read(self._unit, block.function, block.address, block.count))
        except ModbusException as error:
            if error.code == ILLEGAL_DATA_ADDRESS:
                self._blocks.remove(block)
                if len(block.members) > 1:
                    return self._one_by_one(block)
                if self._blocks:
                    return self._without(block)
            raise ModbusException(error.code, f"{block.told()}: ") from error
        return {name: reading(name, one, block.part(body, one)) for name, one in block.members}

    def _one_by_one(self, block: Block) -> dict[str, Reading]:
        """Something in the block is refused: from now on each register is asked for by itself."""
        singles = plan(dict(block.members), longest=1, gap=0)
        self._blocks += singles
        found: dict[str, Reading] = {}
        for single in singles:
            found |= self._read(single)
        return found

    def _without(self, block: Block) -> dict[str, Reading]:
        ((name, register),) = block.members
        if not register.optional:
            code = f"{register.table} {register.address}"
            self._refused[name] = Reading(name, None, Quality.BAD, code)
        return self._refused


DRIVER = Modbus
