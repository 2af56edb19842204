"""MessagePack and CBOR: against the libraries that everybody uses, and against any bytes."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import cbor2
import hypothesis
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.codecs import cbor_, history, json_, msgpack_, sniff
from gateway.codecs.commands import MAX_DEPTH, Unacceptable, parse
from gateway.codecs.structured import Format, StructuredDialect
from gateway.model import Command, Outcome, Result
from tests.gateway.codecs.examples import entry, inbound, sample

Loads = Callable[[bytes], Any]

ORACLES: list[tuple[Format, Loads, Callable[[Any], bytes], Loads]] = [
    (msgpack_.MSGPACK, msgpack_.loads, msgpack.packb, msgpack.unpackb),
    (cbor_.CBOR, cbor_.loads, cbor2.dumps, cbor2.loads),
]
BOTH = pytest.mark.parametrize(
    ("form", "loads", "their_dumps", "their_loads"), ORACLES, ids=["msgpack", "cbor"]
)
FORMATS = pytest.mark.parametrize("form", [json_.JSON, msgpack_.MSGPACK, cbor_.CBOR])

# The edges of every width, and what is between them.
EDGES = [0, 23, 24, 31, 32, 127, 128, 255, 256, 2**15, 2**16, 2**31, 2**32, 2**63 - 1]
INTEGERS = st.sampled_from([sign * n + d for n in EDGES for sign in (1, -1) for d in (-1, 0)])
SCALARS = (
    st.integers(-(2**63), 2**64 - 1)
    | INTEGERS
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.booleans()
    | st.none()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
).filter(lambda value: depth(value) <= MAX_DEPTH)
MAPPINGS = st.dictionaries(st.text(max_size=40), VALUES, max_size=40)


def depth(value: Any) -> int:
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(inner, list):
        return 0
    return 1 + max((depth(one) for one in inner), default=0)


@BOTH
@hypothesis.settings(deadline=None, max_examples=50)
@given(fields=MAPPINGS.filter(lambda value: depth(value) <= MAX_DEPTH))
def test_what_is_written_reads_the_same_here_and_elsewhere(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads, fields: dict[str, Any]
) -> None:
    payload = form.dumps(fields)
    assert loads(payload) == their_loads(payload) == fields
    assert len(payload) <= len(their_dumps(fields))
    assert sniff.loads(payload) == fields


@BOTH
@hypothesis.settings(deadline=None, max_examples=50)
@given(value=VALUES)
def test_what_others_write_is_read(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads, value: Any
) -> None:
    assert loads(their_dumps(value)) == value


@BOTH
@pytest.mark.parametrize("size", [0, 15, 16, 23, 24, 31, 32, 255, 256, 65_535, 65_536])
def test_every_width_of_a_length(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads, size: int
) -> None:
    fields = {"text": "x" * size, "list": [1] * size, "map": {str(i): i for i in range(size)}}
    payload = form.dumps(fields)
    assert loads(payload) == their_loads(payload) == fields


@BOTH
def test_floats_of_every_width_and_what_has_no_integer(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads
) -> None:
    narrow = {
        "msgpack": [msgpack.packb(1.5, use_single_float=True)],
        "cbor": [cbor2.dumps(1.5, canonical=True), b"\xfa\x3f\xc0\x00\x00"],
    }
    assert [loads(payload) for payload in narrow[form.name]] == [1.5] * len(narrow[form.name])
    assert loads(form.dumps({"a": 2**70, "b": -(2**70)})) == {"a": 2.0**70, "b": -(2.0**70)}
    assert loads(form.dumps({"a": math.nan, "b": [-math.inf]})) == {"a": None, "b": [None]}


@BOTH
@hypothesis.settings(deadline=None, max_examples=50)
@given(payload=st.binary(max_size=200))
def test_any_bytes_are_a_value_or_a_value_error(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads, payload: bytes
) -> None:
    for read in (loads, form.loads, sniff.loads):
        with suppress(ValueError):
            read(payload)
    answer = parse("pump", inbound(payload), form.loads)
    assert isinstance(answer, Command | Result)


@BOTH
@hypothesis.settings(deadline=None, max_examples=50)
@given(fields=MAPPINGS, cut=st.integers(1, 50))
def test_a_payload_cut_short_or_too_long_is_none(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads, fields: Any, cut: int
) -> None:
    payload = form.dumps(fields)
    with pytest.raises(ValueError, match="the payload is not valid"):
        loads(payload[: -min(cut, len(payload))])
    with pytest.raises(ValueError, match="bytes follow the value"):
        loads(payload + b"\x00" * cut)


HOSTILE: list[tuple[Loads, bytes, str]] = [
    (msgpack_.loads, b"\xdd\xff\xff\xff\xff", "cut short"),
    (msgpack_.loads, b"\xdf\xff\xff\xff\xff", "cut short"),
    (msgpack_.loads, b"\xdb\xff\xff\xff\xff", "cut short"),
    (msgpack_.loads, b"\x91" * 100_000 + b"\x00", "nested deeper"),
    (msgpack_.loads, b"\xc4\x01a", "0xc4 is not used"),
    (msgpack_.loads, b"\xd4\x00\x00", "0xd4 is not used"),
    (msgpack_.loads, b"\xc1", "0xc1 is not used"),
    (msgpack_.loads, b"\x82\xa1a\x01\xa1a\x02", "given twice"),
    (msgpack_.loads, b"\x81\x01\x02", "no text"),
    (msgpack_.loads, b"\xa1\xff", "not UTF-8"),
    (cbor_.loads, b"\x9b" + b"\xff" * 8, "cut short"),
    (cbor_.loads, b"\xbb" + b"\xff" * 8, "cut short"),
    (cbor_.loads, b"\x7b" + b"\xff" * 8, "cut short"),
    (cbor_.loads, b"\x81" * 100_000 + b"\x00", "nested deeper"),
    (cbor_.loads, b"\x9f\x01\xff", "not definite"),
    (cbor_.loads, b"\x41a", "not used"),
    (cbor_.loads, b"\xc1\x00", "not used"),
    (cbor_.loads, b"\xe0", "simple value 0"),
    (cbor_.loads, b"\xa2\x61a\x01\x61a\x02", "given twice"),
    (cbor_.loads, b"\xa1\x01\x02", "no text"),
    (cbor_.loads, b"\x61\xff", "not UTF-8"),
]


@pytest.mark.parametrize(("loads", "payload", "words"), HOSTILE)
def test_what_is_hostile_or_not_used_is_refused(loads: Loads, payload: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        loads(payload)


def make(form: Format) -> StructuredDialect:
    return StructuredDialect(
        form, root="tidegate", gateway="g", qos={}, restamp=lambda stamp: stamp
    )


@FORMATS
def test_every_dialect_says_the_same(form: Format) -> None:
    (mine,) = make(form).live(entry(sample()))
    (json,) = make(json_.JSON).live(entry(sample()))
    assert mine.topic == json.topic
    assert sniff.loads(mine.payload) == sniff.loads(json.payload)
    assert sniff.format_of(mine.payload) == form.name


@FORMATS
def test_history_gives_back_the_live_payloads(form: Format) -> None:
    entries = [entry(sample(20.0 + i % 7), i + 1) for i in range(50)]
    (message,) = make(form).history(entries)
    assert message.content_type == f"{form.content_type}+zlib"
    live = [sniff.loads(make(form).live(one)[0].payload) | {"device": "boiler"} for one in entries]
    assert history.unpack(message.payload, sniff.loads) == live


@BOTH
def test_commands_in_the_dialect_or_as_a_json_envelope(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads
) -> None:
    fields = {"id": "a1", "value": 21.5}
    for payload in (form.dumps(fields), json_.dumps(fields)):
        command = parse("pump", inbound(payload), form.loads)
        assert isinstance(command, Command)
        assert (command.id, command.value) == ("a1", 21.5)
    for value in (True, False, 21.5, -3, "open"):
        command = parse("pump", inbound(their_dumps(value)), form.loads)
        assert isinstance(command, Command)
        assert command.value == value
    refused = parse("pump", inbound(b"ON"), form.loads)
    assert isinstance(refused, Result)
    assert refused.outcome is Outcome.REFUSED
    assert "not valid" in refused.reason
    with pytest.raises(Unacceptable):
        form.loads(b"{nonsense")


@BOTH
@hypothesis.settings(deadline=None, max_examples=50)
@given(fields=st.dictionaries(st.text(), SCALARS, max_size=300))
def test_no_mapping_begins_as_json_does(
    form: Format, loads: Loads, their_dumps: Any, their_loads: Loads, fields: dict[str, Any]
) -> None:
    """So an envelope in JSON and one in the dialect cannot be taken for each other."""
    assert form.dumps(fields)[:1] != b"{"
    assert their_dumps(fields)[:1] != b"{"


@FORMATS
@pytest.mark.parametrize("value", [10**400, -(10**400), "half a pair \udcff"])
def test_what_a_driver_should_not_have_given_stops_nothing(form: Format, value: object) -> None:
    """The link would end at it, at each start again."""
    found = sniff.loads(form.dumps({"value": value}))["value"]
    assert found in ("half a pair ?", None, value if form is json_.JSON else None)
