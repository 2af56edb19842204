"""The simulated bus, and the names that configuration has for its chips."""

import pytest

from drivers.base import NoAnswer, OptionError
from drivers.simulated.bus import Registers, SimulatedI2CBus, chip_names, simulated_bus
from drivers.simulated.signals import wander
from tests.fakes import FakeClock


def test_chips_by_name() -> None:
    bus = simulated_bus(["bme280@0x76", "bmp280@119"])
    assert bus.write_read(0x76, b"\xd0", 1) == b"\x60"
    assert bus.write_read(0x77, b"\xd0", 1) == b"\x58"


def test_every_chip_can_be_made() -> None:
    addresses = range(0x10, 0x78)
    specs = [f"{name}@{address}" for name, address in zip(chip_names(), addresses, strict=False)]
    assert len(simulated_bus(specs).chips) == len(chip_names())


@pytest.mark.parametrize(
    ("specs", "message"),
    [
        (["bme28@0x76"], "did you mean bme280"),
        (["bme280"], "not NAME@ADDRESS"),
        (["bme280@0x78"], "from 0x08 to 0x77"),
        (["bme280@0x76", "bmp280@0x76"], "0x76 is taken"),
    ],
)
def test_wrong_specs_say_what_is_wrong(specs: list[str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        simulated_bus(specs)


def test_a_missing_chip_does_not_answer() -> None:
    with pytest.raises(NoAnswer, match="0x40"):
        SimulatedI2CBus({}).read(0x40, 1)


def test_the_register_pointer_counts_up_and_wraps() -> None:
    bus = SimulatedI2CBus({0x20: Registers({0xFF: b"\x01", 0x00: b"\x02"})})
    assert bus.write_read(0x20, b"\xff", 2) == b"\x01\x02"
    bus.write(0x20, b"\x05\xaa\xbb")
    assert bus.write_read(0x20, b"\x05", 2) == b"\xaa\xbb"
    assert bus.read(0x20, 1) == b"\x00"


def test_wander_stays_in_its_swing_and_repeats() -> None:
    def run() -> list[float]:
        clock = FakeClock()
        signal = wander(21.0, 3.0, seed=1, clock=clock)
        values = []
        for _ in range(1000):
            clock.now += 60
            values.append(signal())
        return values

    values = run()
    assert values == run()
    assert all(18.0 <= value <= 24.0 for value in values)
    assert max(values) - min(values) > 3.0
