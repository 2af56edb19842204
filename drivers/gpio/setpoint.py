"""A set-point that a heating controller, heat pump or air conditioner takes as 0 to 10 V.

The line's PWM goes through a converter; wiring: hardware/setpoint.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from gpiozero import Factory

from drivers.base import Action, Channel, Option, OptionError, Value
from drivers.gpio.pins import GPIO_MAX
from drivers.gpio.pwm import PwmLine
from drivers.words import number

FULL_VOLTS = 10.0
"""What the converter gives while the line is always on: the analogue range of IEC 61131-2."""


class Setpoint:
    """A temperature between lowest and highest, or off, which is 0 V."""

    action = Action.SET
    channels: Sequence[Channel] = (Channel("state", "temperature", digits=1),)

    def __init__(
        self,
        pins: Factory,
        *,
        pin: Annotated[int, Option("GPIO (BCM) number", low=0, high=GPIO_MAX)],
        lowest: Annotated[float, Option("lowest set-point", "°C", low=-50, high=150)] = 5.0,
        highest: Annotated[float, Option("highest set-point", "°C", low=-50, high=150)] = 30.0,
        low_volts: Annotated[
            float, Option("what the appliance reads as lowest", "V", low=0, high=10)
        ] = 1.0,
        high_volts: Annotated[
            float, Option("what the appliance reads as highest", "V", low=0, high=10)
        ] = 10.0,
        frequency: Annotated[float, Option("of the converter", "Hz", low=50, high=2000)] = 1000.0,
        active_high: Annotated[bool, Option("high level raises the voltage")] = True,
    ) -> None:
        if lowest >= highest:
            raise OptionError(f"lowest ({lowest:g} °C) must be below highest ({highest:g} °C)")
        if low_volts >= high_volts:
            raise OptionError(
                f"low_volts ({low_volts:g}) must be below high_volts ({high_volts:g})"
            )
        self._line = PwmLine(pins, pin, frequency, active_high)
        self._gpio = pin
        self._low, self._high = lowest, highest
        self._low_share, self._high_share = low_volts / FULL_VOLTS, high_volts / FULL_VOLTS

    def parse(self, value: Value) -> float | bool:
        celsius = number(value)
        if celsius is not None and self._low <= celsius <= self._high:
            return celsius
        if celsius is None and str(value).strip().lower() in ("off", "false"):
            return False
        raise ValueError(f"a temperature from {self._low:g} to {self._high:g} °C, or off")

    def start(self, value: Value | None) -> None:
        self._line.claim(None if value is None else self._share(value))

    def set(self, value: Value) -> None:
        self._line.share = self._share(value)

    def state(self) -> float | bool:
        share = self._line.share
        if share < self._low_share or share == 0:
            return False
        span = (share - self._low_share) / (self._high_share - self._low_share)
        return round(self._low + span * (self._high - self._low), 1)

    def close(self) -> None:
        self._line.close()

    def safeguard(self, value: Value) -> Sequence[str]:
        return (f"gpio {self._gpio} {self._line.level_of(self._share(value))}",)

    def _share(self, value: Value) -> float:
        celsius = self.parse(value)
        if isinstance(celsius, bool):
            return 0.0
        span = (celsius - self._low) / (self._high - self._low)
        return self._low_share + span * (self._high_share - self._low_share)


DRIVER = Setpoint
