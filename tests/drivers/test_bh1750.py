"""BH1750: the data sheet's example, saturation, transfers."""

import pytest

from drivers.base import NoAnswer, Quality
from drivers.i2c.bh1750 import Bh1750, decode
from tests.fakes import FailsOnce, ScriptedI2C, Transfer, finish, values

MEASURE = [Transfer(0x23, b"\x20"), Transfer(0x23, b"", b"\x83\x90")]


def test_decodes_the_data_sheet_example() -> None:
    assert values(decode(b"\x83\x90"))["illuminance"] == pytest.approx(28067, abs=0.5)
    assert values(decode(b"\x01\x10"))["illuminance"] == pytest.approx(226.7, abs=0.05)


def test_full_scale_is_uncertain() -> None:
    assert decode(b"\xff\xff")[0].quality is Quality.UNCERTAIN


def test_speaks_these_bytes_and_no_others() -> None:
    with ScriptedI2C(Transfer(0x23, b"\x01"), *MEASURE) as bus:
        sensor = Bh1750(bus)
        sensor.start()
        assert values(finish(sensor.read()))["illuminance"] == pytest.approx(28067, abs=0.5)


def test_a_bus_that_fails_once() -> None:
    with ScriptedI2C(*MEASURE) as wire:
        sensor = Bh1750(FailsOnce(wire, NoAnswer("once")))
        with pytest.raises(NoAnswer):
            finish(sensor.read())
        assert finish(sensor.read())[0].quality is Quality.GOOD
