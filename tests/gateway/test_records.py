"""Records: whatever is recorded comes back as it was, whichever JSON library wrote or reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import records
from gateway.model import (
    Alarm,
    AlarmState,
    Gap,
    GapReason,
    Outcome,
    Quality,
    Reading,
    Recorded,
    Result,
    Sample,
    Stamp,
    State,
)

times = st.floats(0, 4e9).map(lambda seconds: round(seconds, 3))
stamps = st.builds(Stamp, times, times, st.text(max_size=8), st.booleans())
values = st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=20)
names = st.text(min_size=1, max_size=12)
readings = st.builds(Reading, names, values | st.none(), st.sampled_from(Quality), names, names)
plain = st.builds(Reading, names, values)
samples = st.builds(
    Sample, names, stamps, st.lists(readings | plain, max_size=6).map(tuple), st.booleans()
)
results = st.builds(
    Result,
    names,
    names,
    stamps,
    st.sampled_from(Outcome),
    st.text(max_size=9),
    st.none() | values,
    names,
    names,
    st.binary(max_size=9),
)
states = st.builds(State, names, stamps, values, names)
alarms = st.builds(Alarm, names, stamps, st.sampled_from(AlarmState), st.text(max_size=9))
numbers = st.integers(1, 2**40)
gaps = st.builds(
    Gap,
    st.sampled_from(GapReason),
    stamps,
    numbers,
    numbers,
    st.none() | numbers,
    numbers,
    names,
    times,
    times,
)
recorded = samples | results | states | alarms | gaps


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same types all through: 1, 1.0 and True are three values."""
    return repr(one) == repr(other)


@given(recorded)
def test_what_is_recorded_comes_back(what: Recorded) -> None:
    assert same(records.decode(records.encode(what)), what)


@pytest.mark.parametrize("loads", [records.loads, records._loads])
@given(what=recorded)
def test_either_library_reads_what_either_wrote(
    loads: Callable[[bytes], Any], what: Recorded
) -> None:
    array = json.loads(records.encode(what).decode("utf-8", "surrogatepass"))
    assert same(loads(records._dumps(array)), array)


def test_a_plain_reading_is_its_name_and_its_value() -> None:
    stamp = Stamp(1795442400.12345, 12.3456, "abcd1234", True)
    good = Reading("temperature", 21.4)
    bad = Reading("humidity", None, Quality.BAD)
    assert json.loads(records.encode(Sample("boiler", stamp, (good, bad)))) == [
        *("T", "boiler", [1795442400.123, 12.346, "abcd1234", 1]),
        *("temperature", 21.4, ["humidity", None, "bad", "", ""]),
    ]


def test_numbers_that_json_has_no_notation_for() -> None:
    stamp = Stamp(0.0, 0.0, "", False)
    odd = (math.inf, -math.inf, 2**63, -(2**64))
    sample = Sample("d", stamp, tuple(Reading("c", value) for value in odd))
    assert records.decode(records.encode(sample)) == sample


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"{}",
        b'["X"]',
        b'["T"]',
        b'["T","d",[0,0,"",1],"temperature"]',
        b'["T","d",[0,0,"",1],["t",1,"no such quality","",""]]',
        b'["T","d",[0,0,"",1],"t",{"float":"x"}]',
        b'["G","no such reason",[0,0,"",1],1,1,1,1,"",0,0]',
        b"\xff\xfe",
        b'["T","d",[1' + b"0" * 400 + b',0,"",1],"t",1]',
    ],
)
def test_what_is_no_record_says_so(data: bytes) -> None:
    with pytest.raises(records.RecordError, match="not a record"):
        records.decode(data)
