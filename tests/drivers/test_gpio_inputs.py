"""Contacts, frequency, HC-SR04 and HX711 on mock pins, and their pure parts on exact times."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault, CorruptData, NoAnswer, OptionError, Quality
from drivers.gpio import hcsr04, hx711
from drivers.gpio.contact import Contact, Held
from drivers.gpio.frequency import Edges, Frequency
from drivers.gpio.hcsr04 import HcSr04
from drivers.gpio.hx711 import Hx711
from drivers.gpio.pins import Line, open_pins
from drivers.gpio.s0 import S0
from tests.fakes import finish, values


def test_a_contact_is_told_at_once_and_counted() -> None:
    factory = open_pins("mock")
    door, told = Contact(factory, pin=17, channel="door"), []
    door.watch(lambda: told.append(True))
    door.start()
    pin = factory.pin(17)
    assert (pin.pull, pin.edges, pin.bounce) == ("up", "both", 0.03)
    assert values(door.read()) == {"door": False, "count": 0}
    told.clear()
    pin.drive_low()
    assert told and values(door.read()) == {"door": True, "count": 1}
    pin.drive_high()
    assert values(door.read()) == {"door": False, "count": 1}


def test_a_press_that_is_over_is_not_lost() -> None:
    factory = open_pins("mock")
    button = Contact(factory, pin=5, channel="button")
    button.start()
    for _ in range(3):
        factory.pin(5).drive_low()
        factory.pin(5).drive_high()
    assert values(button.read()) == {"button": True, "count": 3}
    assert values(button.read()) == {"button": False, "count": 3}


@pytest.mark.parametrize(
    ("options", "pull", "on"),
    [
        ({}, "up", False), ({"invert": True}, "up", True), ({"active_high": True}, "down", True),
        ({"active_high": True, "invert": True}, "down", False),
        ({"pull": "none"}, "floating", False),
    ],
)  # fmt: skip
def test_levels_and_pulls(options: dict[str, Any], pull: str, on: bool) -> None:
    factory = open_pins("mock")
    contact = Contact(factory, pin=6, **options)
    contact.start()
    pin = factory.pin(6)
    assert pin.pull == pull
    (pin.drive_high if on else pin.drive_low)()
    assert values(contact.read())["contact"] is True
    contact.close()
    with pytest.raises(BusFault, match="GPIO6"):
        contact.read()


def test_what_is_on_at_the_start_is_not_counted_as_coming_on() -> None:
    contact = Contact(open_pins("mock"), pin=17, invert=True)
    contact.start()
    assert values(contact.read()) == {"contact": True, "count": 0}


@pytest.mark.parametrize(("debounce", "looks"), [(0.03, 2), (0.0, 1)])
def test_an_edge_that_was_never_told_is_noticed(debounce: float, looks: int) -> None:
    factory = open_pins("mock")
    contact = Contact(factory, pin=17, debounce=debounce)
    contact.start()
    factory.pin(17)._change_state(False)  # without an edge
    seen = [values(contact.read()) for _ in range(looks)]
    assert [look["contact"] for look in seen] == [False] * (looks - 1) + [True]
    assert seen[-1]["count"] == 1


@given(st.lists(st.tuples(st.floats(0, 100), st.booleans())), st.floats(0, 20))
def test_held_counts_every_coming_on(changes: list[tuple[float, bool]], hold: float) -> None:
    held, ons, state = Held(hold), 0, None
    for at, on in sorted(changes):
        ons += on and state is False
        state = on
        held.change(on, at)
    assert held.count == ons
    end = max((at for at, _ in changes), default=0.0)
    held.look(end)
    assert held.look(end + hold + 1) is bool(state)


def test_motion_is_held() -> None:
    held = Held(30.0)
    for on, at in ((False, 0.0), (True, 10.0), (False, 12.0)):
        held.change(on, at)
    assert [held.look(at) for at in (12.0, 41.9, 42.1)] == [True, True, False]


def test_frequency_of_whole_periods() -> None:
    edges = Edges()
    assert edges.frequency(0.0, 5.0) == 0
    for n in range(101):
        edges.edge(1.0 + n * 0.02)
    assert edges.frequency(3.1, 5.0) == pytest.approx(50)
    edges.edge(3.5)  # the first edge after a look closes the period that was open
    assert edges.frequency(4.0, 5.0) == pytest.approx(2)
    assert 0 < edges.frequency(5.0, 5.0) <= 1
    assert edges.frequency(9.1, 5.0) == 0


@given(st.floats(0.5, 900), st.integers(2, 60))
def test_frequency_is_that_of_regular_edges(hertz: float, count: int) -> None:
    edges = Edges()
    for n in range(count):
        edges.edge(n / hertz)
    assert edges.frequency(count / hertz, 5.0) == pytest.approx(hertz)


def test_frequency_at_a_pin() -> None:
    factory = open_pins("mock")
    fan = Frequency(factory, pin=24, pulses_per_turn=2, metres_per_second=0.667)
    fan.start()
    pin = factory.pin(24)
    assert (pin.edges, pin.bounce) == ("falling", None)
    for n in range(11):
        fan._edge(n * 0.01, False)
    got = values(fan.read())
    assert got == pytest.approx({"frequency": 100, "rotation_speed": 3000, "speed": 66.7})
    assert list(got) == [channel.name for channel in fan.channels]
    fan.close()
    with pytest.raises(BusFault):
        fan.read()


def ping(sensor: HcSr04, *widths: float | None) -> Any:
    """The steps of a reading, with an echo so long after each ping."""
    steps = sensor.read()
    for n, width in enumerate(widths):
        next(steps)
        if width is not None:
            sensor._edge(n * 0.06 + 0.0005, True)
            sensor._edge(n * 0.06 + 0.0005 + width, False)
    try:
        next(steps)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("not at its end")


def test_hcsr04_takes_the_median_of_its_pings() -> None:
    factory = open_pins("mock")
    sensor = HcSr04(factory, trigger_pin=23, echo_pin=24)
    sensor.start()
    trigger = factory.pin(23)
    (reading,) = ping(sensor, 0.0100, 0.0380, 0.0099)
    assert reading.value == pytest.approx(0.0100 * 343.42 / 2)
    assert [bool(state.state) for state in trigger.states][-2:] == [True, False]
    assert factory.pin(24).pull == "down"


@pytest.mark.parametrize(
    ("width", "metres", "quality"),
    [
        (0.0058, 0.996, Quality.GOOD), (0.00005, 0.0086, Quality.UNCERTAIN),
        (0.03, 5.15, Quality.UNCERTAIN), (0.038, None, Quality.BAD), (0.2, None, Quality.BAD),
    ],
)  # fmt: skip
def test_hcsr04_distances(width: float, metres: float | None, quality: Quality) -> None:
    reading = hcsr04.decode(width, 20.0)
    assert reading.quality is quality
    assert reading.value == (None if metres is None else pytest.approx(metres, abs=0.01))


def test_hcsr04_colder_air_is_slower() -> None:
    cold, warm = hcsr04.decode(0.01, -20.0).value, hcsr04.decode(0.01, 20.0).value
    assert cold == pytest.approx(1.596, abs=0.001) and isinstance(warm, float) and warm > 1.7


def test_hcsr04_without_any_echo_signal() -> None:
    sensor = HcSr04(open_pins("mock"), trigger_pin=23, echo_pin=24, pings=1)
    with pytest.raises(BusFault):
        next(sensor.read())
    sensor.start()
    with pytest.raises(NoAnswer, match="wiring"):
        ping(sensor, None)
    assert hcsr04.width_of([(1.0, False), (2.0, True)]) is None
    with pytest.raises(OptionError):
        HcSr04(open_pins("mock"), trigger_pin=4, echo_pin=4)


class Cell:
    """An HX711 behind two mock pins: shifts a code out at each rise of its clock."""

    def __init__(self, factory: Any, clock: int, data: int, codes: list[int]) -> None:
        self.codes = list(codes)
        self.pulses = 0
        self._clock, self._data = factory.pin(clock), factory.pin(data)
        self._data.input_with_pull("up")
        self._change = self._clock._change_state
        self._clock._change_state = self._edge
        self._ready()

    def _ready(self) -> None:
        self._bits = [self.codes[0] >> n & 1 for n in range(23, -1, -1)] if self.codes else []
        self._data._change_state(not self.codes)

    def _edge(self, high: bool) -> bool:
        changed: bool = self._change(high)
        if changed and high:
            self.pulses += 1
            if self._bits:
                self._data._change_state(bool(self._bits.pop(0)))
            elif self.codes:
                self.codes.pop(0)
                self._ready()
        return changed


def scale(codes: list[int], **options: Any) -> tuple[Hx711, Cell]:
    factory = open_pins("mock")
    sensor = Hx711(factory, clock_pin=6, data_pin=5, **options)
    cell = Cell(factory, 6, 5, codes)
    sensor._clock, sensor._data = (Line(factory, pin) for pin in (6, 5))
    sensor._clock.output(False)
    return sensor, cell


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time between two looks at the clock, so that no test depends on this machine."""
    step = [1e-6]
    at = [0.0]

    def now() -> float:
        at[0] += step[0]
        return at[0]

    monkeypatch.setattr(time, "monotonic", now)
    return step


@pytest.mark.parametrize(
    ("code", "kg"), [(0x012345, 7.4565), (0xFFFFFF, -0.0001), (0xFE0000, -13.1072)]
)
def test_hx711_shifts_signed_codes(quick: list[float], code: int, kg: float) -> None:
    sensor, cell = scale([code], per_kg=10000.0)
    got = values(finish(sensor.read()))
    assert got["mass"] == pytest.approx(kg)
    assert cell.pulses == 25


def test_hx711_throws_away_what_was_too_slow(quick: list[float]) -> None:
    sensor, _ = scale([0x000100] * 3)
    quick[0] = 60e-6
    steps = sensor.read()
    next(steps)  # the first value is not believed
    quick[0] = 1e-6
    assert values(finish(steps))["raw"] == 0x100
    quick[0] = 60e-6
    sensor, _ = scale([1] * 20)
    with pytest.raises(CorruptData, match="too slow"):
        finish(sensor.read())


def test_hx711_ends_of_the_range_and_silence(quick: list[float]) -> None:
    for code in (0x7FFFFF, -0x800000):
        assert [r.quality for r in hx711.decode(code, 0, 1)] == [Quality.BAD] * 2
    sensor, _ = scale([])
    with pytest.raises(NoAnswer, match="DOUT stays high"):
        finish(sensor.read())
    with pytest.raises(OptionError):
        Hx711(open_pins("mock"), clock_pin=5, data_pin=5)
    with pytest.raises(BusFault):
        finish(Hx711(open_pins("mock"), clock_pin=5, data_pin=6).read())


def test_hx711_claims_its_lines_and_forgets_the_first_value(quick: list[float]) -> None:
    factory = open_pins("mock")
    sensor = Hx711(factory, clock_pin=6, data_pin=5)
    factory.pin(5).input_with_pull("up")
    with pytest.raises(NoAnswer):
        finish(sensor.start())
    assert (factory.pin(6).function, factory.pin(5).pull) == ("output", "up")
    sensor.close()


@pytest.mark.parametrize(
    ("measures", "rate", "expected"),
    [("mass", "mass_flow", 3600 / 20), ("distance", "speed", 1 / 20), ("count", "rate", 1 / 20)],
)
def test_pulse_counters_of_other_quantities(measures: Any, rate: str, expected: float) -> None:
    meter = S0(open_pins("mock"), pin=27, pulses_per_unit=20, measures=measures, offset=12.5)
    total, per_time = meter.channels
    assert (total.name, total.counter, total.offset, per_time.name) == (measures, True, 12.5, rate)
    meter.start()
    meter._counter.pulse(0.0)
    meter._counter.pulse(1.0)
    meter._counter.rate(1.0)
    assert meter._counter.rate(1.0) * 3600 / 20 * meter._per_unit_hour == pytest.approx(expected)
