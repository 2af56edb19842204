"""GPIO lines through gpiozero's pins: open the controller, claim a line, and a mock that pulses.

Pins are used without gpiozero's device classes: closing one of those turns an output into an
input, and a stop state would not outlive the process that set it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Literal

from gpiozero import Factory, GPIOZeroError
from gpiozero.pins.mock import MockFactory, MockPWMPin

from drivers.base import BusFault, BusMissing

GPIO_MAX = 27
"""The header's highest GPIO number (BCM numbering, as on every pin map)."""

Pull = Literal["up", "down", "none"]

_PULLS = {"up": "up", "down": "down", "none": "floating"}

LGPIO_MISSING = (
    "no usable lgpio for this Python; on Raspberry Pi OS: sudo apt install python3-lgpio "
    "(the lgpio 0.0.0.2 of some package indexes is empty)"
)


class HeldPin:
    """Mixed into a gpiozero pin: an output stays as it is when the pin is closed."""

    function: str
    frequency: float | None
    state: float

    def close(self) -> None:
        if self.function != "output":
            super().close()  # type: ignore[misc]  # the pin class that this is mixed into

    def pwm(self, frequency: float, duty: float) -> None:
        self.frequency = frequency
        self.state = duty


class HeldMockPin(HeldPin, MockPWMPin):  # type: ignore[misc]  # gpiozero has no types
    pass


def open_pins(device: str) -> Factory:
    """The pin controller that `device` names.

    "" or "lgpio": the header of this Pi; "/dev/gpiochipN": that chip; "mock": no hardware.
    Raises BusMissing or BusFault with what to do.
    """
    if device == "mock":
        return MockFactory(pin_class=HeldMockPin)
    if device in ("", "lgpio"):
        return _lgpio_factory(None)
    number = device.removeprefix("/dev/gpiochip")
    if number == device or not number.isdigit():
        raise BusMissing(f"{device!r} is no pin controller; lgpio, mock or /dev/gpiochipN")
    return _lgpio_factory(int(number))


class LaterPins:
    """The controller that `device` names, opened when a line is first claimed.

    So a controller that is missing (not enabled, no rights, no library) is a device that is offline
    and tried again, like on every other bus: each claim raises BusMissing until it is there.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        self._factory: Factory | None = None

    def __getattr__(self, name: str) -> Any:
        if self._factory is None:
            self._factory = open_pins(self._device)
        return getattr(self._factory, name)


def _lgpio_factory(chip: int | None) -> Factory:
    try:
        import lgpio

        lgpio_error = lgpio.error
        from gpiozero.pins.lgpio import LGPIOFactory, LGPIOPin
    except (ImportError, AttributeError) as error:
        raise BusMissing(LGPIO_MISSING) from error
    except OSError as error:
        # Its import makes a pipe, .lgd-nfyN, in the working directory.
        raise BusMissing(f"lgpio needs a working directory that it may write: {error}") from error

    class HeldLgpioPin(HeldPin, LGPIOPin):  # type: ignore[misc]  # gpiozero has no types
        def output_with_state(self, state: bool) -> None:
            # gpiozero 2.0.1 claims with level 0, then writes: an active-low relay would click.
            with _explained(f"GPIO{self._number}"):
                lgpio.gpio_claim_output(self.factory._handle, self._number, int(state))

        def pwm(self, frequency: float, duty: float) -> None:
            # gpiozero 2.0.1 begins at duty 0, full on for a load that is on at a low level, and
            # cuts the duty to whole percent, which are 200 µs of a servo's pulse.
            self._pwm = (frequency, duty * 100)
            lgpio.tx_pwm(self.factory._handle, self._number, *self._pwm)

    try:
        factory = LGPIOFactory(chip)
    except (lgpio_error, GPIOZeroError) as error:
        raise BusMissing(
            f"cannot open the GPIO controller: {error}; is the user in the group gpio?"
        ) from error
    factory.pin_class = HeldLgpioPin
    return factory


def _lgpio_errors() -> tuple[type[Exception], ...]:
    """lgpio's own error, which gpiozero lets through; nothing where lgpio was never loaded."""
    import sys

    error = getattr(sys.modules.get("lgpio"), "error", None)
    return () if error is None else (error,)


@contextmanager
def _explained(what: str) -> Iterator[None]:
    try:
        yield
    except (GPIOZeroError, *_lgpio_errors()) as error:
        raise BusFault(f"{what}: {error}; `gpioinfo` shows who holds a line") from error


class Line:
    """One GPIO line, claimed for one driver until `release`. Levels are electrical: True is high.

    gpio: BCM number. BusFault where the line is in use or the controller refuses.
    """

    def __init__(self, factory: Factory, gpio: int) -> None:
        self._factory = factory
        self._name = f"GPIO{gpio}"
        with _explained(self._name):
            factory.reserve_pins(self, self._name)
            self._pin = factory.pin(self._name)

    def _conflicts_with(self, other: object) -> bool:
        """gpiozero asks this of two that want the same pin."""
        return other is not self

    def output(self, level: bool) -> None:
        """Direction and level in one step."""
        with _explained(self._name):
            self._pin.output_with_state(level)

    def input(self, pull: Pull) -> None:
        with _explained(self._name):
            self._pin.input_with_pull(_PULLS[pull])

    def watch(self, edges: str, debounce: float, changed: Callable[[Any, bool], None]) -> None:
        """Call changed(ticks, level) in the controller's thread at each "rising", "falling" edge
        or at "both", when the level then holds for `debounce` seconds. The line refers to a bound
        method weakly, as gpiozero does."""
        with _explained(self._name):
            self._pin.bounce = debounce or None
            self._pin.edges = edges
            self._pin.when_changed = changed

    def pwm(self, frequency: float, duty: float) -> None:
        """Switch at `frequency` (Hz), high for the share `duty` (0 to 1); timed by software, so it
        ends with the process."""
        with _explained(self._name):
            self._pin.pwm(frequency, duty)

    @property
    def duty(self) -> float:
        """The share of the time that the pin is high; 0 or 1 where it does not switch."""
        with _explained(self._name):
            return float(self._pin.state)

    @property
    def level(self) -> bool:
        """What the pin is at, whoever drives it."""
        with _explained(self._name):
            return bool(self._pin.state)

    @level.setter
    def level(self, level: bool) -> None:
        with _explained(self._name):
            if self._pin.frequency:
                self._pin.frequency = None
            self._pin.state = level

    def release(self) -> None:
        """Give the line up. An output keeps its level."""
        with _explained(self._name):
            self._pin.when_changed = None
            self._factory.release_pins(self, self._name)
            self._pin.close()


class MockPulses:
    """Short pulses to ground on inputs of a mock controller, so that a demo's counters count.

    rates: GPIO number to pulses a second. A pin that no driver made an input is left alone.
    """

    WIDTH_S = 0.03
    """A pulse of the S0 interface lasts at least 30 ms (EN 62053-31)."""

    def __init__(self, factory: Factory, rates: Mapping[int, float]) -> None:
        self._pins = {factory.pin(f"GPIO{gpio}"): 1 / rate for gpio, rate in rates.items() if rate}
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mock pulses", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        due = {pin: time.monotonic() + every for pin, every in self._pins.items()}
        while due:
            pin = min(due, key=lambda pin: due[pin])
            if self._stopping.wait(max(0.0, due[pin] - time.monotonic())):
                return
            due[pin] += self._pins[pin]
            self._pulse(pin)

    def _pulse(self, pin: Any) -> None:
        if pin.function != "input":
            return
        pin.drive_low()
        self._stopping.wait(min(self.WIDTH_S, self._pins[pin] / 2))
        if pin.function == "input":
            pin.drive_high()
