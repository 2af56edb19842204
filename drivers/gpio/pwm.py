"""A line that switches fast, so that the load sees a share of the voltage. Shared by drivers."""

from __future__ import annotations

from gpiozero import Factory

from drivers.base import BusFault
from drivers.gpio.pins import Line


class PwmLine:
    """share: of the time that the load is on, 0 to 1, whatever level that is.

    frequency: Hz, timed by software. Claim it before anything else; `close` leaves a steady level,
    since nothing switches the line when the process has ended.
    """

    def __init__(
        self, pins: Factory, gpio: int, frequency: float, active_high: bool = True
    ) -> None:
        self._pins = pins
        self._gpio = gpio
        self._frequency = frequency
        self._active_high = active_high
        self._line: Line | None = None
        self._share = 0.0

    def claim(self, share: float | None) -> None:
        """Direction and level in one step. None: the share it had, 0 at first."""
        self._release()
        line = Line(self._pins, self._gpio)
        wanted = self._share if share is None else share
        line.output((wanted >= 1.0) == self._active_high)
        self._line = line
        self.share = wanted

    @property
    def share(self) -> float:
        """Read back from the pin."""
        duty = self._claimed().duty
        return duty if self._active_high else 1.0 - duty

    @share.setter
    def share(self, share: float) -> None:
        line = self._claimed()
        if 0.0 < share < 1.0:
            line.pwm(self._frequency, share if self._active_high else 1.0 - share)
        else:
            line.level = (share >= 1.0) == self._active_high
        self._share = share

    def close(self) -> None:
        """Off, unless it is steadily on."""
        if self._line is not None and self._share < 1.0:
            self.share = 0.0
        self._release()

    def level_of(self, share: float) -> int:
        """The steady level that is nearest to a share on the safe side."""
        return int((share >= 1.0) == self._active_high)

    def _release(self) -> None:
        if self._line is not None:
            self._line.release()
            self._line = None

    def _claimed(self) -> Line:
        if self._line is None:
            raise BusFault(f"GPIO{self._gpio} is not claimed")
        return self._line
