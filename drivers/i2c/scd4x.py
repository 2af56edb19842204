"""SCD40, SCD41, SCD43: carbon dioxide, temperature, humidity (Sensirion SCD4x, version 1.7).

Periodic measurement every 5 s, or every 30 s with low power (section 3.6, 3.9). Settings go into
the chip's memory of the moment, never into its EEPROM, which wears. Wiring and config:
hardware/scd4x.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, I2CBus, NoAnswer, Option, Quality, Reading
from drivers.i2c.crc8 import command, words

ADDRESS = 0x62

START_PERIODIC = 0x21B1
START_LOW_POWER_PERIODIC = 0x21AC
READ_MEASUREMENT = 0xEC05
STOP_PERIODIC = 0x3F86
SET_TEMPERATURE_OFFSET = 0x241D
SET_SENSOR_ALTITUDE = 0x2427
SET_AMBIENT_PRESSURE = 0xE000
SET_AUTOMATIC_SELF_CALIBRATION = 0x2416
GET_DATA_READY = 0xE4B8
GET_SERIAL_NUMBER = 0x3682

READY = 0x07FF
"""The measurement is there when any of these bits is set (3.9.2)."""

COMMAND_S = 0.001
STOP_S = 0.5
"""The chip answers to nothing for so long after a stop (3.6.3)."""

PERIOD_S, LOW_POWER_PERIOD_S = 5.0, 30.0
POLL_S = 0.5

CO2_RANGE = (400, 5000)
"""ppm; accuracy of the SCD41 is given up to 5000, of the SCD40 up to 2000 (table 1)."""


class Scd4x:
    """Gives the newest measurement of a chip that measures by itself."""

    channels: Sequence[Channel] = (
        Channel("co2", "co2", digits=0),
        Channel("temperature", "temperature", digits=2),
        Channel("humidity", "humidity", digits=2),
    )

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("the only one", choices=(ADDRESS,))] = ADDRESS,
        low_power: Annotated[bool, Option("measure every 30 s instead of every 5 s")] = False,
        temperature_offset: Annotated[
            float, Option("how much warmer the chip is than the room", "K", low=0, high=20)
        ] = 4.0,
        altitude: Annotated[int, Option("above sea level", "m", low=0, high=3000)] = 0,
        pressure: Annotated[
            int, Option("of the air, instead of altitude; 0: by altitude", "hPa", low=0, high=1200)
        ] = 0,
        self_calibration: Annotated[
            bool, Option("takes the lowest of a week for fresh air; off where there is never any")
        ] = True,
    ) -> None:
        self._bus = bus
        self._address = address
        self._start = START_LOW_POWER_PERIODIC if low_power else START_PERIODIC
        self._period = LOW_POWER_PERIOD_S if low_power else PERIOD_S
        self._settings = [
            (SET_TEMPERATURE_OFFSET, round(temperature_offset * 65535 / 175)),
            (SET_SENSOR_ALTITUDE, altitude),
            (SET_AUTOMATIC_SELF_CALIBRATION, int(self_calibration)),
        ]
        self._pressure = pressure

    def start(self) -> Generator[float, None, None]:
        """Settings are taken in idle mode only, so a measurement that goes on is stopped."""
        try:
            self._bus.write(self._address, command(STOP_PERIODIC))
        except NoAnswer:
            pass  # powered up within the last 30 ms, or not there: the next command tells
        yield STOP_S
        yield from self._ask(GET_SERIAL_NUMBER, 3)
        for code, value in self._settings:
            self._bus.write(self._address, command(code, value))
            yield COMMAND_S
        if self._pressure:
            self._bus.write(self._address, command(SET_AMBIENT_PRESSURE, self._pressure))
            yield COMMAND_S
        self._bus.write(self._address, command(self._start))
        yield COMMAND_S

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        """Waits for a measurement that is not there yet: up to 1.2 periods, then NoAnswer, which
        is what a chip does that lost its power meanwhile."""
        for _ in range(round(1.2 * self._period / POLL_S)):
            (status,) = yield from self._ask(GET_DATA_READY, 1)
            if status & READY:
                return decode((yield from self._ask(READ_MEASUREMENT, 3)))
            yield POLL_S
        raise NoAnswer(f"0x{self._address:02x}: no measurement in {1.2 * self._period:g} s")

    def close(self) -> None:
        pass

    def _ask(self, code: int, count: int) -> Generator[float, None, list[int]]:
        self._bus.write(self._address, command(code))
        yield COMMAND_S
        return words(self._bus.read(self._address, 3 * count))


def decode(measurement: Sequence[int]) -> list[Reading]:
    """CO2, temperature, humidity (3.6.2). A CO2 of 0 is no measurement."""
    co2, temperature, humidity = measurement
    good = CO2_RANGE[0] <= co2 <= CO2_RANGE[1]
    return [
        Reading("co2", co2, Quality.GOOD if good else Quality.UNCERTAIN)
        if co2
        else Reading("co2", None, Quality.BAD),
        Reading("temperature", -45 + 175 * temperature / 65535),
        Reading("humidity", 100 * humidity / 65535),
    ]


DRIVER = Scd4x
