"""The worker with devices that do as they are told, a fake clock, and real pipes as ports."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from pathlib import Path

import pytest

from drivers.base import (
    Channel,
    Corrupt,
    CorruptData,
    DriverError,
    NoAnswer,
    Telegram,
    Value,
)
from gateway.attached import Attached
from gateway.filters import ChannelFilter, Total
from gateway.model import Act, Acted, Action, Quality, Reading, Sample
from gateway.rising import Rising
from gateway.worker import Worker
from tests.gateway.fake_clock import FakeClock


class Thermometer:
    """Converts for `conversion` seconds, then gives `value`, or raises `error`."""

    def __init__(self, value: float = 21.4567, conversion: float = 0.0) -> None:
        self.channels: Sequence[Channel] = (Channel("temperature", "temperature", digits=2),)
        self.value = value
        self.conversion = conversion
        self.error: DriverError | None = None
        self.starts = 0
        self.reads = 0

    def start(self) -> None:
        self.starts += 1
        if self.error:
            raise self.error

    def read(self) -> Generator[float, None, Sequence[Reading]]:
        self.reads += 1
        if self.error:
            raise self.error
        if self.conversion:
            yield self.conversion
        return [Reading("temperature", self.value)]

    def close(self) -> None:
        self.starts = -1


class Door(Thermometer):
    def watch(self, changed: Callable[[], None]) -> None:
        self.changed = changed


class Pump:
    """An output that remembers every level it was given."""

    action = Action.SET

    def __init__(self) -> None:
        self.channels: Sequence[Channel] = (Channel("state", "state"),)
        self.levels: list[Value | None] = []
        self.level: Value = False
        self.error: DriverError | None = None
        self.closed = False

    def parse(self, value: Value) -> Value:
        return bool(value)

    def start(self, value: Value | None) -> None:
        self.levels.append(value)
        if value is not None:
            self.level = value

    def set(self, value: Value) -> None:
        if self.error:
            raise self.error
        self.levels.append(value)
        self.level = value

    def state(self) -> Value:
        if self.error:
            raise self.error
        return self.level

    def close(self) -> None:
        self.closed = True


class Motor(Pump):
    """Moves for 10 s; what it is told meanwhile comes first."""

    off: Value = "stop"

    def __init__(self) -> None:
        super().__init__()
        self.running = False

    def set(self, value: Value) -> Generator[float, None, None]:  # type: ignore[override]
        self.running = True
        try:
            if value != "stop":
                yield 10.0
            self.level = value
        finally:
            self.running = False


class Dimmer(Pump):
    def __init__(self) -> None:
        super().__init__()
        self.level = 0.0

    def parse(self, value: Value) -> Value:
        return float(value)


class Meter:
    """A stream on a real pipe: a line of digits is a telegram, any other line is corrupt."""

    silence = 10.0

    def __init__(self) -> None:
        self.channels: Sequence[Channel] = (Channel("power", "power"),)
        self.source, self.sink = os.pipe()
        self.starts = 0

    def start(self) -> None:
        self.starts += 1

    def receive(self) -> Sequence[Telegram | Corrupt]:
        lines = os.read(self.source, 4096).split(b"\n")
        return [self._line(line) for line in lines if line]

    def _line(self, line: bytes) -> Telegram | Corrupt:
        if line.isdigit():
            return Telegram(0, (Reading("power", int(line)),))
        return Corrupt(0, len(line), "not a number")

    def fileno(self) -> int:
        return self.source

    def close(self) -> None:
        os.close(self.source)


class Bench:
    def __init__(self, *devices: Attached) -> None:
        self.clock = FakeClock()
        self.samples: list[Sample] = []
        self.told: list[tuple[str, bool, str]] = []
        self.acted: list[Acted] = []
        self.totals: dict[tuple[str, str], float] = {}
        self.worker = Worker(
            "bench",
            devices,
            clock=self.clock,
            append=self.samples.append,
            status=lambda name, online, why: self.told.append((name, online, why)),
            acted=self.acted.append,
            save_total=lambda device, channel, total: self.totals.update(
                {(device, channel): total}
            ),
            heartbeat=lambda: None,
        )
        self.worker.begin()

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.advance(seconds)
        self.worker.turn(0.0)

    def values(self, device: str) -> list[Value | None]:
        return [r.value for s in self.samples if s.device == device for r in s.readings]


def test_a_look_becomes_a_stamped_rounded_sample() -> None:
    bench = Bench(Attached("cellar", Thermometer(), 10.0))
    bench.turn()
    assert bench.samples == [
        Sample("cellar", bench.clock.stamp(), (Reading("temperature", 21.46),))
    ]
    assert bench.told == [("cellar", True, "")]


def test_looks_come_at_the_interval_and_a_start_only_once() -> None:
    sensor = Thermometer()
    bench = Bench(Attached("cellar", sensor, 10.0))
    for _ in range(31):
        bench.turn(1.0)
    assert sensor.reads == 4
    assert sensor.starts == 1


def test_a_conversion_does_not_hold_the_bus() -> None:
    slow = Attached("slow", Thermometer(1.0, conversion=0.8), 10.0)
    bench = Bench(slow, Attached("quick", Thermometer(2.0), 10.0))
    bench.turn()
    assert bench.values("quick") == [2.0]
    assert bench.values("slow") == []
    bench.turn(0.8)
    assert bench.values("slow") == [1.0]


def test_a_conversion_has_its_time_from_the_end_of_the_transfer_that_begins_it() -> None:
    """Two bytes at 100 kHz take 0.3 ms, which a chip at the slow end of its data sheet needs."""
    asked: list[float] = []

    class Unhurried(Thermometer):
        def read(self) -> Generator[float, None, Sequence[Reading]]:
            bench.clock.advance(0.5)  # on the bus
            asked.append(bench.clock.now)
            yield 0.8
            asked.append(bench.clock.now)
            return [Reading("temperature", 1.0)]

    bench = Bench(Attached("slow", Unhurried(), 100.0))
    bench.turn()
    for _ in range(20):
        bench.turn(0.1)
    begun, ended = asked
    assert 0.8 <= ended - begun < 1.0


def test_on_a_line_one_speaks_at_a_time() -> None:
    """An exchange waits in steps between request and answer: nothing may come between."""

    class Slow(Thermometer):
        exclusive = True

    first, second, pump = Slow(conversion=0.5), Slow(conversion=0.5), Pump()
    one, other = Attached("one", first, 10.0), Attached("other", second, 10.0)
    bench = Bench(one, other, Attached("pump", pump, 100.0))
    bench.turn()
    assert (first.starts, second.starts) == (1, 0)
    assert bench.worker._patience() == 0.5
    bench.worker.order(Act("pump", True, "a1"))
    bench.turn()
    assert pump.levels == [], "the line is taken"
    bench.turn(0.5)
    assert pump.levels[-1] is True, "what is ordered comes before the next look"
    assert second.starts == 1
    bench.turn(0.5)
    assert [len(bench.values(name)) for name in ("one", "other")] == [1, 1]


def test_a_failing_device_is_told_offline_once_restarted_and_does_not_delay_others() -> None:
    sensor = Thermometer()
    bench = Bench(Attached("cellar", sensor, 10.0), Attached("attic", Thermometer(), 10.0))
    bench.turn()
    sensor.error = NoAnswer("no answer at 0x76")
    for _ in range(60):
        bench.turn(1.0)
    assert bench.told[2:] == [("cellar", False, "no answer at 0x76")]
    assert len(bench.values("attic")) == 7
    sensor.error = None
    for _ in range(60):
        bench.turn(1.0)
    assert bench.told[3:] == [("cellar", True, "")]
    assert sensor.starts > 2


def test_one_bad_transfer_is_no_outage() -> None:
    sensor = Thermometer()
    bench = Bench(Attached("cellar", sensor, 10.0))
    bench.turn()
    sensor.error = CorruptData("checksum")
    bench.turn(10.0)
    sensor.error = None
    bench.turn(2.0)
    assert bench.told == [("cellar", True, "")]
    assert bench.worker.devices["cellar"].failures == 1
    assert len(bench.samples) == 2


def test_a_device_missing_from_the_start_is_offline_at_once_and_comes_later() -> None:
    sensor = Thermometer()
    sensor.error = NoAnswer("nobody there")
    bench = Bench(Attached("cellar", sensor, 10.0))
    bench.turn()
    assert bench.told == [("cellar", False, "nobody there")]
    sensor.error = None
    bench.turn(2.0)
    assert bench.told[-1] == ("cellar", True, "")


def test_a_bug_is_not_survived() -> None:
    sensor = Thermometer()
    sensor.read = lambda: [][0]  # type: ignore[method-assign]
    bench = Bench(Attached("cellar", sensor, 10.0))
    with pytest.raises(IndexError):
        bench.turn()


def test_an_output_is_claimed_at_its_start_state_and_told() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    bench.turn()
    assert pump.levels == [False]
    assert [(a.act.cause, a.state) for a in bench.acted] == [("start", False)]


def test_an_act_is_done_before_the_next_look_and_read_back() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    bench.turn()
    act = Act("pump", True, "a1")
    bench.worker.order(act)
    bench.turn()
    assert pump.levels == [False, True]
    assert bench.acted[-1] == Acted(act, bench.clock.stamp(), True)


def test_an_act_that_fails_says_why() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    bench.turn()
    pump.error = NoAnswer("no answer at 0x20")
    bench.worker.order(Act("pump", True, "a1"))
    bench.turn()
    assert (bench.acted[-1].state, bench.acted[-1].error) == (None, "no answer at 0x20")


def test_after_a_fault_an_output_is_left_as_it_is_found() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    bench.turn()
    bench.worker.order(Act("pump", True, "a1"))
    bench.turn()
    pump.error = NoAnswer("gone")
    bench.turn(10.0)
    pump.error = None
    bench.turn(2.0)
    assert pump.levels == [False, True, None]
    assert pump.level is True


def test_somebody_elses_hand_is_seen() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    bench.turn()
    pump.level = True
    bench.turn(10.0)
    assert (bench.acted[-1].act.cause, bench.acted[-1].state) == ("observed", True)


def test_acts_on_one_output_keep_their_order() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    for number, value in enumerate([True, False, True]):
        bench.worker.order(Act("pump", value, str(number)))
    bench.turn()
    bench.turn()
    assert pump.levels == [False, True, False, True]
    assert [a.act.cause for a in bench.acted if a.act.cause.isdigit()] == ["0", "1", "2"]


def test_a_motor_gives_way_to_the_next_act() -> None:
    motor = Motor()
    bench = Bench(Attached("blind", motor, 10.0))
    bench.turn()
    bench.worker.order(Act("blind", 100, "a1"))
    bench.turn()
    assert motor.running
    bench.worker.order(Act("blind", "stop", "a2"))
    bench.turn(1.0)
    assert not motor.running
    told = [(a.act.cause, a.state, a.error) for a in bench.acted[1:]]
    assert told == [("a1", None, "cut short by the next command"), ("a2", "stop", "")]


def test_an_act_that_comes_too_late_cuts_nothing_short() -> None:
    motor = Motor()
    bench = Bench(Attached("blind", motor, 100.0))
    bench.turn()
    bench.worker.order(Act("blind", 100, "a1"))
    bench.turn()
    bench.worker.order(Act("blind", "stop", "a2", until=bench.clock.monotonic() - 1))
    bench.turn(1.0)
    assert motor.running
    bench.turn(9.0)
    assert [(a.act.cause, a.state, a.expired) for a in bench.acted[1:]] == [
        ("a1", 100, False),
        ("a2", None, True),
    ]


def test_closing_ends_a_movement_before_it_stops() -> None:
    motor = Motor()
    bench = Bench(Attached("blind", motor, 10.0, stop="stop"))
    bench.turn()
    bench.worker.order(Act("blind", 100, "a1"))
    bench.turn()
    bench.worker.close()
    assert not motor.running
    assert motor.level == "stop"


def test_a_ramp_goes_in_steps_and_the_lock_does_not_wait_for_it() -> None:
    dimmer = Dimmer()
    bench = Bench(Attached("lamp", dimmer, 100.0, start=0.0, ramp=50.0))
    bench.turn()
    bench.worker.order(Act("lamp", 100.0, "a1"))
    bench.turn()
    for _ in range(5):
        bench.turn(0.1)
    assert dimmer.levels == [0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    bench.worker.order(Act("lamp", 0.0, "lock"))
    bench.turn()
    assert dimmer.levels[-1] == 0.0
    assert [(a.act.cause, a.state) for a in bench.acted[1:]] == [("a1", None), ("lock", 0.0)]


def test_an_output_that_comes_back_is_told_again() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False))
    bench.turn()
    pump.error = NoAnswer("gone")
    for _ in range(5):
        bench.turn(10.0)
    pump.error = None
    bench.turn(60.0)
    assert [online for _, online, _ in bench.told] == [True, False, True]
    assert [(a.act.cause, a.state) for a in bench.acted] == [("start", False), ("observed", False)]


def test_closing_puts_outputs_to_their_stop_state() -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=True, stop=False))
    bench.turn()
    bench.worker.close()
    assert pump.levels == [True, False]
    assert pump.closed
    assert (bench.acted[-1].act.cause, bench.acted[-1].state) == ("stop", False)


def test_a_stream_is_heard_when_bytes_come() -> None:
    meter = Meter()
    bench = Bench(Attached("meter", meter, 0.0))
    bench.turn()
    assert bench.told == []
    os.write(meter.sink, b"100\nnoise\n200\n")
    bench.turn()
    assert bench.values("meter") == [100, 200]
    assert bench.worker.devices["meter"].corrupt == 1
    assert bench.told == [("meter", True, "")]


def test_a_stream_gives_one_sample_an_interval_at_most() -> None:
    meter = Meter()
    bench = Bench(Attached("meter", meter, 10.0))
    bench.turn()
    for second in range(25):
        os.write(meter.sink, b"%d\n" % second)
        bench.turn(1.0)
    assert bench.values("meter") == [0, 10, 20]


def test_a_silent_meter_is_offline_after_its_own_time() -> None:
    meter = Meter()
    bench = Bench(Attached("meter", meter, 0.0))
    bench.turn()
    os.write(meter.sink, b"100\n")
    bench.turn(1.0)
    for _ in range(30):
        bench.turn(1.0)
    assert bench.told[1][:2] == ("meter", False)
    assert "silent" in bench.told[1][2]
    assert meter.starts > 1
    os.write(meter.sink, b"200\n")
    for _ in range(60):
        bench.turn(5.0)
    assert bench.values("meter")[-1] == 200


def test_a_watched_sensor_is_read_at_its_change() -> None:
    door = Door()
    bench = Bench(Attached("door", door, 3600.0))
    bench.turn()
    bench.turn(5.0)
    assert door.reads == 1
    door.changed()
    bench.turn(0.1)
    assert door.reads == 2


def test_totals_go_on_over_restarts_and_are_saved_seldom() -> None:
    counter = Thermometer(5)
    counter.channels = (Channel("temperature", "energy", counter=True),)
    attached = Attached("s0", counter, 10.0, totals={"temperature": Total(100.0)})
    bench = Bench(attached)
    bench.turn()
    assert bench.values("s0") == [105.0]
    assert bench.samples[0].counter
    assert bench.totals == {}
    for _ in range(6):
        bench.turn(10.0)
    assert bench.totals == {("s0", "temperature"): 105.0}
    bench.totals.clear()
    for _ in range(7):
        bench.turn(10.0)
    assert bench.totals == {} and not bench.samples[-1].counter  # a meter that stands


def test_what_filters_hold_back_is_no_sample() -> None:
    attached = Attached("cellar", Thermometer(), 1.0, {"temperature": ChannelFilter(deadband=1.0)})
    bench = Bench(attached)
    for _ in range(5):
        bench.turn(1.0)
    assert len(bench.samples) == 1


def test_nan_is_a_bad_value() -> None:
    bench = Bench(Attached("cellar", Thermometer(float("nan")), 10.0))
    bench.turn()
    assert bench.samples[0].readings == (Reading("temperature", None, Quality.BAD),)


def test_the_thread_ends_when_it_is_stopped(tmp_path: Path) -> None:
    pump = Pump()
    bench = Bench(Attached("pump", pump, 10.0, start=False, stop=False))
    bench.worker.stop()
    bench.worker.run()
    assert pump.closed


def test_a_meter_that_sends_its_values_in_turns_is_heard_whole() -> None:
    """A short telegram often, a long one seldom: what is new in the long one is not passed over."""
    attached = Attached("meter", Meter(), interval=10.0)
    short, long = (Reading("power", 1),), (Reading("power", 1), Reading("energy_import", 2.0))
    told = [[r.channel for r in attached.fresh(one, now)] for now, one in (
        (0.0, short), (2.5, short), (5.0, long), (7.5, short), (10.0, short), (15.0, long),
    )]  # fmt: skip
    assert told == [["power"], [], ["energy_import"], [], ["power"], ["energy_import"]]


def test_a_register_that_goes_back_is_uncertain() -> None:
    meter = Thermometer(value=100.0)
    attached = Attached("meter", meter, 1.0)
    attached.rising["temperature"] = Rising(lambda text: None)
    bench = Bench(attached)
    qualities = []
    for meter.value in (100.0, 3.0, 101.0):
        bench.turn(1.0)
        qualities.append(bench.samples[-1].readings[0].quality)
    assert qualities == [Quality.GOOD, Quality.UNCERTAIN, Quality.GOOD]
    bench.worker.close()
    assert bench.totals == {("meter", "temperature"): 101.0}, "for the next start"
