"""What the voltage at an analogue input means: a divider, a current loop, a thermistor. Pure.

The inputs of every A/D converter have these options beside their own.

Sources: NAMUR NE 43:2003 (what a 4-20 mA loop says when it is broken), IEC 60381-1 (4 to 20 mA),
IEC 60381-2 (0 to 10 V); J. S. Steinhart and S. R. Hart, Deep-Sea Research 15 (1968) 497
(thermistors), IEC 60539-1 (beta).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Annotated, Literal

from drivers.base import Channel, Option, OptionError, Quality, Reading
from drivers.quantities import QUANTITIES

Signal = Literal["voltage", "0-10V", "4-20mA", "0-20mA", "thermistor"]

ENDS = {"0-10V": (0.0, 10.0), "4-20mA": (4.0, 20.0), "0-20mA": (0.0, 20.0)}
"""Where `low` and `high` lie, in V or mA, unless `from_low` and `from_high` say otherwise."""

BROKEN_MA = (3.6, 21.0)
"""NE 43: a loop below or above says that the transmitter failed or the wire is broken."""
MEASURING_MA = (3.8, 20.5)
"""NE 43: between these the current is a measurement."""

KELVIN = 273.15
R25_K = 25 + KELVIN

CHANNEL_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
"""It becomes a field of a message, and a level of a topic in some dialects."""

OPEN, SHORT = 0.995, 0.005
"""Share of the supply across the thermistor above or below which it is not there, or bridged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """What is connected to one input."""

    signal: Annotated[Signal, Option("what comes in")] = "voltage"
    quantity: Annotated[str, Option("what it measures; a row of the table of quantities")] = ""
    divider: Annotated[
        float, Option("the signal is so many times the voltage at the pin", low=1.0)
    ] = 1.0
    shunt: Annotated[
        float, Option("resistor that the loop's current flows through", "Ω", low=1)
    ] = 150.0
    from_low: Annotated[float | None, Option("signal, V or mA, that means `low`")] = None
    from_high: Annotated[float | None, Option("signal, V or mA, that means `high`")] = None
    low: Annotated[float | None, Option("value at the low end, in the quantity's unit")] = None
    high: Annotated[float | None, Option("value at the high end, in the quantity's unit")] = None
    digits: Annotated[int, Option("decimal places that are published", low=0, high=6)] = 4
    resistor: Annotated[float, Option("resistor in row with the thermistor", "Ω", low=1)] = 10000.0
    thermistor_to: Annotated[Literal["ground", "supply"], Option("the thermistor's other end")] = (
        "ground"
    )
    supply: Annotated[float, Option("voltage across both", "V", low=0.1)] = 3.3
    r25: Annotated[float, Option("thermistor at 25 °C", "Ω", low=1)] = 10000.0
    beta: Annotated[float, Option("thermistor's B25/85", "K", low=1)] = 3950.0
    steinhart_hart: Annotated[
        tuple[float, float, float] | None, Option("a, b, c of the thermistor; instead of beta")
    ] = None

    def channel(self, name: str) -> Channel:
        """The channel of this input. OptionError where the options contradict each other."""
        if not CHANNEL_NAME.fullmatch(name):
            raise OptionError(f"input {name}: small letters, digits and _, as tank_level")
        default = {"thermistor": "temperature", "voltage": "voltage", "0-10V": "voltage"}
        quantity = self.quantity or default.get(self.signal, "current")
        if quantity not in QUANTITIES:
            raise OptionError(f'input {name}: there is no quantity "{quantity}"')
        if self.signal == "thermistor":
            return Channel(name, "temperature", digits=min(self.digits, 2))
        low, high = self.ends
        if (self.low is None) != (self.high is None) or low == high:
            raise OptionError(f"input {name}: low and high go together, at two different signals")
        if self.signal == "voltage" and self.low is not None and self.from_high is None:
            raise OptionError(f"input {name}: from_low and from_high say which voltages mean them")
        if self.low is None and quantity not in ("voltage", "current"):
            raise OptionError(
                f"input {name}: {quantity} needs low and high, the values at the ends"
            )
        return Channel(name, quantity, digits=self.digits)

    @property
    def ends(self) -> tuple[float, float]:
        """The signal, in V or mA, at `low` and `high`."""
        low, high = ENDS.get(self.signal, (0.0, 1.0))
        return (
            low if self.from_low is None else self.from_low,
            high if self.from_high is None else self.from_high,
        )


def scaled(name: str, scaling: Scaling, volts: float) -> Reading:
    """The reading that this voltage at the pin means."""
    if scaling.signal == "thermistor":
        celsius = thermistor_celsius(scaling, volts)
        quality = Quality.BAD if celsius is None else Quality.GOOD
        return Reading(name, celsius, quality)
    loop = scaling.signal in ("4-20mA", "0-20mA")
    signal = volts * scaling.divider
    if loop:
        signal = signal / scaling.shunt * 1000
    quality = _loop_quality(signal) if scaling.signal == "4-20mA" else Quality.GOOD
    if scaling.low is None or scaling.high is None:
        return Reading(name, signal / 1000 if loop else signal, quality)
    low, high = scaling.ends
    share = (signal - low) / (high - low)
    return Reading(name, scaling.low + share * (scaling.high - scaling.low), quality)


def _loop_quality(milliampere: float) -> Quality:
    if not BROKEN_MA[0] <= milliampere <= BROKEN_MA[1]:
        return Quality.BAD
    measuring = MEASURING_MA[0] <= milliampere <= MEASURING_MA[1]
    return Quality.GOOD if measuring else Quality.UNCERTAIN


def thermistor_celsius(scaling: Scaling, volts: float) -> float | None:
    """°C; None for one that is broken or bridged."""
    share = volts * scaling.divider / scaling.supply
    if scaling.thermistor_to == "supply":
        share = 1 - share
    if not SHORT < share < OPEN:
        return None
    ohm = scaling.resistor * share / (1 - share)
    log = math.log(ohm)
    if scaling.steinhart_hart is not None:
        a, b, c = scaling.steinhart_hart
        inverse = a + b * log + c * log**3
    else:
        inverse = 1 / R25_K + (log - math.log(scaling.r25)) / scaling.beta
    return 1 / inverse - KELVIN if inverse > 0 else None
