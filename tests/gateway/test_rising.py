"""Registers that only count up: wrong values, roll-over, another meter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Channel
from gateway.build_devices import make_rising
from gateway.model import Quality, Reading
from gateway.rising import Rising
from gateway.settings import DeviceSettings, FilterSettings


class Bench:
    def __init__(self) -> None:
        self.told: list[str] = []
        self.register = Rising(self.told.append)

    def qualities(self, *values: float | None) -> str:
        """g, u or b for each value in turn."""
        readings = (Reading("energy_import", value) for value in values)
        return "".join(self.register.judged(one).quality.value[0] for one in readings)


def test_a_wrong_value_passes() -> None:
    bench = Bench()
    assert bench.qualities(100.0, 100.5, 0.5, 100.6, 100.6, 101.0) == "gguggg"
    assert bench.told == []


def test_another_meter_is_believed_after_a_while() -> None:
    bench = Bench()
    assert bench.qualities(5000.0, 12.0, 12.0, 12.1, 12.2) == "guugg"
    assert bench.told == ["went back from 5000 to 12.1 and stays there: another meter?"]


def test_values_that_jump_about_are_never_believed() -> None:
    bench = Bench()
    assert bench.qualities(5000.0, 12.0, 3.0, 40.0, 2.0, 7.0, 5000.1) == "guuuuug"
    assert bench.told == []


@pytest.mark.parametrize(
    ("before", "after", "quality"),
    [
        (999_999.9, 0.3, "gg"),
        (99_998.0, 10.0, "gg"),
        (99_998.0, 30_000.0, "gu"),
        (90_000.0, 10.0, "gu"),
        (99_998.0, -1.0, "gu"),
        (9.99, 0.01, "gg"),
        (0.0, 0.0, "gg"),
    ],
)
def test_a_register_that_rolls_over(before: float, after: float, quality: str) -> None:
    bench = Bench()
    assert bench.qualities(before, after) == quality
    assert bool(bench.told) == (quality == "gg" and after < before)


def test_what_is_no_number_is_left_alone() -> None:
    bench = Bench()
    for reading in (
        Reading("a", None, Quality.BAD),
        Reading("a", 5.0, Quality.BAD),
        Reading("a", "text"),
        Reading("a", True),
    ):
        assert bench.register.judged(reading) is reading
    assert bench.qualities(1.0) == "g"


def test_a_meter_that_was_changed_while_the_gateway_stood_is_noticed() -> None:
    bench = Bench()
    assert bench.register.to_keep() is None
    assert bench.qualities(5000.0) == "g"
    assert bench.register.to_keep() == 5000.0
    bench.register = Rising(bench.told.append, 5000.0)
    assert bench.register.to_keep() is None
    assert bench.qualities(3.0, 3.0, 3.1, 3.2) == "uugg"
    assert bench.told == ["went back from 5000 to 3.1 and stays there: another meter?"]
    assert bench.register.to_keep() == 3.2


@given(st.lists(st.floats(0, 1e12)))
def test_good_values_never_go_back_without_a_word(values: list[float]) -> None:
    bench = Bench()
    good = [0.0]
    for value in values:
        words = len(bench.told)
        if bench.qualities(value) == "g":
            assert value >= good[-1] or len(bench.told) == words + 1
            good.append(value)


class Meter:
    channels = (Channel("energy_import", "energy", rising=True), Channel("power", "power"))


def test_which_channels_are_registers() -> None:
    values = DeviceSettings(name="m", driver="sml")
    assert set(make_rising(values, Meter(), lambda channel: 0.0)) == {"energy_import"}  # type: ignore[arg-type]
    said = {"energy_import": FilterSettings(rising=False), "power": FilterSettings(rising=True)}
    values = DeviceSettings(name="m", driver="sml", filter=said)
    assert set(make_rising(values, Meter(), lambda channel: 0.0)) == {"power"}  # type: ignore[arg-type]
