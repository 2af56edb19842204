"""SGP40: an index of volatile organic compounds (Sensirion SGP40, version 1.2).

The index comes from Sensirion's own algorithm, which learns the place's background; it is the
library sensirion-gas-index-algorithm (BSD), installed with `tidegate[voc]`. Wiring and config:
hardware/sgp40.md.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Any, Literal

from drivers.base import (
    Channel,
    I2CBus,
    NoAnswer,
    Option,
    OptionError,
    Quality,
    Reading,
    WrongDevice,
)  # fmt: skip
from drivers.i2c.crc8 import command, words

ADDRESS = 0x59

MEASURE_RAW = 0x260F
SELF_TEST = 0x280E
GET_SERIAL_NUMBER = 0x3682

SELF_TEST_PASSED = 0xD400
SELF_TEST_FAILED = 0x4B00

MEASURE_S = 0.03
SELF_TEST_S = 0.32
COMMAND_S = 0.001
"""Maximum of table 7."""

BLACKOUT_S = 45
"""The algorithm gives 0 for so long after its start."""


class Sgp40:
    """One raw measurement a reading; the algorithm wants them 1 s or 10 s apart."""

    def __init__(
        self,
        bus: I2CBus,
        *,
        address: Annotated[int, Option("the only one", choices=(ADDRESS,))] = ADDRESS,
        sampling: Annotated[
            Literal[0, 1, 10], Option("the device's `interval`, s; 0: raw signal only, no index")
        ] = 1,
        temperature: Annotated[
            float, Option("of the place, which the chip allows for", "°C", low=-45, high=130)
        ] = 25.0,
        humidity: Annotated[
            float, Option("of the place, which the chip allows for", "%", low=0, high=100)
        ] = 50.0,
    ) -> None:
        self._bus = bus
        self._address = address
        self._algorithm = new_algorithm(sampling) if sampling else None
        index = [Channel("voc_index", "voc_index", digits=0)] if sampling else []
        self.channels: Sequence[Channel] = [*index, Channel("voc_raw", "count", digits=0)]
        self._measure = command(
            MEASURE_RAW, round(humidity * 65535 / 100), round((temperature + 45) * 65535 / 175)
        )

    def start(self) -> Generator[float, None, None]:
        """The serial number, then the self-test of hot plate and gas layer."""
        self._bus.write(self._address, command(GET_SERIAL_NUMBER))
        yield COMMAND_S
        words(self._bus.read(self._address, 9))
        self._bus.write(self._address, command(SELF_TEST))
        yield SELF_TEST_S
        (result,) = words(self._bus.read(self._address, 3))
        if result == SELF_TEST_FAILED:
            raise NoAnswer("the chip's self-test failed: it is broken")
        if result != SELF_TEST_PASSED:
            raise WrongDevice(
                f"the self-test's answer 0x{result:04x} is not that of an SGP40; an SGP41 or SGP30 "
                "may be there"
            )

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self._bus.write(self._address, self._measure)
        yield MEASURE_S
        (raw,) = words(self._bus.read(self._address, 3))
        readings = [Reading("voc_raw", raw)]
        if self._algorithm is None:
            return readings
        index = self._algorithm.process(raw)
        # 0 is the algorithm's word for: not yet (BLACKOUT_S); the index itself is 1 to 500.
        learning = Reading("voc_index", None, Quality.BAD)
        return [Reading("voc_index", index) if index else learning, *readings]

    def close(self) -> None:
        pass


def new_algorithm(sampling: int) -> Any:
    """Sensirion's, for measurements so many seconds apart. OptionError where it is missing."""
    try:
        from sensirion_gas_index_algorithm.voc_algorithm import VocAlgorithm
    except ImportError as error:
        raise OptionError(
            "sampling: the index needs a library: pip install 'tidegate[voc]'; 0 gives the raw "
            "signal without it"
        ) from error
    return VocAlgorithm(sampling)


DRIVER = Sgp40
