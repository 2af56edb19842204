"""ADS1115, ADS1015: the data sheet's codes, transfers, reset and other chips noticed."""

import pytest

from drivers.base import BusFault, CorruptData, NoAnswer, OptionError, Quality
from drivers.i2c.ads1115 import Ads1115, Input, config_word, decode
from drivers.simulated.ads1115 import Ads1115 as Chip
from drivers.simulated.bus import SimulatedI2CBus
from tests.fakes import FailsOnce, FakeClock, ScriptedI2C, Transfer, finish, values


@pytest.mark.parametrize(
    ("data", "share"),
    [("7fff", None), ("0001", 1 / 32768), ("0000", 0), ("ffff", -1 / 32768), ("8000", None)],
)
def test_decodes_the_data_sheet_table(data: str, share: float | None) -> None:
    """SBAS444E, table 7-3: full scale, one step, nothing."""
    reading = decode(bytes.fromhex(data), "x", Input(pins="0", range=4.096))
    assert reading.value == (None if share is None else share * 4.096)
    assert reading.quality is (Quality.BAD if share is None else Quality.GOOD)


def test_the_full_scale_of_the_small_one_is_bad_too() -> None:
    reading = decode(bytes.fromhex("7ff0"), "x", Input(pins="0"), 0x7FF0)
    assert (reading.value, reading.quality) == (None, Quality.BAD)


def test_config_word() -> None:
    assert config_word(Input(pins="0-1", range=2.048), 4) == 0x8583  # the reset value, OS set


def test_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x49, b"\x02", b"\x80\x00"),
        Transfer(0x49, b"\x03", b"\x7f\xff"),
        Transfer(0x49, b"\x01\xc3\x83"),
        Transfer(0x49, b"\x01", b"\x43\x83"),
        Transfer(0x49, b"\x01", b"\xc3\x83"),
        Transfer(0x49, b"\x00", b"\xc0\x00"),
    ]
    with ScriptedI2C(*script) as bus:
        adc = Ads1115(bus, address=0x49, inputs={"cell": Input(pins="0")})
        adc.start()
        assert values(finish(adc.read())) == {"cell": -2.048}


@pytest.mark.parametrize("bits", [16, 12])
def test_reads_the_simulated_chip(bits: int) -> None:
    clock = FakeClock()
    chip = Chip(0.5, 1.2, -0.3, 3.0, clock=clock, bits=bits)
    inputs = {"a": Input(pins="0"), "b": Input(pins="2-3"), "c": Input(pins="3", range=2.048)}
    adc = Ads1115(
        SimulatedI2CBus({0x48: chip}), inputs=inputs, chip="ads1115" if bits == 16 else "ads1015"
    )
    adc.start()
    got = values(finish(adc.read(), clock))
    assert got == {"a": pytest.approx(0.5, abs=2e-3), "b": pytest.approx(-3.3, abs=2e-3), "c": None}


def test_a_chip_that_was_reset_or_stands_still_or_is_another() -> None:
    clock = FakeClock()
    bus = SimulatedI2CBus({0x48: Chip(0.5, clock=clock)})
    adc = Ads1115(bus, inputs={"a": Input(pins="0")})
    adc.start()
    with pytest.raises(NoAnswer, match="no conversion"):
        finish(adc.read())
    steps = adc.read()
    clock.now += next(steps)
    bus.chips[0x48] = Chip(0.5, clock=clock)
    with pytest.raises(CorruptData, match="reset"):
        finish(steps, clock)
    script = Transfer(0x48, b"\x02", b"\x4b\x00")
    with ScriptedI2C(script) as other, pytest.raises(CorruptData, match="LM75"):
        Ads1115(other, inputs={"a": Input(pins="0")}).start()


def test_a_bus_that_fails_once() -> None:
    clock = FakeClock()
    wire = FailsOnce(SimulatedI2CBus({0x48: Chip(0.5, clock=clock)}), BusFault("once"))
    adc = Ads1115(wire, inputs={"a": Input(pins="0")})
    with pytest.raises(BusFault):
        finish(adc.read(), clock)
    assert values(finish(adc.read(), clock))["a"] == pytest.approx(0.5, abs=1e-3)


def test_needs_an_input() -> None:
    with pytest.raises(OptionError, match="inputs"):
        Ads1115(SimulatedI2CBus({}), inputs={})
