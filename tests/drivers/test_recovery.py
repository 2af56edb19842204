"""A bus that frees itself: what it decides, on a bus that a chip holds at any moment."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import pytest
from gpiozero.pins.mock import MockFactory
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import BusFault, BusMissing, DriverError, NoAnswer
from drivers.gpio.open_drain import OpenDrainLines
from drivers.gpio.pins import HeldMockPin
from drivers.i2c.recovery import (
    CALM_S,
    FIRST_PAUSE_S,
    HELD_S,
    LONGEST_PAUSE_S,
    Attempts,
    RecoveringI2C,
)

SDA, SCL = 24, 23


class World:
    """A bus with one chip at 0x40, its two lines, and a clock.

    clocks: for how many more clocks the chip holds SDA. scl_held: a chip holds SCL. short: seconds
    after which it lets go by itself. as_seen: what the controller makes of a held bus.
    """

    def __init__(self) -> None:
        self.clocks = 0
        self.scl_held = False
        self.lets_go = math.inf
        self.as_seen: DriverError | bytes = BusFault("the transfer did not end")
        self.now = 1000.0
        self.pulses = 0
        self.looks = 0
        self.said: list[str] = []
        self.blind: DriverError | None = None
        self._driven = {SDA: False, SCL: False}
        self.bus = RecoveringI2C(
            self, self._open, SDA, SCL,
            report=self.said.append, clock=lambda: self.now, sleep=self._sleep,
        )  # fmt: skip

    def _open(self) -> World:
        if self.blind:
            raise self.blind
        return self

    def _sleep(self, seconds: float) -> None:
        self.now += seconds

    def low(self, gpio: int) -> None:
        self._driven[gpio] = True

    def release(self, gpio: int) -> None:
        if gpio == SCL and self._driven[SCL]:
            self.pulses += 1
            self.clocks = max(0, self.clocks - 1)
        self._driven[gpio] = False

    def level(self, gpio: int) -> bool:
        self.looks += 1
        held = self.now < self.lets_go and (self.scl_held if gpio == SCL else self.clocks > 0)
        return not self._driven[gpio] and not held

    def read(self, address: int, count: int) -> bytes:
        return self._answer(address, b"\x12" * count)

    def write(self, address: int, data: bytes) -> None:
        self._answer(address, b"")

    def write_read(self, address: int, data: bytes, count: int) -> bytes:
        return self._answer(address, b"\x34" * count)

    def _answer(self, address: int, data: bytes) -> bytes:
        if (self.clocks or self.scl_held) and self.now < self.lets_go:
            if isinstance(self.as_seen, DriverError):
                raise self.as_seen
            return bytes(len(data))
        if address != 0x40:
            raise NoAnswer("no answer")
        return data


TRANSFERS: tuple[Callable[[World], object], ...] = (
    lambda world: world.bus.read(0x40, 2),
    lambda world: world.bus.write_read(0x40, b"\x01", 2),
)


@pytest.mark.parametrize("transfer", TRANSFERS)
@pytest.mark.parametrize("clocks", range(1, 10))
@pytest.mark.parametrize("as_seen", [BusFault("x"), NoAnswer("x"), b"zeros"])
def test_is_freed_whatever_the_controller_makes_of_it(
    transfer: Callable[[World], object], clocks: int, as_seen: DriverError | bytes
) -> None:
    world = World()
    world.clocks, world.as_seen = clocks, as_seen
    with pytest.raises(BusFault, match=f"SDA was held low; free after {clocks} clock pulses"):
        transfer(world)
    assert world.pulses == clocks + 1  # and the clock of the stop
    assert world.now == 1000.0 + HELD_S
    assert transfer(world)
    assert world.bus.counts == {"i2c_stuck": 1, "i2c_freed": 1}
    assert world.bus.held == ""
    assert len(world.said) == 1


def test_a_write_to_a_held_bus_is_no_success() -> None:
    world = World()
    world.clocks, world.as_seen = 20, b""
    with pytest.raises(BusFault):
        world.bus.read(0x40, 1)
    assert world.bus.held == "SDA"
    with pytest.raises(BusFault, match="again in 10 s"):
        world.bus.write(0x40, b"\x01")


def test_an_ordinary_failure_is_no_reason_to_touch_the_lines() -> None:
    world = World()
    with pytest.raises(NoAnswer):
        world.bus.read(0x41, 1)
    assert (world.pulses, world.said, world.now) == (0, [], 1000.0)
    assert world.bus.counts == {"i2c_stuck": 0, "i2c_freed": 0}


def test_a_good_transfer_looks_at_nothing() -> None:
    world = World()
    for transfer in TRANSFERS:
        transfer(world)
    world.bus.write(0x40, b"\x00")
    assert world.looks == 0


def test_a_short_hold_is_a_clock_that_is_stretched() -> None:
    world = World()
    world.clocks, world.lets_go = 1, 1000.0 + HELD_S / 2
    with pytest.raises(BusFault, match="the transfer did not end"):
        world.bus.read(0x40, 1)
    assert world.pulses == 0
    assert world.bus.counts["i2c_stuck"] == 0


def test_scl_is_told_and_left_alone() -> None:
    world = World()
    world.clocks, world.scl_held = 3, True
    for _ in range(5):
        with pytest.raises(BusFault, match="SDA and SCL is held low; only the chips' power"):
            world.bus.read(0x40, 1)
        world.now += 1000
    assert (world.pulses, len(world.said), world.bus.held) == (0, 1, "SDA and SCL")
    assert world.bus.counts == {"i2c_stuck": 1, "i2c_freed": 0}
    world.scl_held, world.clocks = False, 0
    assert world.bus.read(0x40, 1)
    assert world.bus.held == ""


def test_a_chip_that_never_lets_go_is_told_once() -> None:
    world = World()
    world.clocks = 10**6
    tries = 0
    for _ in range(3600):
        before = world.pulses
        with pytest.raises(BusFault, match="SDA is held low"):
            world.bus.read(0x40, 1)
        tries += world.pulses > before
        world.now += 1
    assert len(world.said) == 1
    assert world.bus.counts == {"i2c_stuck": 1, "i2c_freed": 0}
    assert tries == 17  # after 10, 20, 40 ... 300 s


def test_lines_that_cannot_be_had_are_told_once_and_the_bus_works_on() -> None:
    world = World()
    world.blind = BusMissing("no permission")
    world.clocks = 4
    for _ in range(3):
        with pytest.raises(BusFault, match="the transfer did not end"):
            world.bus.read(0x40, 1)
    assert world.said == ["cannot look at SDA and SCL: no permission"]
    world.blind = None
    with pytest.raises(BusFault, match="free after 4"):
        world.bus.read(0x40, 1)
    assert world.bus.read(0x40, 1)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0, 5000)),
        st.tuples(st.just("hold"), st.integers(0, 30)),
        st.tuples(st.just("ask"), st.sampled_from([0x40, 0x41])),
        st.tuples(st.just("scl"), st.booleans()),
        st.tuples(st.just("seen"), st.sampled_from([BusFault("x"), NoAnswer("x"), b""])),
    ),
    max_size=60,
)


@settings(deadline=None)
@given(STEPS)
def test_whatever_happens(steps: list[tuple[str, object]]) -> None:
    """Never a good answer from a held bus, never a pulse with SCL held, tries at a bounded rate."""
    world, tries = World(), list[float]()
    for what, value in steps:
        match what:
            case "wait":
                world.now += float(str(value))
            case "hold":
                world.clocks = int(str(value))
            case "scl":
                world.scl_held = bool(value)
            case "seen":
                world.as_seen = value  # type: ignore[assignment]
            case _:
                held, before = world.clocks > 0 or world.scl_held, world.pulses
                try:
                    answer = world.bus.read(int(str(value)), 1)
                except DriverError:
                    assert held or value == 0x41
                else:
                    assert not held
                    assert answer == b"\x12"
                    assert world.bus.held == ""
                if world.pulses > before:
                    assert not world.scl_held
                    assert world.pulses - before <= 10
                    tries.append(world.now)
    for first, second in itertools.pairwise(tries):
        assert second - first >= FIRST_PAUSE_S
    for index, first in enumerate(tries):
        assert sum(first <= other < first + CALM_S for other in tries[index:]) <= 17
    assert world.bus.counts["i2c_freed"] <= len(tries)


@settings(deadline=None)
@given(st.lists(st.floats(0, 2 * CALM_S), max_size=40))
def test_pauses_double_up_to_a_limit_and_begin_anew(waits: list[float]) -> None:
    attempts, now, pause, last = Attempts(), 0.0, FIRST_PAUSE_S, -math.inf
    for wait in waits:
        now += wait
        expected = 0.0 if last == -math.inf else max(0.0, last + pause - now)
        assert attempts.wait(now) == pytest.approx(expected)
        if expected:
            continue
        attempts.made(now)
        pause = FIRST_PAUSE_S if now - last >= CALM_S else min(pause * 2, LONGEST_PAUSE_S)
        last = now


def test_the_lines_are_driven_low_or_let_go() -> None:
    factory = MockFactory(pin_class=HeldMockPin)
    lines = OpenDrainLines(factory, SDA, SCL)
    pin = factory.pin(f"GPIO{SCL}")
    assert (pin.function, pin.pull) == ("input", "floating")
    lines.low(SCL)
    assert (pin.function, pin.state) == ("output", 0)
    lines.release(SCL)
    assert pin.function == "input"
    pin.drive_high()
    assert lines.level(SCL)
    with pytest.raises(BusFault, match="GPIO24"):
        OpenDrainLines(factory, 5, SDA)
    assert OpenDrainLines(factory, 5).level(5) is False  # what was claimed before is free again
