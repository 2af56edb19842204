"""Topics and payloads of the default dialect, against docs/messages.md."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Action, Channel, Quality
from gateway.clock import corrected
from gateway.codecs import history, json_, values
from gateway.codecs.base import (
    About,
    DeviceAbout,
    Health,
    LinkStatus,
    Publication,
    Session,
    Settlement,
)
from gateway.codecs.structured import StructuredDialect
from gateway.model import (
    Alarm,
    AlarmState,
    Gap,
    GapReason,
    OutboxStats,
    Outcome,
    Recorded,
    Result,
    Sample,
    Stamp,
    State,
)
from tests.gateway.codecs.examples import STAMP, UNSURE, entry, sample


def unchanged(stamp: Stamp) -> Stamp:
    return stamp


def make(
    qos: Mapping[str, int] | None = None, restamp: Callable[[Stamp], Stamp] = unchanged
) -> StructuredDialect:
    return json_.dialect(root="tidegate", gateway="g", qos=qos or {}, restamp=restamp)


HEAD = {"epoch": 7, "seq": 12345, "time": "2026-11-23T14:00:00.123Z"}
GAP = Gap(GapReason.EXPIRED, STAMP, 6, 100, 180, 41, "boiler", 1795420800.0, 1795421200.0)
CASES: list[tuple[Recorded, str, bool, dict[str, Any]]] = [
    (sample(), "boiler/data", False, {"temperature": 21.4, "humidity": 55.1}),
    (
        sample(None, Quality.BAD),
        "boiler/data",
        False,
        {"temperature": None, "temperature_quality": "bad", "humidity": 55.1},
    ),
    (State("pump", STAMP, True, "a1"), "pump/state", True, {"value": True, "cause": "a1"}),
    (
        Alarm("fire", STAMP, AlarmState.RAISED, "hot"),
        "alarm/fire",
        True,
        {"state": "raised", "text": "hot"},
    ),
    (
        GAP,
        "gap",
        False,
        {
            "reason": "expired",
            "gap_epoch": 6,
            "first_seq": 100,
            "last_seq": 180,
            "count": 41,
            "device": "boiler",
            "first_time": "2026-11-23T08:00:00.000Z",
            "last_time": "2026-11-23T08:06:40.000Z",
        },
    ),
]


@pytest.mark.parametrize(("recorded", "leaf", "retain", "fields"), CASES)
def test_entries(recorded: Recorded, leaf: str, retain: bool, fields: dict[str, Any]) -> None:
    (message,) = make().live(entry(recorded))
    assert (message.topic, message.qos, message.retain) == (f"tidegate/g/{leaf}", 1, retain)
    assert json.loads(message.payload) == HEAD | fields


def test_a_result_is_a_state_an_answer_and_a_response() -> None:
    answer = Result(
        "a1",
        "pump",
        STAMP,
        Outcome.FAILED,
        reason="stuck",
        state=False,
        source="rule night",
        response_topic="me/answers",
        correlation=b"\x01\x02",
    )
    state, result, response = make().live(entry(answer))
    assert (state.topic, state.retain) == ("tidegate/g/pump/state", True)
    assert json.loads(state.payload) == HEAD | {"value": False, "cause": "a1"}
    assert (result.topic, result.retain) == ("tidegate/g/pump/result", False)
    assert json.loads(result.payload) == HEAD | {
        "id": "a1",
        "outcome": "failed",
        "reason": "stuck",
        "state": False,
        "source": "rule night",
    }
    assert (response.topic, response.correlation) == ("me/answers", b"\x01\x02")
    assert response.payload == result.payload
    assert response.expires == STAMP.wall + 3600


def test_the_gateway_s_own_result_has_no_state_topic() -> None:
    (message,) = make().live(entry(Result("a1", "", STAMP, Outcome.DONE, state=True)))
    assert message.topic == "tidegate/g/result"


def test_qos_is_the_device_s() -> None:
    dialect = make(qos={"boiler": 0})
    assert dialect.live(entry(sample()))[0].qos == 0
    assert dialect.live(entry(sample(device="attic")))[0].qos == 1


def test_a_time_that_may_be_wrong_says_so_until_it_is_put_right() -> None:
    (message,) = make().live(entry(sample(stamp=UNSURE)))
    assert json.loads(message.payload)["time"] == "1970-01-02T00:00:00.500Z"
    assert json.loads(message.payload)["clock"] == "unsynchronised"

    def restamp(stamp: Stamp) -> Stamp:
        return corrected(stamp, {"abcd1234": 1795442000.0})

    (message,) = make(restamp=restamp).live(entry(sample(stamp=UNSURE)))
    assert json.loads(message.payload)["time"] == "2026-11-23T13:53:32.000Z"
    assert "clock" not in json.loads(message.payload)


def test_history_gives_back_the_live_payloads() -> None:
    dialect = make()
    recorded = [sample(20.0 + i, device="boiler" if i % 3 else "attic") for i in range(100)]
    recorded += [sample(None, Quality.BAD), sample(stamp=UNSURE)]
    entries = [entry(body, seq) for seq, body in enumerate(recorded, 1)]
    (message,) = dialect.history(entries)
    assert (message.topic, message.qos, message.retain) == ("tidegate/g/history", 1, False)
    live = [
        json.loads(dialect.live(entry(body, seq))[0].payload) | {"device": body.device}
        for seq, body in enumerate(recorded, 1)
    ]
    assert history.unpack(message.payload) == live


def test_history_costs_a_tenth_of_the_readings_one_by_one() -> None:
    entries = [entry(sample(20.0 + i % 7 / 10), seq=i + 1) for i in range(200)]
    assert len(make().history(entries)[0].payload) < 10 * len(entries)


def test_history_holds_samples_only() -> None:
    with pytest.raises(ValueError, match="State goes by itself"):
        make().history([entry(State("pump", STAMP, True, "a1"))])
    assert make().history([]) == []


UNEVEN = b'{"history":1,"series":[{"device":"d","epoch":1,"seq":[1],"time":[1,2],"values":{}}]}'


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "cut short"),
        (b"{}", "not zlib"),
        (zlib.compress(b"[]"), "not a history message"),
        (zlib.compress(b'{"history":2}'), "version 1"),
        (zlib.compress(b'{"history":1,"series":[{}]}'), "malformed"),
        (zlib.compress(b'{"history":1,"series":3}'), "malformed"),
        (zlib.compress(UNEVEN), "different lengths"),
        (zlib.compress(b" " * (history.MAX_UNPACKED + 1)), "longer than"),
    ],
)
def test_a_broken_history_message_is_a_value_error(payload: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        history.unpack(payload)


def test_status_and_session() -> None:
    dialect = make()
    assert dialect.status(True) == Publication("tidegate/g/status", b"online", retain=True)
    will = dialect.status(False, "lost")
    assert (will.payload, will.user) == (b"offline", (("reason", "lost"),))
    status = dialect.device_status("boiler", False)
    assert status == Publication("tidegate/g/boiler/status", b"offline", retain=True)
    session = dialect.session(Session(STAMP, "abc", 7, 60.0))
    assert (session.topic, session.retain) == ("tidegate/g/session", True)
    assert json.loads(session.payload) == {
        "boot": "abcd1234",
        "nonce": "abc",
        "time": "2026-11-23T14:00:00.123Z",
        "epoch": 7,
        "health_every": 60.0,
    }
    ended = json.loads(dialect.session(Session(STAMP, None, 7, 60.0, "stopped")).payload)
    assert (ended["nonce"], ended["ended"]) == (None, "stopped")


def test_about_has_units_actions_and_how_the_epoch_before_ended() -> None:
    pump = DeviceAbout("pump", "relay", (Channel("state", "state"),), ("",), 0, Action.SET)
    boiler = DeviceAbout("boiler", "ds18b20", (Channel("temperature", "temperature"),), ("°C",), 10)
    message = make().about(About("0.1.0", 7, STAMP, (boiler, pump), Settlement(6, 8801)))
    assert (message.topic, message.retain) == ("tidegate/g/about", True)
    about = json.loads(message.payload)
    assert (about["epoch"], about["boot"], about["version"]) == (7, "abcd1234", "0.1.0")
    assert about["previous"] == {"epoch": 6, "durable_seq": 8801}
    assert about["devices"]["boiler"]["channels"] == {
        "temperature": {"quantity": "temperature", "unit": "°C"}
    }
    assert about["devices"]["pump"]["action"] == "set"
    assert "action" not in about["devices"]["boiler"]


STATS = OutboxStats(
    epoch=7,
    last_seq=12,
    recorded=12,
    inherited=3,
    accepted=9,
    dropped={"expired": 1},
    kept=4,
    shelved=1,
    in_flight=1,
    bytes_used=2048,
    bytes_limit=65536,
    oldest=1795442340.0,
    written_today=512,
    storage="ok",
    rate_in=2.0,
    rate_out=5.0,
    room=14336,
    mean=128.0,
)


def test_health_has_the_books() -> None:
    link = LinkStatus(True, STAMP.wall, "mqtts://b:8883", "5")
    message = make().health(Health(STAMP, 12.34, 7, STATS, link))
    assert (message.topic, message.qos, message.retain) == ("tidegate/g/health", 0, False)
    health = json.loads(message.payload)
    outbox = health["outbox"]
    assert (outbox["recorded"], outbox["dropped"]) == (12, {"expired": 1})
    assert outbox["oldest_age"] == 60.1
    assert (outbox["time_to_drain"], outbox["time_to_full"]) == (1.0, None)
    assert outbox["fill"] == 0.125
    assert health["link"]["url"] == "mqtts://b:8883"
    assert health["clock"] == "synchronised"


@pytest.mark.parametrize(
    ("wall", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795442400.9996, "2026-11-23T14:00:01.000Z"),
        (-0.5, "1969-12-31T23:59:59.500Z"),
        (1e18, "9999-12-31T23:59:59.999Z"),
        (-1e18, "0001-01-01T00:00:00.000Z"),
    ],
)
def test_times(wall: float, text: str) -> None:
    assert values.utc(wall) == text


SCALARS = (
    st.floats(-1e15, 1e15) | st.integers(-(2**53), 2**53) | st.text() | st.booleans() | st.none()
)


@given(st.dictionaries(st.text(max_size=10), SCALARS))
def test_payloads_are_the_same_with_and_without_orjson(fields: dict[str, Any]) -> None:
    assert json.loads(json_.dumps(fields)) == json.loads(json_.dumps_plain(fields)) == fields


@pytest.mark.parametrize("dumps", [json_.dumps, json_.dumps_plain])
def test_numbers_that_json_has_no_notation_for(
    dumps: Callable[[Mapping[str, Any]], bytes],
) -> None:
    fields = {"a": float("nan"), "b": [float("inf")], "c": 2**70}
    assert json.loads(dumps(fields)) == {"a": None, "b": [None], "c": 2**70}


def test_a_sample_without_readings_is_an_entry_all_the_same() -> None:
    (message,) = make().live(entry(Sample("boiler", STAMP, ())))
    assert json.loads(message.payload) == HEAD
