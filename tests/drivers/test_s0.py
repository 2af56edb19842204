"""Pulses counted on a mock pin, and the rate that the pure counter makes of them."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault
from drivers.gpio.pins import MockPulses, open_pins
from drivers.gpio.s0 import S0, PulseCounter
from tests.fakes import values


def test_counts_falling_edges() -> None:
    factory = open_pins("mock")
    meter = S0(factory, pin=27, pulses_per_unit=1000, debounce=0.03)
    meter.start()
    pin = factory.pin(27)
    assert (pin.pull, pin.edges, pin.bounce) == ("up", "falling", 0.03)
    for _ in range(5):
        pin.drive_low()
        pin.drive_high()
    assert values(meter.read())["energy"] == 0.005


def test_counts_on_after_a_restart_and_only_while_claimed() -> None:
    factory = open_pins("mock")
    meter = S0(factory, pin=27, pulses_per_unit=100, measures="volume", pull="down")
    meter.start()
    factory.pin(27).drive_high()
    meter.start()
    factory.pin(27).drive_low()
    factory.pin(27).drive_high()
    assert values(meter.read())["volume"] == 0.02
    meter.close()
    with pytest.raises(BusFault, match="GPIO27"):
        meter.read()


def test_names_what_it_measures() -> None:
    factory = open_pins("mock")
    energy = S0(factory, pin=5, pulses_per_unit=1000)
    assert [(c.name, c.counter) for c in energy.channels] == [("energy", True), ("power", False)]
    water = S0(factory, pin=6, pulses_per_unit=1000, measures="volume")
    assert [c.quantity for c in water.channels] == ["volume", "volume_flow"]


def test_rate_from_the_time_between_pulses() -> None:
    counter = PulseCounter()
    assert counter.rate(0.0) == 0
    counter.pulse(7.2)
    assert counter.rate(10.0) == 0
    counter.pulse(14.4)
    assert counter.rate(20.0) == pytest.approx(1 / 7.2)  # 500 W at 1000/kWh
    assert counter.rate(21.0) == pytest.approx(1 / 7.2)
    assert counter.rate(114.4) == pytest.approx(0.01)  # silent: at most one pulse in 100 s
    counter.pulse(214.4)
    assert counter.rate(214.4) == pytest.approx(1 / 200)


@given(st.lists(st.floats(0, 100), min_size=1), st.floats(100, 200))
def test_rate_is_never_negative_nor_above_what_silence_allows(
    pulses: list[float], now: float
) -> None:
    counter = PulseCounter()
    for at in sorted(pulses):
        counter.pulse(at)
    rate = counter.rate(now)
    assert counter.count == len(pulses)
    assert rate >= 0
    assert now == max(pulses) or rate <= 1 / (now - max(pulses))


def test_the_mock_source_pulses_inputs_only() -> None:
    factory = open_pins("mock")
    output = factory.pin(5)
    output.output_with_state(True)
    factory.pin(27).input_with_pull("up")
    pulsed = threading.Event()

    def changed(ticks: float, level: bool) -> None:
        pulsed.set()

    factory.pin(27).when_changed = changed
    source = MockPulses(factory, {27: 200.0, 5: 200.0, 6: 0.0})
    assert pulsed.wait(10)
    source.close()
    assert output.state
