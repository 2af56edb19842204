"""LM75 and kin: the data sheets' tables, read-back of the configuration, transfers."""

import pytest

from drivers.base import BusFault, CorruptData, Quality
from drivers.i2c.lm75 import Chip, Lm75, decode
from tests.fakes import FailsOnce, ScriptedI2C, Transfer, finish, values


@pytest.mark.parametrize(
    ("data", "celsius"),
    [  # TMP102, SBOS397 table 8-2; the LM75 has the same upper bits
        ("7ff0", 127.9375), ("6400", 100), ("1900", 25), ("0040", 0.25), ("0000", 0),
        ("ffc0", -0.25), ("e700", -25), ("c900", -55),
    ],
)  # fmt: skip
def test_decodes_the_data_sheet_table(data: str, celsius: float) -> None:
    assert values(decode(bytes.fromhex(data))) == {"temperature": celsius}


def test_outside_its_range_it_is_uncertain() -> None:
    assert decode(bytes.fromhex("7ff0"))[0].quality is Quality.UNCERTAIN
    assert decode(bytes.fromhex("d000"), t_min=-40)[0].quality is Quality.UNCERTAIN


@pytest.mark.parametrize(
    ("chip", "configuration"), [("lm75", b"\x00"), ("tmp75", b"\x60"), ("tmp102", b"\x60\xa0")]
)
def test_speaks_these_bytes_and_no_others(chip: Chip, configuration: bytes) -> None:
    script = [
        Transfer(0x4A, b"\x01" + configuration),
        Transfer(0x4A, b"\x01", configuration),
        Transfer(0x4A, b"\x00", b"\xe7\x00"),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Lm75(bus, address=0x4A, chip=chip)
        finish(sensor.start())
        assert values(sensor.read()) == {"temperature": -25}


def test_a_tmp102_that_is_hot_already_is_one_all_the_same() -> None:
    """From 80 °C on its alert bit reads 0. Another bit is another chip."""
    script = [
        Transfer(0x48, b"\x01\x60\xa0"),
        Transfer(0x48, b"\x01", b"\x60\x80"),
        Transfer(0x48, b"\x00", b"\x55\x00"),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Lm75(bus, chip="tmp102")
        finish(sensor.start())
        assert values(sensor.read()) == {"temperature": 85}
    script = [Transfer(0x48, b"\x01\x60\xa0"), Transfer(0x48, b"\x01", b"\x60\xb0")]
    with ScriptedI2C(*script) as bus, pytest.raises(CorruptData):
        finish(Lm75(bus, chip="tmp102").start())


def test_a_chip_that_does_not_keep_the_configuration_is_told() -> None:
    script = [Transfer(0x48, b"\x01\x60\xa0"), Transfer(0x48, b"\x01", b"\x85\x83")]
    with ScriptedI2C(*script) as bus, pytest.raises(CorruptData, match="ADS1115"):
        finish(Lm75(bus, chip="tmp102").start())


def test_a_bus_that_fails_once() -> None:
    with ScriptedI2C(Transfer(0x48, b"\x00", b"\x19\x00")) as wire:
        sensor = Lm75(FailsOnce(wire, BusFault("once")))
        with pytest.raises(BusFault):
            sensor.read()
        assert values(sensor.read()) == {"temperature": 25}
