"""SCD30: carbon dioxide, temperature, humidity (Sensirion SCD30 interface description 1.0).

The chip stretches the clock for up to 30 ms, and once a day for 150 ms (section 1.1), which the
Pi's own controller does not take: hardware/scd30.md has the two ways round it.
"""

from __future__ import annotations

import struct
from collections.abc import Generator, Sequence
from typing import Annotated

from drivers.base import Channel, CorruptData, I2CBus, NoAnswer, Option, Quality, Reading
from drivers.i2c.crc8 import command, words

ADDRESS = 0x61

TRIGGER_CONTINUOUS = 0x0010
SET_INTERVAL = 0x4600
GET_DATA_READY = 0x0202
READ_MEASUREMENT = 0x0300
AUTOMATIC_SELF_CALIBRATION = 0x5306
TEMPERATURE_OFFSET = 0x5403
ALTITUDE = 0x5102
READ_FIRMWARE = 0xD100

ANSWER_S = 0.004
"""Between a command and its answer: more than 3 ms (section 1.1.2)."""
POLL_S = 0.5

CO2_RANGE = (0.0, 10000.0)
"""ppm: the range of the measurement (data sheet, table 1)."""


class Scd30:
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
        every: Annotated[int, Option("the chip measures", "s", low=2, high=1800)] = 5,
        temperature_offset: Annotated[
            float, Option("how much warmer the chip is than the room", "K", low=0, high=50)
        ] = 0.0,
        altitude: Annotated[int, Option("above sea level", "m", low=0, high=9000)] = 0,
        pressure: Annotated[
            int, Option("of the air, 700 to 1400; 0: by altitude", "hPa", low=0, high=1400)
        ] = 0,
        self_calibration: Annotated[
            bool, Option("needs an hour of fresh air a day; off where there is never any")
        ] = False,
    ) -> None:
        self._bus = bus
        self._address = address
        self._every = every
        self._pressure = pressure
        self._settings = [
            (SET_INTERVAL, every),
            (TEMPERATURE_OFFSET, round(temperature_offset * 100)),
            (ALTITUDE, altitude),
            (AUTOMATIC_SELF_CALIBRATION, int(self_calibration)),
        ]

    def start(self) -> Generator[float, None, None]:
        """The settings last in the chip's flash, so only those that differ are written."""
        yield from self._ask(READ_FIRMWARE, 1)
        for code, value in self._settings:
            (found,) = yield from self._ask(code, 1)
            if found != value:
                self._bus.write(self._address, command(code, value))
                yield ANSWER_S
        self._bus.write(self._address, command(TRIGGER_CONTINUOUS, self._pressure))
        yield ANSWER_S

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        """Waits for a measurement that is not there yet: up to 1.5 periods and 2 s."""
        patience = 1.5 * self._every + 2
        for _ in range(round(patience / POLL_S)):
            (ready,) = yield from self._ask(GET_DATA_READY, 1)
            if ready == 1:
                return decode((yield from self._ask(READ_MEASUREMENT, 6)))
            yield POLL_S
        raise NoAnswer(f"0x{self._address:02x}: no measurement in {patience:g} s")

    def close(self) -> None:
        pass

    def _ask(self, code: int, count: int) -> Generator[float, None, list[int]]:
        self._bus.write(self._address, command(code))
        yield ANSWER_S
        return words(self._bus.read(self._address, 3 * count))


def decode(measurement: Sequence[int]) -> list[Reading]:
    """Three floats (IEEE 754, big-endian), each in two words: CO2, temperature, humidity (1.4.5).

    The first measurements after power-up have a CO2 of 0.
    """
    co2, temperature, humidity = struct.unpack(">fff", struct.pack(">6H", *measurement))
    if not (-100 < temperature < 200 and -10 < humidity < 200):
        raise CorruptData(f"{temperature} °C and {humidity} % cannot be")
    good = CO2_RANGE[0] < co2 <= CO2_RANGE[1]
    return [
        Reading("co2", co2 if good else None, Quality.GOOD if good else Quality.BAD),
        Reading("temperature", temperature),
        Reading("humidity", min(100.0, max(0.0, humidity))),
    ]


DRIVER = Scd30
