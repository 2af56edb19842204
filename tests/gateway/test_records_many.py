"""Records that are decoded together are what each of them is, whatever stands among them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import records
from gateway.flat import Flat
from gateway.model import Reading, Recorded, Sample, Stamp
from gateway.records_many import STRIDE, decode_all
from tests.gateway.test_records import recorded, same, samples

STAMP = Stamp(1795442400.5, 12.5, "abcd1234", True)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)
stamps = st.just([0, 1.5, "boot", 1]) | json_values
odd = st.builds(
    lambda kind, device, stamp, rest: json.dumps([kind, device, stamp, *rest]).encode(),
    st.sampled_from(["T", "C", "S", "?", 1, [], None]),
    st.text(max_size=3) | json_values,
    stamps,
    st.lists(st.sampled_from(["t", "h"]) | json_values, max_size=5),
)
encoded = recorded.map(records.encode)
plain = samples.map(records.encode)


def cut_or_flipped(payload: bytes, place: int, flip: int) -> bytes:
    at = place % (len(payload) + 1)
    return payload[:at] if not flip else payload[:at] + bytes([flip]) + payload[at + 1 :]


damaged = st.builds(cut_or_flipped, plain, st.integers(0, 200), st.integers(0, 255))
payloads = st.lists(plain | odd | encoded | damaged | st.binary(max_size=6), max_size=6)


def one_by_one(payload: bytes) -> Recorded | str:
    try:
        return records.decode(payload)
    except records.RecordError as error:
        return str(error)


def together(given_payloads: list[bytes]) -> list[Recorded | str]:
    found = decode_all(given_payloads)
    return [str(one) if isinstance(one, records.RecordError) else one for one in found]


@given(payloads | st.lists(plain, max_size=6) | st.lists(odd, max_size=3))
def test_together_they_are_what_each_of_them_is(given_payloads: list[bytes]) -> None:
    expected: list[Any] = [one_by_one(payload) for payload in given_payloads]
    assert same(together(given_payloads), expected)


@pytest.mark.parametrize("place", [0, STRIDE - 1, STRIDE, 2 * STRIDE])
def test_one_that_is_none_costs_no_other(place: int) -> None:
    good = [Sample("boiler", STAMP, (Reading("t", n),), n % 2 == 0) for n in range(2 * STRIDE + 1)]
    encoded = [records.encode(sample) for sample in good]
    encoded[place] = b'["T","boiler",[0,0,"",1],"t"]'
    found = decode_all(encoded)
    assert [n for n, one in enumerate(found) if isinstance(one, records.RecordError)] == [place]
    assert [one for n, one in enumerate(found) if n != place] == good[:place] + good[place + 1 :]


def test_plain_samples_stay_columns_and_share_their_channels() -> None:
    made = [Sample("boiler", STAMP, (Reading("t", n), Reading("h", 1.5))) for n in range(2)]
    one, two = decode_all([records.encode(sample) for sample in made])
    assert isinstance(one, Sample)
    assert isinstance(two, Sample)
    assert type(one.readings) is type(two.readings) is Flat
    assert one.readings.channels is two.readings.channels
    assert one.stamp == STAMP
    assert type(one.stamp) is Stamp
