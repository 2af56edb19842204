"""TMP117: the data sheet's table, the reset value, one-shot transfers."""

import pytest

from drivers.base import BusFault, NoAnswer, Quality, WrongDevice
from drivers.i2c.tmp117 import Tmp117, decode
from tests.fakes import FailsOnce, ScriptedI2C, Transfer, finish, values

READY = Transfer(0x48, b"\x01", b"\x2c\x20")
BUSY = Transfer(0x48, b"\x01", b"\x0c\x20")
RESULT = Transfer(0x48, b"\x00", b"\xfc\x80")
ONE_SHOT = Transfer(0x48, b"\x01\x0c\x20")


@pytest.mark.parametrize(
    ("data", "celsius"),
    [  # table 7-2
        ("f380", -25), ("fff0", -0.125), ("ffff", -0.0078125), ("0000", 0), ("0001", 0.0078125),
        ("0c80", 25), ("3200", 100), ("4b00", 150), ("e480", -55),
    ],
)  # fmt: skip
def test_decodes_the_data_sheet_table(data: str, celsius: float) -> None:
    assert values(decode(bytes.fromhex(data))) == {"temperature": celsius}


def test_the_reset_value_is_bad_and_beyond_the_range_uncertain() -> None:
    assert decode(b"\x80\x00")[0].quality is Quality.BAD
    assert decode(b"\x7f\xff")[0].quality is Quality.UNCERTAIN


def test_speaks_these_bytes_and_no_others() -> None:
    script = [Transfer(0x48, b"\x0f", b"\x01\x17"), ONE_SHOT, BUSY, READY, RESULT]
    with ScriptedI2C(*script) as bus:
        sensor = Tmp117(bus)
        sensor.start()
        assert values(finish(sensor.read())) == {"temperature": -7}


def test_a_conversion_that_never_ends() -> None:
    with ScriptedI2C(ONE_SHOT, *[BUSY] * 5) as bus, pytest.raises(NoAnswer, match="conversion"):
        finish(Tmp117(bus).read())


def test_another_chip_is_told() -> None:
    with ScriptedI2C(Transfer(0x48, b"\x0f", b"\x00\x00")) as bus:
        sensor = Tmp117(bus)
        with pytest.raises(WrongDevice, match="TMP102"):
            sensor.start()


def test_a_bus_that_fails_once() -> None:
    with ScriptedI2C(ONE_SHOT, READY, RESULT) as wire:
        sensor = Tmp117(FailsOnce(wire, BusFault("once")))
        with pytest.raises(BusFault):
            finish(sensor.read())
        assert values(finish(sensor.read())) == {"temperature": -7}
