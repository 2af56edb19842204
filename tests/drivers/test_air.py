"""SGP40 and ENS160: raw values and indices, what is not valid yet, broken chips."""

import sys

import pytest

from drivers.base import BusFault, CorruptData, NoAnswer, OptionError, Quality, WrongDevice
from drivers.i2c import ens160
from drivers.i2c.ens160 import Ens160
from drivers.i2c.sgp40 import Sgp40
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.ens160 import Ens160 as EnsChip
from drivers.simulated.sgp40 import Sgp40 as SgpChip
from tests.fakes import (
    FailsOnce,
    FakeClock,
    ScriptedI2C,
    Transfer,
    finish,
    started_and_read,
    values,
)


def test_sgp40_speaks_the_data_sheets_example() -> None:
    """Table 9: without compensation (50 %, 25 °C) the command is 26 0F 80 00 A2 66 66 93."""
    answer = bytes.fromhex("7530d6")
    script = [
        Transfer(0x59, bytes.fromhex("260f8000a2666693")),
        Transfer(0x59, b"", answer[:2] + bytes([_crc(answer[:2])])),
    ]
    with ScriptedI2C(*script) as bus:
        assert values(finish(Sgp40(bus, sampling=0).read())) == {"voc_raw": 0x7530}


def _crc(data: bytes) -> int:
    from drivers.i2c.crc8 import crc8

    return crc8(data)


def test_sgp40_index_after_the_blackout() -> None:
    """The index of constant air settles near 100, the algorithm's mean (Sensirion)."""
    pytest.importorskip("sensirion_gas_index_algorithm")
    clock = FakeClock()
    sensor = Sgp40(SimulatedI2CBus({0x59: SgpChip(30000.0, clock=clock)}))
    finish(sensor.start(), clock)
    first = finish(sensor.read(), clock)
    assert (first[0].value, first[0].quality) == (None, Quality.BAD)
    for _ in range(300):
        index, raw = finish(sensor.read(), clock)
    assert index.value == pytest.approx(100, abs=10) and raw.value == 30000


def test_sgp40_without_the_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sensirion_gas_index_algorithm.voc_algorithm", None)
    with pytest.raises(OptionError, match=r"tidegate\[voc\]"):
        Sgp40(SimulatedI2CBus({}))


def test_sgp40_broken_or_another() -> None:
    pytest.importorskip("sensirion_gas_index_algorithm")
    clock = FakeClock()
    chip = SgpChip(clock=clock)
    bus = SimulatedI2CBus({0x59: chip})
    for answer, error, text in ((0x4B00, NoAnswer, "broken"), (0x1234, WrongDevice, "SGP41")):
        chip.self_test = answer
        with pytest.raises(error, match=text):
            finish(Sgp40(bus).start(), clock)
    script = [
        Transfer(0x59, bytes.fromhex("260f8000a2666693")),
        Transfer(0x59, b"", b"\x75\x30\x00"),
    ]
    with ScriptedI2C(*script) as wire, pytest.raises(CorruptData, match="checksum"):
        finish(Sgp40(wire, sampling=0).read())


@pytest.mark.parametrize(
    ("validity", "quality"),
    [(0, Quality.GOOD), (1, Quality.UNCERTAIN), (2, Quality.UNCERTAIN), (3, Quality.BAD)],
)
def test_ens160_says_how_valid_it_is(validity: int, quality: Quality) -> None:
    clock = FakeClock()
    chip = EnsChip(321.0, 900.0, clock=clock)
    chip.validity = validity
    sensor = Ens160(SimulatedI2CBus({0x53: chip}), temperature=-5.0, humidity=80.0)
    finish(sensor.start(), clock)
    assert chip.memory[0x13:0x17] == bytes.fromhex("0a4300a0")  # (273.15 - 5) x 64, 80 x 512
    readings = finish(sensor.read(), clock)
    assert {reading.quality for reading in readings} == {quality}
    assert readings[1].value == (None if quality is Quality.BAD else 321)


def test_ens160_errors() -> None:
    with pytest.raises(CorruptData, match="0x40"):
        ens160.decode(bytes.fromhex("40000000000000"[:12]))
    clock = FakeClock()
    bus = SimulatedI2CBus({0x52: EnsChip(clock=clock)})
    sensor = Ens160(bus, address=0x52)
    finish(sensor.start(), clock)
    bus.chips[0x52] = EnsChip(clock=clock)
    with pytest.raises(CorruptData, match="reset meanwhile"):
        finish(sensor.read(), clock)
    finish(sensor.start(), clock)
    with pytest.raises(NoAnswer, match="no new value"):
        finish(sensor.read())
    with ScriptedI2C(Transfer(0x53, b"\x00", b"\x00\x00")) as wire, pytest.raises(WrongDevice):
        finish(Ens160(wire).start())


@pytest.mark.parametrize("nth", [1, 3, 6])
def test_ens160_on_a_bus_that_fails_once(nth: int) -> None:
    clock = FakeClock()
    sensor = Ens160(
        FailsOnce(SimulatedI2CBus({0x53: EnsChip(100.0, clock=clock)}), BusFault("once"), nth)
    )
    with pytest.raises(BusFault):
        finish(started_and_read(sensor), clock)
    finish(sensor.start(), clock)
    assert values(finish(sensor.read(), clock))["voc"] == 100
