"""Which known chip answers at an I2C address, by reads alone. For `tidegate scan`.

Nothing is asked that could change a chip: registers are read by their pointer, and of chips with
commands the serial number or the status is asked for. At the addresses of PCF8574 and MCP23017 only
a plain read is made, for a PCF8574 takes every written byte for the state of its outputs. Other
addresses are not touched. Each probe's source is in the driver that it names.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

from drivers.base import CorruptData, DriverError, I2CBus
from drivers.i2c.crc8 import words


@dataclass(frozen=True, slots=True)
class Found:
    """chip: what it is; driver: its name, "" for none; sure: its identity was read.

    options: lines of a configuration block beside the address.
    """

    address: int
    chip: str
    driver: str = ""
    sure: bool = True
    options: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Probe:
    """chip and driver; what is written (nothing: a plain read), how many bytes are read after
    `wait` s, and whether they are that chip's. A register is read with a repeated start."""

    chip: str
    driver: str
    addresses: Sequence[int]
    ask: bytes
    count: int
    is_it: Callable[[bytes], bool]
    wait: float = 0.0
    sure: bool = True
    options: tuple[str, ...] = ()


def _equals(*wanted: bytes) -> Callable[[bytes], bool]:
    return lambda data: data in wanted


def _crc(data: bytes) -> bool:
    try:
        words(data)
    except CorruptData:
        return False
    return data != bytes(len(data))


def _anything(data: bytes) -> bool:
    return True


def _mcp9808(data: bytes) -> bool:
    return data[0] == 0x04


def _tmp117(data: bytes) -> bool:
    return int.from_bytes(data, "big") & 0xFFF == 0x117


def _die(number: int) -> Callable[[bytes], bool]:
    return lambda data: int.from_bytes(data, "big") >> 4 == number


def _circuit(name: str) -> Callable[[bytes], bool]:
    return lambda data: data[:1] == b"\x01" and data[1:].lower().startswith(b"?i," + name.encode())


EXPANDERS = (*range(0x20, 0x28), *range(0x39, 0x40))
INA = range(0x40, 0x50)
LM75 = range(0x48, 0x50)

PROBES = (
    Probe("BME280", "bme280", (0x76, 0x77), b"\xd0", 1, _equals(b"\x60")),
    Probe("BMP280", "bmp280", (0x76, 0x77), b"\xd0", 1, _equals(b"\x56", b"\x57", b"\x58")),
    Probe("BME680 or BME688", "bme680", (0x76, 0x77), b"\xd0", 1, _equals(b"\x61")),
    Probe("BMP180", "", (0x77,), b"\xd0", 1, _equals(b"\x55")),
    Probe("SHT4x", "sht4x", (0x44, 0x45, 0x46), b"\x89", 6, _crc, 0.01),
    Probe("SHT3x", "sht3x", (0x44, 0x45), b"\xf3\x2d", 3, _crc, 0.01),
    Probe("AHT20", "aht20", (0x38,), b"", 1, lambda data: data[0] & 0x18 == 0x18, sure=False),
    Probe("INA226", "ina226", INA, b"\xff", 2, _die(0x226)),
    Probe("INA3221", "ina3221", range(0x40, 0x44), b"\xff", 2, _die(0x322)),
    Probe("HTU21D or Si7021", "htu21d", (0x40,), b"\xe7", 1, _equals(b"\x02", b"\x3a"), sure=False),
    Probe("TMP117", "tmp117", range(0x48, 0x4C), b"\x0f", 2, _tmp117),
    Probe(
        "ADS1115 or ADS1015", "ads1115", range(0x48, 0x4C), b"\x02", 2, _equals(b"\x80\x00"),
        options=('inputs = { a0 = { pins = "0" } }',),
    ),
    Probe("LM75 or kin", "lm75", LM75, b"\x00", 2, _anything, sure=False),
    Probe("INA219 or PCA9685", "ina219", INA, b"\x00", 2, _anything, sure=False),
    Probe("MCP9808", "mcp9808", range(0x18, 0x20), b"\x07", 2, _mcp9808),
    Probe("VEML7700", "veml7700", (0x10,), b"\x07", 2, lambda data: data[0] == 0x81),
    Probe("TSL2591", "tsl2591", (0x29,), b"\xb2", 1, _equals(b"\x50")),
    Probe("VL53L0X", "", (0x29,), b"\xc0", 1, _equals(b"\xee")),
    Probe("BH1750", "bh1750", (0x23, 0x5C), b"", 2, _anything, sure=False),
    Probe("ENS160", "ens160", (0x52, 0x53), b"\x00", 2, _equals(b"\x60\x01", b"\x61\x01")),
    Probe("SGP40", "sgp40", (0x59,), b"\x36\x82", 9, _crc, 0.01),
    Probe("SCD30", "scd30", (0x61,), b"\xd1\x00", 3, _crc, 0.01),
    Probe("SCD4x", "scd4x", (0x62,), b"\xe4\xb8", 3, _crc, 0.01),
    *(
        Probe(
            f"Atlas EZO-{name}", "ezo", (address,), b"I", 16, _circuit(name), 0.35,
            options=(f'measures = "{name}"',),
        )
        for name, address in (("ph", 0x63), ("ec", 0x64), ("orp", 0x62), ("rtd", 0x66))
    ),
    Probe("PCF8574 or MCP23017", "", EXPANDERS, b"", 1, _anything, sure=False),
    Probe("TCA9548A", "", range(0x70, 0x78), b"", 1, _anything, sure=False),
)  # fmt: skip
"""In the order of trust: the first that fits an address is what is there."""

ADDRESSES = sorted({address for probe in PROBES for address in probe.addresses})


def identify(bus: I2CBus, address: int) -> Generator[float, None, Found | None]:
    """What is at this address; None for silence, or for nothing that is known.

    BusMissing and BusFault go through: the next address would tell no more.
    """
    for probe in PROBES:
        if address in probe.addresses:
            data = yield from _answer(bus, address, probe)
            if data is not None and probe.is_it(data):
                return Found(address, probe.chip, probe.driver, probe.sure, probe.options)
    return None


def _answer(bus: I2CBus, address: int, probe: Probe) -> Generator[float, None, bytes | None]:
    try:
        if not probe.ask:
            return bus.read(address, probe.count)
        if not probe.wait:
            return bus.write_read(address, probe.ask, probe.count)
        bus.write(address, probe.ask)
        yield probe.wait
        return bus.read(address, probe.count)
    except DriverError as error:
        if isinstance(error, TimeoutError):  # NoAnswer: silent to this question
            return None
        raise
