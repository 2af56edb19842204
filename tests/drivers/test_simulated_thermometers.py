"""The older drivers on chips at register level, and what becomes of a chip that loses its power."""

from typing import Any

import pytest

from drivers.base import NoAnswer
from drivers.i2c.bh1750 import Bh1750
from drivers.i2c.htu21d import Htu21d
from drivers.i2c.lm75 import Lm75
from drivers.i2c.mcp9808 import Mcp9808
from drivers.i2c.tmp117 import Tmp117
from drivers.simulated import bh1750, htu21d, lm75, mcp9808, tmp117
from drivers.simulated.bus import SimulatedI2CBus
from tests.fakes import FakeClock, finish, started_and_read, values

CASES: list[Any] = [
    (Htu21d, htu21d.Htu21d, 0x40, (-22.0, 61.0), {"temperature": -22, "humidity": 61}),
    (Mcp9808, mcp9808.Mcp9808, 0x18, (-7.25,), {"temperature": -7.25}),
    (Mcp9808, mcp9808.Mcp9808, 0x1F, (99.5,), {"temperature": 99.5}),
    (Tmp117, tmp117.Tmp117, 0x48, (-40.5,), {"temperature": -40.5}),
    (Lm75, lm75.Lm75, 0x48, (-11.5,), {"temperature": -11.5}),
    (Bh1750, bh1750.Bh1750, 0x23, (1234.0,), {"illuminance": 1234}),
]


@pytest.mark.parametrize(("driver", "chip", "address", "physical", "expected"), CASES)
def test_reads_its_chip_also_after_the_chip_was_changed(
    driver: Any, chip: Any, address: int, physical: tuple[float, ...], expected: dict[str, float]
) -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({address: chip(*physical, clock=clock)})
    sensor = driver(bus, address=address)
    for _ in range(2):
        got = values(finish(started_and_read(sensor), clock))
        assert got == pytest.approx(expected, abs=0.5 if "illuminance" in expected else 0.01)
        bus.chips[address] = chip(*physical, clock=clock)


def test_a_tmp117_that_stands_still() -> None:
    sensor = Tmp117(SimulatedI2CBus({0x48: tmp117.Tmp117(20.0, clock=FakeClock())}))
    with pytest.raises(NoAnswer, match="no conversion"):
        finish(sensor.read())


def test_an_lm75_keeps_the_configuration_of_its_kin() -> None:
    clock = FakeClock()
    sensor = Lm75(SimulatedI2CBus({0x49: lm75.Lm75(25.0625, bits=12)}), address=0x49, chip="tmp102")
    assert values(finish(started_and_read(sensor), clock)) == {"temperature": 25.0625}
