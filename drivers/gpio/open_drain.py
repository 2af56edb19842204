"""GPIO lines that are driven low or let go, never driven high: beside others on a shared wire."""

from __future__ import annotations

from gpiozero import Factory

from drivers.base import DriverError
from drivers.gpio.pins import Line


class OpenDrainLines:
    """Claims the lines as inputs without a pull: the wire has its own. BusFault."""

    def __init__(self, factory: Factory, *gpios: int) -> None:
        self._lines: dict[int, Line] = {}
        try:
            for gpio in gpios:
                self._lines[gpio] = Line(factory, gpio)
                self.release(gpio)
        except DriverError:
            for line in self._lines.values():
                line.release()
            raise

    def low(self, gpio: int) -> None:
        self._lines[gpio].output(False)

    def release(self, gpio: int) -> None:
        self._lines[gpio].input("none")

    def level(self, gpio: int) -> bool:
        return self._lines[gpio].level
