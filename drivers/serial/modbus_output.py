"""An output of a Modbus device: a coil (relay boards) or a register (set points, dimmers, drives).

Modbus Application Protocol V1.1b3, functions 1, 3, 5, 6, 15, 16. The state is read back from the
device. What fails safe, and what does not: hardware/modbus_output.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from functools import partial
from typing import Annotated

from drivers.base import Action, Channel, CorruptData, Option, OptionError, SerialPort, Value
from drivers.quantities import QUANTITIES
from drivers.serial import modbus_frame as frame
from drivers.serial.modbus_line import Line
from drivers.serial.modbus_map import ORDERS, WORDS, Register
from drivers.serial.modbus_step import step
from drivers.serial.modbus_value import channel, encoded, value_of
from drivers.serial.stream import checked_line
from drivers.words import switch

_NUMBERS = tuple(kind for kind in WORDS if kind not in ("bool", "string"))


class ModbusOutput:
    """One coil or one register. Several outputs of a board are devices with the same unit.

    A register with `on_value` is a switch, too; else it takes numbers from `lowest` to `highest`,
    in its unit. pulse: like the relay's: `on` alone is taken, held for so long and let go.
    """

    def __init__(
        self,
        port: SerialPort,
        *,
        register: Annotated[int, Option("the coil's or register's address", low=0, high=0xFFFF)],
        table: Annotated[str, Option("what is there", choices=("coil", "holding"))] = "coil",
        unit: Annotated[int, Option("address of the device on the line", low=1, high=255)] = 1,
        kind: Annotated[str, Option("of a register", choices=_NUMBERS)] = "uint16",
        order: Annotated[str, Option("of its bytes, A the most significant", choices=ORDERS)] = (
            "ABCD"
        ),
        scale: Annotated[float, Option("the register times this gives the unit")] = 1.0,
        quantity: Annotated[str, Option("of a register", choices=tuple(QUANTITIES))] = "level",
        lowest: Annotated[float, Option("smallest number of a register")] = 0.0,
        highest: Annotated[float, Option("largest number of a register")] = 100.0,
        on_value: Annotated[int | None, Option("a register that switches: written for on")] = None,
        off_value: Annotated[int, Option("a register that switches: written for off")] = 0,
        many: Annotated[
            bool, Option("write by function 15 or 16, where 5 or 6 is refused")
        ] = False,
        pulse: Annotated[
            float, Option("press for so long instead of switching, 0: switch", "s", low=0, high=60)
        ] = 0.0,
        line: Annotated[str, Option("speed and frame")] = "9600 8N1",
        framing: Annotated[
            str, Option("tcp: Modbus TCP, on a bus socket://HOST:502", choices=("rtu", "tcp"))
        ] = "rtu",
        timeout: Annotated[float, Option("for an answer to begin", "s", low=0.02, high=10)] = 1.0,
        retries: Annotated[int, Option("after a bad or missing answer", low=0, high=5)] = 2,
        echo: Annotated[bool, Option("the adapter gives back what is sent")] = False,
    ) -> None:
        self._is_coil = table == "coil"
        self._switches = self._is_coil or on_value is not None
        if pulse and not self._switches:
            raise OptionError("pulse needs table coil, or on_value")
        if scale == 0 or lowest >= highest:
            raise OptionError("scale must not be 0, and lowest must be below highest")
        self.action = Action.PULSE if pulse else Action.SET
        self._unit = unit
        self._register = Register(
            address=register, quantity=quantity, kind=kind, order=order, scale=scale
        )
        self._on, self._off = on_value, off_value
        self._low, self._high = lowest, highest
        self._many = many
        self._pulse = pulse
        self._line = Line(
            port,
            checked_line(line),
            framing=framing,
            timeout=timeout,
            retries=retries,
            pause=0.0,
            echo=echo,
        )
        self._step = partial(step, line=line, framing=framing, timeout=timeout, echo=echo)
        state = Channel("state", "state")
        self.channels: Sequence[Channel] = (
            state if self._switches else channel("state", self._register),
        )

    def parse(self, value: Value) -> Value:
        if not self._switches:
            return self._number(value)
        wanted = switch(value)
        if self._pulse and not wanted:
            raise ValueError("a pulse output takes only on")
        return wanted

    def start(self, value: Value | None) -> None:
        """value None: nothing is written. The device keeps its level until it is told another."""
        self._line.open()
        if value is not None:
            self._write(value)

    def set(self, value: Value) -> Generator[float, None, None]:
        self._write(value)
        if not self._pulse:
            return
        try:
            yield self._pulse
        finally:  # also when the worker gives up half-way: a pulse must end
            self._write(False)

    def state(self) -> Value:
        one = self._register
        if self._is_coil:
            body = self._line.ask(frame.read(self._unit, frame.READ_COILS, one.address, 1))
            return bool(body[1] & 1)
        asked = frame.read(self._unit, frame.READ_HOLDING_REGISTERS, one.address, one.words)
        value = value_of(one, self._line.ask(asked)[1:])
        if value is None:
            raise CorruptData(f"register {one.address} holds no number")
        return value == self._on if self._on is not None else value

    def close(self) -> None:
        """Nothing to do: the port is the bus's, and the device keeps its level."""

    def safeguard(self, value: Value) -> Sequence[str]:
        """A pulse is not given by one who does not know whether it was given."""
        request = self._request(False if self._pulse else value)
        return (self._step(request),)

    def _number(self, value: Value) -> float:
        try:
            number = float(value)
        except ValueError:
            number = float("nan")
        if isinstance(value, bool) or not self._low <= number <= self._high:
            raise ValueError(f"a number from {self._low:g} to {self._high:g}")
        encoded(self._register, number)
        return number

    def _write(self, value: Value) -> None:
        self._line.ask(self._request(value))

    def _request(self, value: Value) -> frame.Request:
        address = self._register.address
        if self._is_coil:
            if self._many:
                return frame.write_coils(self._unit, address, [bool(value)])
            return frame.write_coil(self._unit, address, bool(value))
        number = float(value)
        if self._on is not None:
            number = float(self._on if value else self._off)
        data = encoded(self._register, number)
        if self._many or len(data) > 2:
            return frame.write_registers(self._unit, address, data)
        return frame.write_register(self._unit, address, data)


DRIVER = ModbusOutput
