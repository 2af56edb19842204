"""Which of a backlog that was read back is taken next."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.lanes import Lanes
from gateway.model import Entry, Key, Klass, Lane, Sample, Stamp

SAMPLE = Sample("boiler", Stamp(0.0, 0.0, "", True), ())
klasses = st.sampled_from([Klass.TELEMETRY, Klass.COUNTER, Klass.RESULT])
takes = st.lists(st.tuples(st.integers(0, 12), klasses), max_size=8)


@given(st.lists(klasses, min_size=1, max_size=20), takes)
def test_the_next_of_the_wanted_classes_and_the_others_stay_in_order(
    backlog: list[Klass], wishes: list[tuple[int, Klass]]
) -> None:
    entries = [Entry(Key(1, n), klass, SAMPLE) for n, klass in enumerate(backlog, 1)]
    lanes = Lanes(2, entries[-1].key)
    first, rest = lanes._first, lanes._rest
    lanes.fill(first, [], None, entries[-1].key)
    lanes.fill(rest, entries, None, entries[-1].key)
    for limit, least in wishes:
        expected = [entry for entry in entries if entry.klass >= least][:limit]
        assert lanes.take(limit, limit, least) == [(entry, Lane.HISTORY) for entry in expected]
        assert all(lanes.flying[entry.key] is None for entry in expected)
        entries = [entry for entry in entries if entry not in expected]
    assert list(rest.window) == entries
