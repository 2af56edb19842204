"""Readings out of the journal: the same for everyone, whether they are taken apart or not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import records
from gateway.codecs import history, values
from gateway.flat import Flat
from gateway.model import Entry, Key, Klass, Quality, Reading, Sample, Stamp

numbers = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False) | st.booleans()
names = st.sampled_from(["temperature", "humidity", "é", "{", "["])
plain = st.builds(Reading, names, numbers | st.text(max_size=4))
doubtful = st.builds(Reading, names, st.none() | numbers, st.sampled_from(Quality))
batches = st.lists(
    st.builds(
        Sample,
        st.sampled_from(["boiler", "pump"]),
        st.builds(Stamp, st.just(1795442400.123), st.just(12.5), st.just("boot"), st.booleans()),
        st.lists(plain, max_size=3).map(tuple) | st.lists(plain | doubtful, max_size=3).map(tuple),
    ),
    min_size=1,
    max_size=8,
)


def entries(samples: list[Sample]) -> list[Entry]:
    return [Entry(Key(1, n), Klass.TELEMETRY, s) for n, s in enumerate(samples, 1)]


@given(batches)
def test_what_comes_from_the_journal_is_sent_like_what_never_was_there(batch: list[Sample]) -> None:
    read = [records.decode(records.encode(sample)) for sample in batch]
    back = entries([sample for sample in read if isinstance(sample, Sample)])
    assert repr(history.content(back)) == repr(history.content(entries(batch)))
    live = [values.recorded(entry) for entry in entries(batch)]
    assert repr([values.recorded(entry) for entry in back]) == repr(live)


def test_readings_that_are_not_taken_apart_are_a_sequence_of_readings() -> None:
    temperature, humidity = Reading("temperature", 21.4), Reading("humidity", 55)
    flat = Flat(("temperature", "humidity"), [21.4, 55])
    assert (len(flat), flat[1], flat[:1]) == (2, humidity, (temperature,))
    assert flat == (temperature, humidity)
    assert flat == Flat(("temperature", "humidity"), (21.4, 55))
    assert flat != (temperature,)
    assert hash(flat) == hash((temperature, humidity))
    assert repr(flat) == repr((temperature, humidity))


def test_one_that_is_doubtful_is_taken_apart() -> None:
    stamp = Stamp(0.0, 0.0, "", False)
    readings = Reading("t", 1), Reading("h", None, Quality.BAD)
    decoded = records.decode(records.encode(Sample("d", stamp, readings)))
    assert isinstance(decoded, Sample)
    assert decoded.readings == readings
    assert isinstance(decoded.readings, tuple)


@pytest.mark.parametrize("fields", [b"1,2", b'"t",1,"h"', b'"t",1,2,3'])
def test_what_is_no_name_is_no_channel(fields: bytes) -> None:
    with pytest.raises(records.RecordError, match="not a record"):
        records.decode(b'["T","d",[0,0,"",1],' + fields + b"]")
