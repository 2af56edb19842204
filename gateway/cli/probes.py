"""Questions for meters that say nothing by themselves, and whether something is an answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from drivers.base import Telegram
from drivers.serial import modbus_frame
from drivers.serial.d0 import IDENTIFICATION, START_LINE
from drivers.serial.mbus_decode import MbusDecoder
from drivers.serial.mbus_link import REQ_UD2, short_frame
from drivers.serial.mhz19 import READ_CO2, MhzDecoder, command

EVERYBODY = 0xFE
"""M-Bus: the address at which every meter answers."""


@dataclass(frozen=True, slots=True)
class Probe:
    """driver, line, what is sent; options are those of a block for whoever answered."""

    driver: str
    line: str
    request: bytes
    options: tuple[str, ...] = ()


MODBUS_UNITS = (1, 2, 3, 247)
MODBUS_LINES = ("9600 8N1", "2400 8N1", "19200 8E1", "9600 8E1", "4800 8N1", "115200 8N1")

PROBES: tuple[Probe, ...] = (
    Probe("d0", START_LINE, b"/?!\r\n"),
    Probe("mbus", "2400 8E1", short_frame(REQ_UD2, EVERYBODY), ("address = 0",)),
    Probe("mhz19", "9600 8N1", command(READ_CO2)),
    *(
        Probe(
            "modbus",
            line,
            modbus_frame.rtu_frame(modbus_frame.read(unit, function, 0, 2)),
            (f"unit = {unit}", f'line = "{line}"', 'map = "..."'),
        )
        for line in MODBUS_LINES
        for unit in MODBUS_UNITS
        for function in (4, 3)
    ),
)


def answers(probe: Probe, heard: bytes) -> bool:
    """Whether what came back is an answer of such a meter, and no echo or noise."""
    heard = heard.removeprefix(probe.request)
    if probe.driver == "d0":
        return IDENTIFICATION.search(heard) is not None
    if probe.driver == "mbus":
        return _decodes(MbusDecoder(), heard)
    if probe.driver == "mhz19":
        return _decodes(MhzDecoder(), heard)
    unit, function = probe.request[0], probe.request[1]
    try:
        return modbus_frame.rtu_answer(heard, modbus_frame.read(unit, function, 0, 2)) is not None
    except modbus_frame.ModbusException:
        return True  # a refusal is an answer as well


def _decodes(decoder: MbusDecoder | MhzDecoder, heard: bytes) -> bool:
    found = [*decoder.feed(heard), *decoder.close()]
    return any(isinstance(one, Telegram) for one in found)


def proposal(probe: Probe, device: str) -> str:
    rows = ["[[bus]]", 'name = "port"', 'kind = "serial"', f'device = "{device}"', ""]
    rows += ["[[device]]", 'name = "meter"', f'driver = "{probe.driver}"', 'bus = "port"']
    return "\n".join([*rows, *probe.options]) + "\n"
