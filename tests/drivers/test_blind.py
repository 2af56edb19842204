"""A blind on mock pins and a fake clock: positions by time, dead time, one direction at a time."""

from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault, OptionError, Value
from drivers.gpio.blind import Blind
from drivers.gpio.pins import open_pins
from tests.fakes import FakeClock


class Bench:
    """Runs a blind's steps, watches its relays, and knows where a real blind would be."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, here: float = 30.0) -> None:
        self.clock = FakeClock()
        monkeypatch.setattr("drivers.gpio.blind.monotonic", self.clock)
        self.factory = open_pins("mock")
        self.blind = Blind(self.factory, up_pin=5, down_pin=6, travel_up=20, travel_down=16)
        self.here = here
        self.off_since = self.clock.now
        self.last = ""
        self.run(self.blind.start("stop"))

    @property
    def relays(self) -> tuple[bool, bool]:
        return bool(self.factory.pin(5).state), bool(self.factory.pin(6).state)

    def run(self, steps: Generator[float, None, None], most: float = 1000.0) -> None:
        """For `most` seconds, then it is cut short."""
        end = self.clock.now + most
        for wait in steps:
            self._pass(min(wait, end - self.clock.now))
            if self.clock.now >= end:
                steps.close()
        assert self.relays == (False, False)

    def _pass(self, seconds: float) -> None:
        up, down = self.relays
        assert not (up and down)
        if up or down:
            direction = "up" if up else "down"
            assert self.last == direction or self.clock.now - self.off_since >= 0.499
            self.last = direction
            self.here += seconds * (100 / 20 if up else -100 / 16)
            self.here = min(100.0, max(0.0, self.here))
            self.off_since = self.clock.now + seconds
        self.clock.now += seconds


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def test_an_end_is_reached_from_anywhere_and_makes_the_position_known(bench: Bench) -> None:
    assert bench.blind.state() == "unknown"
    bench.run(bench.blind.set(100.0))
    assert (bench.here, bench.blind.state()) == (100.0, 100)
    bench.run(bench.blind.set(0.0))
    assert (bench.here, bench.blind.state()) == (0.0, 0)


@pytest.mark.parametrize("target", [20.0, 50.0, 80.0])
def test_the_first_position_goes_by_the_nearer_end(bench: Bench, target: float) -> None:
    bench.run(bench.blind.set(target))
    assert bench.here == pytest.approx(target, abs=1)
    assert bench.blind.state() == target


def test_a_stop_keeps_the_way_so_far(bench: Bench) -> None:
    bench.run(bench.blind.set(0.0))
    bench.run(bench.blind.set(100.0), most=5.5)
    assert bench.blind.state() == 25
    bench.run(bench.blind.set("stop"))
    assert (bench.blind.state(), round(bench.here)) == (25, 25)


def test_a_start_cut_short_leaves_the_position_unknown(bench: Bench) -> None:
    bench.run(bench.blind.set(0.0), most=3.0)
    assert bench.blind.state() == "unknown"


@given(
    st.lists(
        st.tuples(st.floats(0, 100) | st.just("stop"), st.floats(0.2, 40)), min_size=1, max_size=8
    )
)
def test_whatever_it_is_told_relays_and_position_agree(orders: list[tuple[Value, float]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        bench = Bench(patch)
        bench.run(bench.blind.set(0.0))
        for target, most in orders:
            bench.run(bench.blind.set(target), most)
            state = bench.blind.state()
            assert isinstance(state, int)
            assert abs(state - bench.here) <= 3


def test_active_low_relays_do_not_click_at_the_claim() -> None:
    factory = open_pins("mock")
    for gpio in (5, 6):
        factory.pin(gpio).input_with_pull("up")
        factory.pin(gpio).clear_states()
    blind = Blind(factory, up_pin=5, down_pin=6, travel_up=9, travel_down=9, active_high=False)
    assert list(blind.start(None)) == []
    assert [[s.state for s in factory.pin(gpio).states] for gpio in (5, 6)] == [[True], [True]]
    assert tuple(blind.safeguard(100)) == ("gpio 5 1", "gpio 6 1")
    blind.close()
    with pytest.raises(BusFault, match="not claimed"):
        list(blind.set(0.0))


@pytest.mark.parametrize(
    ("value", "parsed"),
    [("open", 100.0), ("Down", 0.0), ("stop", "stop"), (False, "stop"), ("35", 35.0), (1, 1.0)],
)
def test_parses(bench: Bench, value: Any, parsed: Any) -> None:
    assert bench.blind.parse(value) == parsed


@pytest.mark.parametrize("value", [True, "half", 101, -1, "nan"])
def test_refuses(bench: Bench, value: Any) -> None:
    with pytest.raises(ValueError, match="open, closed, stop"):
        bench.blind.parse(value)


def test_refuses_one_pin_for_both_directions() -> None:
    with pytest.raises(OptionError, match="differ"):
        Blind(open_pins("mock"), up_pin=5, down_pin=5, travel_up=9, travel_down=9)
