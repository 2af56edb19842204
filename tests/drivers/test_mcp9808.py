"""MCP9808: decode with alarm flags and signs, ids, transfers."""

import pytest

from drivers.base import BusFault, Quality, WrongDevice
from drivers.i2c.mcp9808 import Mcp9808, decode
from tests.fakes import FailsOnce, ScriptedI2C, Transfer, finish, values

START = [
    Transfer(0x18, b"\x06", b"\x00\x54"),
    Transfer(0x18, b"\x07", b"\x04\x00"),
    Transfer(0x18, b"\x01\x00\x00"),
]


@pytest.mark.parametrize(
    ("data", "celsius", "quality"),
    [
        ("0194", 25.25, Quality.GOOD),
        ("c194", 25.25, Quality.GOOD),  # the flags above it do not count
        ("1ffc", -0.25, Quality.GOOD),
        ("1d80", -40.0, Quality.GOOD),
        ("1000", -256.0, Quality.UNCERTAIN),
    ],
)
def test_decodes(data: str, celsius: float, quality: Quality) -> None:
    (reading,) = decode(bytes.fromhex(data))
    assert (reading.value, reading.quality) == (celsius, quality)


def test_speaks_these_bytes_and_no_others() -> None:
    with ScriptedI2C(*START, Transfer(0x18, b"\x05", b"\xc1\x94")) as bus:
        sensor = Mcp9808(bus)
        finish(sensor.start())
        assert values(sensor.read()) == {"temperature": 25.25}


def test_another_chip_is_told() -> None:
    script = [Transfer(0x19, b"\x06", b"\xff\xff"), Transfer(0x19, b"\x07", b"\xff\xff")]
    with ScriptedI2C(*script) as bus, pytest.raises(WrongDevice, match="LIS3DH"):
        finish(Mcp9808(bus, address=0x19).start())


def test_a_bus_that_fails_once() -> None:
    with ScriptedI2C(*START, Transfer(0x18, b"\x05", b"\x00\x10")) as wire:
        sensor = Mcp9808(FailsOnce(wire, BusFault("once"), nth=4))
        finish(sensor.start())
        with pytest.raises(BusFault):
            sensor.read()
        assert values(sensor.read()) == {"temperature": 1.0}
