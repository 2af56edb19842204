"""A topic a channel, and how a consumer puts together what belongs together."""

from __future__ import annotations

import json
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Quality, Reading
from gateway.cli.assembly import HELD, Assembler
from gateway.cli.consumer import Arrived
from gateway.cli.messages import Fact, Numbered, Part, Unreadable, bare_value
from gateway.codecs import history, plain
from gateway.codecs.base import Publication
from gateway.codecs.plain import PlainDialect, bare
from gateway.model import Alarm, AlarmState, Entry, Outcome, Result, Sample, State
from tests.gateway.codecs.examples import STAMP, UNSURE, entry, sample


def make(qos: int = 1) -> PlainDialect:
    return plain.dialect(
        root="tidegate", gateway="g", qos={"boiler": qos}, restamp=lambda stamp: stamp
    )


def arrived(message: Publication, mqtt5: bool = True) -> Arrived:
    user = dict(message.user) if mqtt5 else {}
    return Arrived(message.topic, message.payload, message.retain, 1.0, b"", user)


def received(entries: list[Entry], mqtt5: bool = True) -> list[Fact]:
    assembler = Assembler("tidegate")
    messages = [message for one in entries for message in make().live(one)]
    return [fact for message in messages for fact in assembler.read(arrived(message, mqtt5))]


def test_a_reading_is_a_message_a_channel_with_its_number_beside_it() -> None:
    temperature, humidity = make(qos=0).live(entry(sample()))
    assert temperature.topic == "tidegate/g/boiler/data/temperature"
    assert (temperature.payload, temperature.qos, temperature.retain) == (b"21.4", 0, False)
    assert dict(temperature.user) == {
        "epoch": "7",
        "seq": "12345",
        "time": "2026-11-23T14:00:00.123Z",
        "parts": "2",
    }
    assert (humidity.topic, humidity.payload) == ("tidegate/g/boiler/data/humidity", b"55.1")


def test_doubt_is_told_beside_the_value_and_a_bad_one_is_null() -> None:
    uncertain = make().live(entry(sample(quality=Quality.UNCERTAIN, stamp=UNSURE)))[0]
    assert uncertain.payload == b"21.4"
    assert dict(uncertain.user)["quality"] == "uncertain"
    assert dict(uncertain.user)["clock"] == "unsynchronised"
    bad = make().live(entry(sample(quality=Quality.BAD)))[0]
    assert (bad.payload, dict(bad.user)["quality"]) == (b"null", "bad")


def test_a_state_is_bare_and_retained_and_an_answer_stays_json() -> None:
    (state,) = make().live(entry(State("pump", STAMP, True, "a1")))
    assert (state.topic, state.payload, state.retain) == ("tidegate/g/pump/state", b"ON", True)
    assert dict(state.user)["cause"] == "a1"
    answer = Result("a1", "pump", STAMP, Outcome.DONE, state=False)
    state, result = make().live(entry(answer))
    assert (state.payload, state.retain) == (b"OFF", True)
    assert json.loads(result.payload)["outcome"] == "done"
    (alarm,) = make().live(entry(Alarm("fire", STAMP, AlarmState.RAISED, "hot")))
    assert json.loads(alarm.payload)["state"] == "raised"


def test_a_channel_s_name_cannot_leave_its_level() -> None:
    odd = Sample("boiler", STAMP, (Reading("a/b+#", 1), Reading("c\n", 2)))
    topics = [message.topic for message in make().live(entry(odd))]
    assert topics == ["tidegate/g/boiler/data/a_b__", "tidegate/g/boiler/data/c_"]


def test_the_backlog_comes_in_batches_that_say_their_times() -> None:
    (message,) = make().history([entry(sample(), seq) for seq in range(1, 5)])
    assert message.topic == "tidegate/g/history"
    assert [fields["seq"] for fields in history.unpack(message.payload)] == [1, 2, 3, 4]


def test_a_reading_is_one_fact_when_all_its_parts_are_here() -> None:
    first, second = make().live(entry(sample(quality=Quality.UNCERTAIN)))
    assembler = Assembler("tidegate")
    assert assembler.read(arrived(first)) == []
    assert assembler.read(arrived(first)) == []  # again, after a lost connection
    (fact,) = assembler.read(arrived(second))
    assert isinstance(fact, Numbered)
    assert (fact.kind, fact.device, fact.epoch, fact.seq) == ("data", "boiler", 7, 12345)
    assert fact.fields == {
        "epoch": 7,
        "seq": 12345,
        "time": "2026-11-23T14:00:00.123Z",
        "temperature": 21.4,
        "temperature_quality": "uncertain",
        "humidity": 55.1,
    }


def test_a_reading_of_which_a_part_is_lost_never_counts() -> None:
    assembler = Assembler("tidegate")
    for seq in range(HELD + 10):
        assert assembler.read(arrived(make().live(entry(sample(), seq))[0])) == []
    assert assembler.read(arrived(make().live(entry(sample(), 0))[1])) == []
    (fact,) = assembler.read(arrived(make().live(entry(sample(), HELD))[1]))
    assert isinstance(fact, Numbered)


@pytest.mark.parametrize(
    "recorded",
    [sample(), State("pump", STAMP, 35.5, "stop"), Sample("boiler", STAMP, ())],
)
def test_every_entry_s_number_arrives_over_mqtt_5(recorded: Any) -> None:
    facts = received([entry(recorded)])
    assert [(fact.epoch, fact.seq) for fact in facts if isinstance(fact, Numbered)] == [(7, 12345)]


def test_over_3_1_1_values_have_no_number() -> None:
    facts = received([entry(sample())], mqtt5=False)
    assert all(isinstance(fact, Part) and fact.number is None for fact in facts)
    assert [dict(fact.fields) for fact in facts if isinstance(fact, Part)] == [
        {"temperature": 21.4},
        {"humidity": 55.1},
    ]


@pytest.mark.parametrize(
    "user", [{"epoch": "x", "seq": "1"}, {"epoch": "1", "seq": "-1"}, {"parts": "²"}]
)
def test_a_number_that_is_none_is_unreadable(user: dict[str, str]) -> None:
    event = Arrived("tidegate/g/boiler/data/temperature", b"1", False, 1.0, b"", user)
    (fact,) = Assembler("tidegate").read(event)
    assert isinstance(fact, Unreadable)


VALUES = (
    st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(2**63), 2**63)
)


@hypothesis.settings(deadline=None)
@given(VALUES)
def test_bare_values_come_back_as_they_were(value: Any) -> None:
    back = bare_value(bare(value))
    assert back == value
    assert type(back) is type(value)


@hypothesis.settings(deadline=None)
@given(st.binary())
def test_any_bytes_are_a_fact_or_unreadable(payload: bytes) -> None:
    for topic in ("tidegate/g/d/data/t", "tidegate/g/d/state", "tidegate/g/d/data"):
        for fact in Assembler("tidegate").read(Arrived(topic, payload, False, 1.0)):
            assert isinstance(fact, Part | Numbered | Unreadable)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_no_number_can_say_is_null(value: float) -> None:
    assert bare(value) == b"null"
