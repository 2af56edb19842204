"""BME280: temperature, pressure and relative humidity (Bosch BST-BME280-DS001, rev. 1.23).

Forced mode: the chip sleeps between readings, which keeps it cool and its values true
(section 3.5.1, weather monitoring). Wiring and config: hardware/bme280.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from drivers.base import Channel, CorruptData, I2CBus, NoAnswer, Option, Reading, WrongDevice
from drivers.i2c.bmx280 import CALIB_H_SIZE, CALIB_TP_SIZE, Calibration, decode, parse_calibration

CALIB00 = 0x88
ID = 0xD0
RESET = 0xE0
CALIB26 = 0xE1
CTRL_HUM = 0xF2
STATUS = 0xF3
CTRL_MEAS = 0xF4

RESET_WORD = 0xB6
STATUS_MEASURING = 0x08
STATUS_IM_UPDATE = 0x01
MODE_FORCED = 0b01
CTRL_MEAS_OSRS = 0xFC

START_UP_S = 0.002
"""t_startup, table 1."""

BUSY_POLL_S = 0.002
BUSY_POLLS = 10

OTHERS = {
    0x55: "a BMP180",
    0x56: 'a BMP280: use driver = "bmp280"',
    0x57: 'a BMP280: use driver = "bmp280"',
    0x58: 'a BMP280, which has no humidity: use driver = "bmp280"',
    0x60: 'a BME280: use driver = "bme280"',
    0x61: 'a BME680: use driver = "bme680"',
}
"""Chip ids of others that live at 0x76 and 0x77."""

Oversampling = Literal[1, 2, 4, 8, 16]


class Bme280:
    """One forced measurement a reading; all values from the same moment."""

    CHIP_IDS: frozenset[int] = frozenset({0x60})
    HUMIDITY = True

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("pressure", "pressure", digits=2),
        Channel("humidity", "humidity", digits=2),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x76, or 0x77 with SDO at 3.3 V", choices=(0x76, 0x77))] = (
            0x76
        ),
        oversampling: Annotated[
            Oversampling, Option("samples a reading; more: less noise, longer, warmer")
        ] = 1,
    ) -> None:
        self._bus = bus
        self._address = address
        self._oversampling = oversampling
        self._calibration: Calibration | None = None

    def start(self) -> Generator[float, None, None]:
        """Check the id, reset, read the calibration."""
        chip_id = self._registers(ID, 1)[0]
        if chip_id not in self.CHIP_IDS:
            what = OTHERS.get(chip_id, "another chip")
            raise WrongDevice(f"id 0x{chip_id:02x} at 0x{self._address:02x} is {what}")
        self._bus.write(self._address, bytes([RESET, RESET_WORD]))
        yield START_UP_S
        yield from self._idle(STATUS_IM_UPDATE, 1)
        self._calibration = parse_calibration(
            self._registers(CALIB00, CALIB_TP_SIZE),
            self._registers(CALIB26, CALIB_H_SIZE) if self.HUMIDITY else b"",
        )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        if self._calibration is None:
            raise NoAnswer("read before start")
        command = self._command()
        self._bus.write(self._address, command)
        yield self._measure_time()
        # One burst from status to the last data register: the values belong together (section 4).
        answer = yield from self._idle(STATUS_MEASURING, 12)
        if (answer[1] ^ command[-1]) & CTRL_MEAS_OSRS:
            raise CorruptData(f"ctrl_meas reads 0x{answer[1]:02x}: reset meanwhile, or a bad line")
        return decode(answer[4:], self._calibration)

    def close(self) -> None:
        pass

    def _command(self) -> bytes:
        """Start a measurement. ctrl_hum acts with the write of ctrl_meas (section 5.4.3); both go
        out each time, so a chip that lost its power meanwhile measures everything all the same."""
        osrs = self._oversampling.bit_length()
        ctrl_meas = bytes([CTRL_MEAS, osrs << 5 | osrs << 2 | MODE_FORCED])
        return bytes([CTRL_HUM, osrs]) + ctrl_meas if self.HUMIDITY else ctrl_meas

    def _measure_time(self) -> float:
        """t_measure,max of section 9.1, in seconds."""
        temperature = 1.25 + 2.3 * self._oversampling
        other = 2.3 * self._oversampling + 0.575
        return (temperature + other * (2 if self.HUMIDITY else 1)) / 1000

    def _idle(self, busy: int, count: int) -> Generator[float, None, bytes]:
        """Registers from status on, once its busy bit is clear."""
        for _ in range(BUSY_POLLS):
            answer = self._registers(STATUS, count)
            if not answer[0] & busy:
                return answer
            yield BUSY_POLL_S
        raise NoAnswer(f"0x{self._address:02x} stays busy (status 0x{answer[0]:02x})")

    def _registers(self, first: int, count: int) -> bytes:
        return self._bus.write_read(self._address, bytes([first]), count)


DRIVER = Bme280
