"""The sensor of another gateway: replayed, late, from the future, without a clock, unreadable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs import cbor_, heard, json_, msgpack_
from gateway.codecs.base import Inbound
from gateway.codecs.structured import StructuredDialect
from gateway.conditions import Within
from gateway.model import Heard, Key, Quality, Reading, Result, Stamp
from gateway.rules_remote import SKEW, age
from tests.gateway.codecs.examples import entry, inbound, sample
from tests.gateway.test_rule_desk import House, cooling

HERE = Stamp(1000.0, 50.0, "b", True)
GOOD = Heard(
    "shed/climate", Key(3, 7), Stamp(990.0, 0.0, "", True), (Reading("temperature", 31.0),)
)


@pytest.mark.parametrize(
    ("told", "last", "stamp", "found"),
    [
        (GOOD, None, HERE, 10.0),
        (GOOD, Key(3, 6), HERE, 10.0),
        (GOOD, Key(2, 99), HERE, 10.0),
        (GOOD, Key(3, 7), HERE, "comes again"),
        (GOOD, Key(4, 1), HERE, "comes again"),
        (replace(GOOD, readings=()), None, HERE, "cannot be read"),
        (GOOD, None, None, "our clock"),
        (replace(GOOD, stamp=GOOD.stamp._replace(synchronised=False)), None, HERE, "other clock"),
        (replace(GOOD, stamp=GOOD.stamp._replace(wall=1000.0 + SKEW)), None, HERE, 0.0),
        (replace(GOOD, stamp=GOOD.stamp._replace(wall=1006.0)), None, HERE, "6 s ahead"),
    ],
)
def test_the_age_of_what_was_heard(
    told: Heard, last: Key | None, stamp: Stamp | None, found: float | str
) -> None:
    answer = age(told, last, stamp)
    if isinstance(found, str):
        assert isinstance(answer, str) and found in answer
    else:
        assert answer == pytest.approx(found)


def dialect() -> StructuredDialect:
    made = json_.dialect(root="tidegate", gateway="house", qos={}, restamp=lambda stamp: stamp)
    made.listen(["shed/climate"])
    return made


def test_it_subscribes_so_that_nothing_waits_at_the_broker() -> None:
    assert ("tidegate/shed/climate/data", 0) in dialect().filters()


@pytest.mark.parametrize("form", [json_, msgpack_, cbor_])
def test_what_a_gateway_says_is_understood_in_its_format(form: Any) -> None:
    there = form.dialect(root="tidegate", gateway="shed", qos={}, restamp=lambda stamp: stamp)
    readings = (Reading("temperature", 31.25), Reading("humidity", None, Quality.BAD))
    [told] = there.live(entry(sample()._replace(device="climate", readings=readings)))
    found = dialect().command(inbound(told.payload, told.topic))
    assert isinstance(found, Heard) and found.device == "shed/climate"
    assert found.readings == readings
    assert age(found, None, found.stamp._replace(wall=found.stamp.wall + 3)) == pytest.approx(3.0)


def test_uncertain_and_unsynchronised_are_told_from_good() -> None:
    payload = b'{"epoch":1,"seq":2,"time":"2026-11-23T14:00:00.000Z","clock":"unsynchronised",'
    payload += b'"t":1.5,"t_quality":"uncertain","u":1e999,"v":[1]}'
    found = heard.parse("x/y", inbound(payload))
    assert not found.stamp.synchronised
    assert found.readings == tuple(
        Reading(name, value, Quality.BAD) for name, value in (("t", 1.5), ("u", None), ("v", None))
    )


def test_other_topics_are_no_commands_and_no_answers() -> None:
    """A session of an earlier configuration may still be subscribed to them."""
    old = dialect().command(inbound(b"{}", "tidegate/other/climate/data"))
    assert isinstance(old, Heard) and old.device == ""
    assert isinstance(dialect().command(inbound(b"{}", "tidegate/x/y/z")), Result)


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"{", b"[]", b"{}", b'{"epoch":1,"seq":2}', b"[" * 1000, b"\xff", b"x" * 70000),
        b'{"epoch":-1,"seq":2,"time":"2026-01-01T00:00:00Z","t":1}',
        b'{"epoch":1,"seq":2,"time":"2026-01-01T00:00:00","t":1}',
    ],
)
def test_what_cannot_be_read_has_no_readings(payload: bytes) -> None:
    assert heard.parse("x/y", inbound(payload)).readings == ()


def test_retained_data_has_no_age() -> None:
    payload = b'{"epoch":1,"seq":2,"time":"2026-11-23T14:00:00.000Z","t":1}'
    assert heard.parse("x/y", inbound(payload)).readings
    assert heard.parse("x/y", inbound(payload, retain=True)).readings == ()


ANY = st.none() | st.integers() | st.floats() | st.text(max_size=25) | st.booleans()
TIMES = ANY | st.just("2026-11-23T14:00:00.000Z")
NAMES = ("epoch", "seq", "time", "clock", "t", "t_quality", "x")
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES, TIMES))


@given(st.binary(max_size=200) | FIELDS.map(json_.dumps_plain))
def test_no_bytes_make_it_raise(payload: bytes) -> None:
    found = heard.parse("x/y", Inbound("t", payload, HERE, "m"))
    assert all(r.value is not None or r.quality is Quality.BAD for r in found.readings)


REMOTE = Within("shed/climate.temperature", low=30.0, hysteresis=2.0, max_age=60.0)


def test_the_desk_takes_each_reading_once_and_at_its_age(tmp_path: Path) -> None:
    house = House(tmp_path / "state.db", [cooling(when=REMOTE)])

    def hear(seq: int, temperature: float, late: float = 0.0) -> None:
        stamp = house.clock.stamp()._replace(wall=house.clock.stamp().wall - late)
        readings = (Reading("temperature", temperature),)
        told = Heard("shed/climate", Key(1, seq), stamp, readings)
        house.control.receive(told, lambda: None)
        house.control.drain()

    hear(1, 31.0)
    assert [value for _, value, _ in house.done] == [True]
    house.wait(30)
    hear(1, 20.0)
    hear(2, 20.0, late=31.0)
    hear(3, 20.0, late=-20.0)
    assert len(house.done) == 1, "repeated, older than the last, from the future"
    house.wait(29)
    assert len(house.done) == 1
    house.wait(2)
    assert [value for _, value, _ in house.done] == [True, False], "stale: nothing new for a minute"
    house.wait(5)
    hear(4, 31.0, late=58.0)
    assert house.done[-1][1] is True, "old, but not too old"
    house.wait(3)
    assert house.done[-1][1] is False
