"""TSL2591 and VEML7700: the gain finds the light, saturation, chips told apart, failing buses."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault, CorruptData, NoAnswer, Quality, Reading, WrongDevice
from drivers.i2c import tsl2591, veml7700
from drivers.i2c.tsl2591 import Tsl2591
from drivers.i2c.veml7700 import Veml7700
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.tsl2591 import Tsl2591 as TslChip
from drivers.simulated.veml7700 import Veml7700 as VemlChip
from gateway.attached import steps_of
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values


@pytest.mark.parametrize("lux", [0.0, 0.05, 2.0, 150.0, 3000.0, 20000.0, 60000.0])
def test_tsl2591_finds_its_gain(lux: float) -> None:
    clock = FakeClock()
    sensor = Tsl2591(SimulatedI2CBus({0x29: TslChip(lux, clock=clock)}))
    sensor.start()
    got = values(finish(sensor.read(), clock))["illuminance"]
    assert got == pytest.approx(lux, rel=0.02, abs=0.001)


@pytest.mark.parametrize("lux", [0.0, 0.05, 2.0, 150.0, 3000.0, 20000.0, 100000.0])
def test_veml7700_finds_its_step(lux: float) -> None:
    clock = FakeClock()
    sensor = Veml7700(SimulatedI2CBus({0x10: VemlChip(lux, clock=clock)}))
    sensor.start()
    got = values(finish(sensor.read(), clock))["illuminance"]
    assert got == pytest.approx(lux, rel=0.04, abs=0.005)


def test_worked_examples() -> None:
    """84323: 1480 counts at gain 1/4 and 100 ms (0.2688 lx a count since the new resolution)."""
    (reading,) = veml7700.decode(1480, 2)
    assert reading.value == pytest.approx(veml7700.straightened(1480 * 0.2688))
    assert veml7700.straightened(1000) == pytest.approx(1075.0, abs=0.5)
    (lux,) = tsl2591.decode(1000, 250, 25.0)
    assert lux.value == pytest.approx((1000 - 1.64 * 250) / (100 * 25 / 408))


@pytest.mark.parametrize("found", [tsl2591.decode(36863, 10, 1.0), veml7700.decode(0xFFFF, 0)])
def test_saturation_has_no_value(found: list[Reading]) -> None:
    assert [(r.value, r.quality) for r in found] == [(None, Quality.BAD)]


@given(st.integers(0, 3), st.integers(0, 65535))
def test_gain_and_step_stay_within_the_table(place: int, count: int) -> None:
    assert abs(tsl2591.next_gain(place, count) - place) <= 1
    assert 0 <= tsl2591.next_gain(place, count) < len(tsl2591.GAINS)
    assert 0 <= veml7700.next_step(place, count) < len(veml7700.STEPS)


def test_tsl2591_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x29, b"\xb2", b"\x50"),
        Transfer(0x29, b"\xa0\x00"),
        Transfer(0x29, b"\xa1\x10"),
        Transfer(0x29, b"\xa0\x03"),
        Transfer(0x29, b"\xb3", b"\x00" + bytes(4)),
        Transfer(0x29, b"\xb3", b"\x01\x10\x27\x00\x00"),
        Transfer(0x29, b"\xa0\x00"),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Tsl2591(bus)
        sensor.start()
        assert values(finish(sensor.read()))["illuminance"] == pytest.approx(1632)


def test_another_chip_or_a_reset_is_told() -> None:
    with (
        ScriptedI2C(Transfer(0x29, b"\xb2", b"\xee")) as bus,
        pytest.raises(WrongDevice, match="VL53L0X"),
    ):
        Tsl2591(bus).start()
    script = [Transfer(0x10, b"\x03\x00\x00"), Transfer(0x10, b"\x03", b"\xff\xff")]
    with ScriptedI2C(*script) as bus, pytest.raises(CorruptData, match="VEML6075"):
        Veml7700(bus).start()
    clock = FakeClock()
    wire = SimulatedI2CBus({0x10: VemlChip(10.0, clock=clock)})
    steps = Veml7700(wire).read()
    clock.now += next(steps)
    wire.chips[0x10] = VemlChip(10.0, clock=clock)
    with pytest.raises(CorruptData, match="reset"):
        finish(steps, clock)


def test_stuck_and_failing() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x29: TslChip(100.0, clock=clock), 0x10: VemlChip(100.0, clock=clock)})
    with pytest.raises(NoAnswer, match="no integration"):
        finish(Tsl2591(bus).read())
    for sensor in (Tsl2591(FailsOnce(bus, BusFault("x"))), Veml7700(FailsOnce(bus, BusFault("x")))):
        with pytest.raises(BusFault):
            finish(steps_of(sensor.read()), clock)
        got = values(finish(steps_of(sensor.read()), clock))
        assert got["illuminance"] == pytest.approx(100, rel=0.04)
