"""Commands: what is understood, what is refused and with which words, and that nothing escapes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs import commands, json_
from gateway.codecs.commands import MAX_BYTES, loads_text
from gateway.model import Command, Heard, Outcome, Result, Value
from tests.gateway.codecs.examples import STAMP, inbound


def parsed(payload: bytes, **more: Any) -> Command | Result:
    return commands.parse("pump", inbound(payload, **more), loads_text)


def refusal(payload: bytes, **more: Any) -> str:
    answer = parsed(payload, **more)
    assert isinstance(answer, Result)
    assert answer.outcome is Outcome.REFUSED
    return answer.reason


@pytest.mark.parametrize(
    ("payload", "value"),
    [
        (b"ON", True),
        (b"off", False),
        (b"true", True),
        (b" FALSE\n", False),
        (b"21.5", 21.5),
        (b"-3", -3),
        (b"1e3", 1000.0),
        (b"open", "open"),
        (b"-", "-"),
        (b"null", "null"),
        (b'"21"', "21"),
        ("öffnen".encode(), "öffnen"),
        (b'{"value":"OFF"}', "OFF"),
        (b'{"value":0}', 0),
    ],
)
def test_values(payload: bytes, value: Value) -> None:
    command = parsed(payload)
    assert isinstance(command, Command)
    assert command.value == value
    assert type(command.value) is type(value)
    assert command.id == "m-1"


def test_an_envelope_with_everything() -> None:
    command = parsed(
        b'{"id":"a1","value":true,"expires":"2026-11-23T15:00:00+01:00","nonce":"n"}',
        response_topic="me/answers",
        correlation=b"\x01",
    )
    assert command == Command(
        id="a1",
        device="pump",
        value=True,
        received=STAMP,
        expires=1795442400.0,
        nonce="n",
        response_topic="me/answers",
        correlation=b"\x01",
    )


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b"", "empty payload"),
        (b"  ", "empty payload"),
        (b"x" * (MAX_BYTES + 1), "at most 8192"),
        (b"\xff\xfe", "not UTF-8"),
        (b"[" * 4000, "nested deeper than 8"),
        (b'{"a":' * 20, "nested deeper than 8"),
        (b'{"value":true', "not valid JSON"),
        (b'{"' + b'\\"' * 4000, "not valid JSON"),
        (b'{"value":true,"valeu":1}', "unknown field 'valeu'"),
        (b'{"value":true,"value":false}', "given twice"),
        (b'{"id":"a1"}', '"value" is missing'),
        (b"[1]", "true, false, a number or a text"),
        (b'{"value":null}', "true, false, a number or a text"),
        (b'{"value":{"on":1}}', "true, false, a number or a text"),
        (b'{"value":NaN}', "NaN"),
        (b'{"value":1e999}', "not finite"),
        (b"9" * 400, "not finite or too large"),
        (b"9" * 5000, "not valid JSON"),
        (b"x" * 300, "at most 256"),
        (b'"a\\u0000b"', "control characters"),
        (b'{"value":1,"id":""}', '"id" has to be'),
        (b'{"value":1,"id":"a b"}', '"id" has to be'),
        (b'{"value":1,"id":7}', '"id" has to be'),
        (b'{"value":1,"nonce":[]}', '"nonce" has to be'),
        (b'{"value":1,"id":"' + b"a" * 65 + b'"}', '"id" has to be'),
        (b'{"value":1,"expires":"tomorrow"}', "no time"),
        (b'{"value":1,"expires":"2026-11-23T14:00:00"}', "time zone"),
        (b'{"value":1,"expires":1795442400000}', "milliseconds"),
        (b'{"value":1,"expires":true}', '"expires" has to be'),
        (b"12 apples", "not valid JSON"),
    ],
)
def test_refusals_say_what_is_wrong(payload: bytes, words: str) -> None:
    assert words in refusal(payload)


def test_a_refusal_answers_the_sender_under_his_id() -> None:
    answer = parsed(b'{"id":"a1","value":1,"x":0}', response_topic="me", correlation=b"\x02")
    assert isinstance(answer, Result)
    assert (answer.id, answer.device) == ("a1", "pump")
    assert (answer.response_topic, answer.correlation) == ("me", b"\x02")


def test_a_retained_command_is_refused() -> None:
    assert "retain" in refusal(b"ON", retain=True)


@pytest.mark.parametrize(
    ("payload", "expiry", "expires"),
    [
        (b"ON", None, None),
        (b"ON", 30, STAMP.wall + 30),
        (b'{"value":1,"expires":1795442410}', 30, 1795442410.0),
        (b'{"value":1,"expires":1795442499}', 30, STAMP.wall + 30),
    ],
)
def test_the_earlier_expiry_counts(
    payload: bytes, expiry: int | None, expires: float | None
) -> None:
    command = parsed(payload, expiry=expiry)
    assert isinstance(command, Command)
    assert command.expires == expires


@pytest.mark.parametrize(
    ("payload", "uncertain"), [(b"ON", True), (b'{"id":"a","value":1}', False)]
)
def test_a_redelivery_without_an_id_is_uncertain(payload: bytes, uncertain: bool) -> None:
    command = parsed(payload, redelivered=True)
    assert isinstance(command, Command)
    assert command.uncertain is uncertain


def understood(payload: bytes, topic: str) -> Command | Result | Heard:
    dialect = json_.dialect(root="tidegate", gateway="g", qos={}, restamp=lambda stamp: stamp)
    return dialect.command(inbound(payload, topic))


@given(payload=st.binary(max_size=300), topic=st.text(max_size=30))
def test_no_bytes_make_it_raise(payload: bytes, topic: str) -> None:
    for place in ("tidegate/g/pump/set", "tidegate/g/command", topic):
        assert isinstance(understood(payload, place), Command | Result | Heard)


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.dictionaries(st.sampled_from(["id", "value", "expires", "nonce"]), JSONISH)


@given(fields=FIELDS | JSONISH)
def test_no_json_makes_it_raise(fields: object) -> None:
    answer = parsed(json.dumps(fields).encode())
    if isinstance(answer, Command):
        assert isinstance(answer.value, bool | int | float | str)
    else:
        assert answer.reason


@pytest.mark.parametrize(
    ("topic", "device"),
    [
        ("tidegate/g/pump/set", "pump"),
        ("tidegate/g/command", ""),
        ("tidegate/g/pump/status", None),
        ("tidegate/g//set", None),
        ("tidegate/h/pump/set", None),
        ("tidegate/g/a/b/set", None),
        ("", None),
    ],
)
def test_whom_a_topic_commands(topic: str, device: str | None) -> None:
    answer = understood(b"ON", topic)
    if device is None:
        assert isinstance(answer, Result)
        assert "takes no commands" in answer.reason
    else:
        assert isinstance(answer, Command)
        assert answer.device == device
