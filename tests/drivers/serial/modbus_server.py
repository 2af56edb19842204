"""A Modbus device for the tests: pymodbus's server behind a wire that can spoil its answers."""

from __future__ import annotations

import asyncio
import os
import select
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

Fault = Callable[[bytes], bytes]
"""An answer's frame as it was sent, to what arrives of it."""

GENEROUS_S = 30.0


class Wire:
    """`faults` are used up one an answer; then answers arrive as they are. Requests are kept."""

    def __init__(self, *faults: Fault) -> None:
        self.faults = list(faults)
        self.requests: list[bytes] = []

    def trace(self, sending: bool, data: bytes) -> bytes:
        if not sending:
            self.requests.append(data)
            return data
        return self.faults.pop(0)(data) if self.faults else data


def registers(address: int, *values: int) -> SimData:
    return SimData(address, values=list(values), datatype=DataType.REGISTERS)


def bits(*values: bool) -> SimData:
    return SimData(0, values=list(values), datatype=DataType.BITS)


def device(
    unit: int, *, holding: SimData | None = None, inputs: SimData | None = None, coils: int = 16
) -> SimDevice:
    none = registers(0, 0)
    contacts = bits(True, False)
    return SimDevice(
        unit,
        simdata=(
            [bits(*[False] * coils)],
            [contacts],
            [holding or none],
            [inputs or none],
        ),
    )


@contextmanager
def on_a_line(wire: Wire, *devices: SimDevice) -> Iterator[str]:
    """The name of the terminal at our end of the line."""
    (far, far_slave), (near, near_slave) = _terminal(), _terminal()
    far_name, near_name = os.ttyname(far_slave), os.ttyname(near_slave)
    wake, stop = os.pipe()
    pump = threading.Thread(target=_pump, args=(far, near, wake), name="wire")
    pump.start()
    try:
        make = partial(
            ModbusSerialServer,
            list(devices),
            port=far_name,
            baudrate=9600,
            ignore_missing_devices=True,
            trace_packet=wire.trace,
        )
        with _serving(make):
            yield near_name
    finally:
        os.write(stop, b"x")
        pump.join(GENEROUS_S)
        for descriptor in (far, near, far_slave, near_slave, wake, stop):
            os.close(descriptor)


@contextmanager
def on_tcp(wire: Wire, port: int, *devices: SimDevice) -> Iterator[None]:
    make = partial(
        ModbusTcpServer, list(devices), address=("127.0.0.1", port), trace_packet=wire.trace
    )
    with _serving(make):
        yield


def _terminal() -> tuple[int, int]:
    """Its two ends. The second stays open here, so that the first never reports a hang-up."""
    master, slave = os.openpty()
    tty.setraw(slave)
    return master, slave


def _pump(one: int, other: int, wake: int) -> None:
    while True:
        ready, _, _ = select.select([one, other, wake], [], [])
        if wake in ready:
            return
        for source, sink in ((one, other), (other, one)):
            if source in ready:
                os.write(sink, os.read(source, 4096))


@contextmanager
def _serving(make: Callable[[], ModbusSerialServer | ModbusTcpServer]) -> Iterator[None]:
    up = threading.Event()
    holder: list[tuple[asyncio.AbstractEventLoop, ModbusSerialServer | ModbusTcpServer]] = []

    async def serve() -> None:
        server = make()
        await server.serve_forever(background=True)
        holder.append((asyncio.get_running_loop(), server))
        up.set()
        await server.serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="modbus server")
    thread.start()
    assert up.wait(GENEROUS_S), "the server did not start"
    try:
        yield
    finally:
        loop, server = holder[0]
        stopping = server.shutdown()  # type: ignore[no-untyped-call]
        asyncio.run_coroutine_threadsafe(stopping, loop).result(GENEROUS_S)
        thread.join(GENEROUS_S)
