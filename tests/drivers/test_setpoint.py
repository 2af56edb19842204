"""A set-point as a voltage: scale, off, read-back."""

from typing import Any

import pytest

from drivers.base import OptionError
from drivers.gpio.pins import open_pins
from drivers.gpio.setpoint import Setpoint


@pytest.mark.parametrize(("celsius", "duty"), [(5.0, 0.1), (30.0, 1.0), (17.5, 0.55), (False, 0.0)])
def test_gives_the_voltage_and_reads_it_back(celsius: Any, duty: float) -> None:
    factory = open_pins("mock")
    setpoint = Setpoint(factory, pin=18)
    setpoint.start(False)
    setpoint.set(celsius)
    assert factory.pin(18).state == pytest.approx(duty)
    assert setpoint.state() == celsius
    setpoint.close()
    assert factory.pin(18).state == (1.0 if duty == 1.0 else 0.0)


@pytest.mark.parametrize(
    ("value", "parsed"), [(21, 21.0), ("21.5", 21.5), ("off", False), (False, False)]
)
def test_parses(value: Any, parsed: Any) -> None:
    assert Setpoint(open_pins("mock"), pin=18).parse(value) == parsed


@pytest.mark.parametrize("value", [True, "on", 4.9, 30.1, 0, 1, "warm"])
def test_refuses(value: Any) -> None:
    with pytest.raises(ValueError, match="from 5 to 30 °C, or off"):
        Setpoint(open_pins("mock"), pin=18).parse(value)


@pytest.mark.parametrize("options", [{"lowest": 30.0}, {"low_volts": 10.0}])
def test_refuses_a_scale_that_is_none(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="must be below"):
        Setpoint(open_pins("mock"), pin=18, **options)


def test_what_a_helper_does_after_a_crash() -> None:
    setpoint = Setpoint(open_pins("mock"), pin=18)
    assert tuple(setpoint.safeguard(21.0)) == ("gpio 18 0",)
    assert tuple(setpoint.safeguard(30.0)) == ("gpio 18 1",)
