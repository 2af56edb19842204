"""BME680, BME688: temperature, pressure, humidity and gas resistance (Bosch BST-BME680-DS001 1.9).

Forced mode, one heater set-point. The gas resistance is raw: it falls with more volatile organic
compounds, and Bosch's closed library alone makes an index of it. Wiring and config:
hardware/bme680.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Literal

from drivers.base import Channel, CorruptData, I2CBus, NoAnswer, Option, Reading, WrongDevice
from drivers.i2c import bme68x
from drivers.i2c.bme68x import Calibration

FIELD0, FIELD_SIZE = 0x1D, 17
RES_HEAT_0 = 0x5A
GAS_WAIT_0 = 0x64
CTRL_GAS_0 = 0x70
CTRL_GAS_1 = 0x71
CTRL_HUM = 0x72
CTRL_MEAS = 0x74
ID = 0xD0
RESET = 0xE0
VARIANT_ID = 0xF0

CHIP_ID = 0x61
RESET_WORD = 0xB6
MODE_FORCED = 0b01
HEAT_OFF = 0x08
RUN_GAS, RUN_GAS_HIGH = 0x10, 0x20
VARIANT_HIGH = 0x01

RESET_S = 0.01
POLL_S, POLLS = 0.01, 10

CYCLE_S = 0.001963
"""One sample of temperature, pressure or humidity, with 9 x 0.477 ms and 1 ms beside (Bosch's own
BME68x sensor interface, which is the only place that gives the times)."""

OTHERS = {
    0x55: "a BMP180",
    0x58: 'a BMP280: use driver = "bmp280"',
    0x60: 'a BME280: use driver = "bme280"',
}

Oversampling = Literal[1, 2, 4, 8, 16]


class Bme680:
    """One forced measurement a reading, with the hot plate heated once."""

    channels: Sequence[Channel] = (
        Channel("temperature", "temperature", digits=2),
        Channel("pressure", "pressure", digits=2),
        Channel("humidity", "humidity", digits=2),
        Channel("gas_resistance", "gas_resistance", digits=0),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("0x76, or 0x77 with SDO at 3.3 V", choices=(0x76, 0x77))] = (
            0x76
        ),
        oversampling: Annotated[Oversampling, Option("samples a reading")] = 2,
        heater: Annotated[
            int, Option("of the hot plate; 0: no gas measurement", "°C", low=0, high=400)
        ] = 320,
        heating: Annotated[int, Option("of the hot plate, ms", low=10, high=4032)] = 150,
    ) -> None:
        self._bus = bus
        self._address = address
        self._osrs = oversampling.bit_length()
        self._heater = heater
        self._heating = heating if heater else 0
        self._measure_s = CYCLE_S * 3 * oversampling + 0.0053 + self._heating / 1000
        self._calibration: Calibration | None = None
        self._high = False
        self._ambient = 25.0

    def start(self) -> Generator[float, None, None]:
        """Check the id, reset, read the calibration."""
        chip_id = self._registers(ID, 1)[0]
        if chip_id != CHIP_ID:
            what = OTHERS.get(chip_id, "another chip")
            raise WrongDevice(f"id 0x{chip_id:02x} at 0x{self._address:02x} is {what}")
        self._bus.write(self._address, bytes([RESET, RESET_WORD]))
        yield RESET_S
        self._high = self._registers(VARIANT_ID, 1)[0] == VARIANT_HIGH
        self._calibration = bme68x.parse_calibration(
            self._registers(bme68x.COEFF1, bme68x.COEFF1_SIZE),
            self._registers(bme68x.COEFF2, bme68x.COEFF2_SIZE),
            self._registers(bme68x.COEFF3, bme68x.COEFF3_SIZE),
        )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        if self._calibration is None:
            raise NoAnswer("read before start")
        for pair in self._commands(self._calibration):
            self._bus.write(self._address, pair)
        yield self._measure_s
        for _ in range(POLLS):
            field = self._registers(FIELD0, FIELD_SIZE)
            if field[0] & bme68x.NEW_DATA:
                break
            yield POLL_S
        else:
            raise NoAnswer(f"0x{self._address:02x}: no measurement ended")
        if self._registers(CTRL_HUM, 1)[0] & 0b111 != self._osrs:
            raise CorruptData("ctrl_hum is not as it was written: reset meanwhile?")
        readings = bme68x.decode(field, self._calibration, self._high)
        if isinstance(readings[0].value, float):
            self._ambient = readings[0].value
        return readings if self._heater else readings[:3]

    def close(self) -> None:
        pass

    def _commands(self, calibration: Calibration) -> list[bytes]:
        """Everything goes out each time, so a chip that lost its power measures all the same.

        The heater's code depends on the ambient temperature, which the last reading told.
        """
        commands = [bytes([CTRL_HUM, self._osrs])]
        if self._heater:
            code = bme68x.heater_code(self._heater, self._ambient, calibration)
            run = RUN_GAS_HIGH if self._high else RUN_GAS
            commands += [
                bytes([RES_HEAT_0, code]),
                bytes([GAS_WAIT_0, bme68x.wait_code(self._heating)]),
                bytes([CTRL_GAS_0, 0]),
                bytes([CTRL_GAS_1, run]),
            ]
        else:
            commands += [bytes([CTRL_GAS_0, HEAT_OFF]), bytes([CTRL_GAS_1, 0])]
        commands.append(bytes([CTRL_MEAS, self._osrs << 5 | self._osrs << 2 | MODE_FORCED]))
        return commands

    def _registers(self, first: int, count: int) -> bytes:
        return self._bus.write_read(self._address, bytes([first]), count)


DRIVER = Bme680
