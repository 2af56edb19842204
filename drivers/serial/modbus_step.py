"""A Modbus request that writes, as a step of `tidegate safe`. No I/O."""

from __future__ import annotations

from dataclasses import replace

from drivers.serial.modbus_frame import (
    WRITE_MULTIPLE_COILS,
    WRITE_SINGLE_COIL,
    Request,
    rtu_frame,
    tcp_packet,
)

COILS = (WRITE_SINGLE_COIL, WRITE_MULTIPLE_COILS)
TRANSACTION = 1


def step(request: Request, *, line: str, framing: str, timeout: float, echo: bool) -> str:
    """A device confirms functions 5 and 6 by the same frame, 15 and 16 by its head (Modbus
    Application Protocol V1.1b3, 6.5, 6.6, 6.11, 6.12). line: as `9600 8N1`."""
    answer = replace(request, body=request.head)
    sent, wanted = _bytes(request, framing), _bytes(answer, framing)
    table = "coil" if request.function in COILS else "register"
    who = f"{request.unit}/{table}/{int.from_bytes(request.body[:2], 'big')}"
    skip = len(sent) if echo else 0
    return f"ask {who} {line.replace(' ', '/')} {timeout:g} {skip} {sent.hex()} {wanted.hex()}"


def _bytes(request: Request, framing: str) -> bytes:
    return tcp_packet(request, TRANSACTION) if framing == "tcp" else rtu_frame(request)
