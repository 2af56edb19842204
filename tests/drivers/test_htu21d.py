"""HTU21D: the data sheet's numbers, cropping, corrupt words and the transfers."""

import pytest

from drivers.base import CorruptData, NoAnswer, WrongDevice
from drivers.i2c.crc8 import crc8
from drivers.i2c.htu21d import Htu21d, decode
from tests.fakes import FailsOnce, ScriptedI2C, Transfer, finish, values


def signal(raw: int) -> bytes:
    data = raw.to_bytes(2, "big")
    return data + bytes([crc8(data, initial=0)])


def test_decodes_the_data_sheet_example() -> None:
    got = values(decode(bytes.fromhex("683a7c"), bytes.fromhex("4e856b")))
    assert got == pytest.approx({"temperature": 24.7, "humidity": 32.3}, abs=0.05)


def test_status_bits_do_not_count_and_humidity_is_cropped() -> None:
    assert values(decode(signal(0x0003), signal(0x0002))) == {
        "temperature": pytest.approx(-46.85),
        "humidity": 0,
    }
    assert values(decode(signal(0x8000), signal(0xFFFC)))["humidity"] == 100


def test_a_wrong_checksum_is_corrupt() -> None:
    with pytest.raises(CorruptData, match="683b"):
        decode(bytes.fromhex("683b7c"), bytes.fromhex("4e856b"))


def script(user: bytes) -> list[Transfer]:
    return [Transfer(0x40, b"\xfe"), Transfer(0x40, b"\xe7", user)]


MEASURE = [
    Transfer(0x40, b"\xf3"),
    Transfer(0x40, b"", bytes.fromhex("683a7c")),
    Transfer(0x40, b"\xf5"),
    Transfer(0x40, b"", bytes.fromhex("4e856b")),
]


@pytest.mark.parametrize("user", [b"\x02", b"\x3a"])  # HTU21D, Si7021 after a reset
def test_speaks_these_bytes_and_no_others(user: bytes) -> None:
    with ScriptedI2C(*script(user), *MEASURE) as bus:
        sensor = Htu21d(bus)
        finish(sensor.start())
        assert values(finish(sensor.read()))["temperature"] == pytest.approx(24.69, abs=0.01)


def test_another_chip_is_told() -> None:
    with ScriptedI2C(*script(b"\xff")) as bus, pytest.raises(WrongDevice, match="INA219"):
        finish(Htu21d(bus).start())


def test_a_bus_that_fails_once() -> None:
    with ScriptedI2C(*script(b"\x02"), *MEASURE) as wire:
        bus = FailsOnce(wire, NoAnswer("once"))
        sensor = Htu21d(bus)
        with pytest.raises(NoAnswer):
            finish(sensor.start())
        finish(sensor.start())
        assert values(finish(sensor.read()))["humidity"] == pytest.approx(32.3, abs=0.05)
