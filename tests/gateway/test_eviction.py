"""What goes when the journal is full, and in which order (traps.md, case 13)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from drivers.base import Reading
from gateway.eviction import Step, choose, is_expired, plan
from gateway.journal import Chunk, Record
from gateway.model import Gap, GapReason, Key, Klass, Recorded, Sample, Stamp

CAPACITY = 1000
NOW = 1_000_000.0
STAMP = Stamp(NOW, 5.0, "boot", True)


def chunk(
    number: int,
    size: int = 900,
    *,
    dear: int = 0,
    level: int = 0,
    newest: float = NOW,
    kept: int = 10,
) -> Chunk:
    """Its records are number*100 to number*100+99."""
    first, last = Key(1, number * 100), Key(1, number * 100 + 99)
    return Chunk(first, last, level, kept, size, dear, newest, CAPACITY)


def full(count: int, **options: int) -> list[Chunk]:
    return [chunk(number, **options) for number in range(count)]


# The plan


def test_an_empty_journal_has_nothing_to_give() -> None:
    assert plan([], NOW) is None


def test_chunks_that_shrank_are_merged_before_anything_goes() -> None:
    chunks = [chunk(0), chunk(1, 300), chunk(2, 600, level=2), chunk(3, newest=1.0)]
    step = plan(chunks, NOW)
    assert step == Step(None, (chunks[1], chunks[2]), 2)


@pytest.mark.parametrize(("second", "fits"), [(600, True), (601, False)])
def test_a_merged_chunk_may_be_nine_tenths_full(second: int, fits: bool) -> None:
    chunks = [chunk(0, 300), chunk(1, second)]
    step = plan(chunks, 0.0)
    assert step is not None
    assert (step.reason is None) is fits


def test_what_expired_goes_before_anything_is_thinned() -> None:
    chunks = [chunk(0, newest=NOW - 50), chunk(1, newest=NOW - 101), chunk(2), chunk(3)]
    assert plan(chunks, NOW - 100) == Step(GapReason.EXPIRED, (chunks[1],), 0)


def test_expiry_keeps_the_level_of_the_chunk() -> None:
    old = chunk(0, newest=NOW - 101, level=2)
    assert plan([old, chunk(1)], NOW - 100) == Step(GapReason.EXPIRED, (old,), 2)


@pytest.mark.parametrize("newest", [0.0, NOW - 100, NOW])
def test_what_has_no_time_or_is_young_enough_does_not_expire(newest: float) -> None:
    step = plan([chunk(0, newest=newest), chunk(1), chunk(2), chunk(3)], NOW - 100)
    assert step is not None
    assert step.reason is GapReason.THINNED


def test_nothing_expires_where_nothing_may() -> None:
    step = plan([chunk(0, newest=1.0), *full(4)[1:]], 0.0)
    assert step is not None
    assert step.reason is GapReason.THINNED


def test_expired_telemetry_leaves_what_is_dear_to_a_neighbour() -> None:
    old = chunk(0, newest=1.0, dear=200)
    young = chunk(1, 700, level=1)
    assert plan([old, young], NOW) == Step(GapReason.EXPIRED, (old, young), 1)


def test_the_dear_part_of_two_expired_chunks_becomes_one() -> None:
    one, two = chunk(0, newest=1.0, dear=400), chunk(1, newest=1.0, dear=500, level=1)
    young = chunk(2, 850)
    assert plan([one, two, young], NOW) == Step(GapReason.EXPIRED, (one, two), 1)


def test_what_expired_goes_where_an_old_neighbour_has_only_what_is_dear() -> None:
    one, two = chunk(0, 500, dear=500, newest=1.0), chunk(1, newest=2.0, dear=300)
    assert plan([one, two, chunk(2)], NOW) == Step(GapReason.EXPIRED, (one, two), 0)
    assert plan([two, one, chunk(2)], NOW) == Step(GapReason.EXPIRED, (two, one), 0)


def test_expired_chunks_without_room_to_keep_what_is_dear_wait() -> None:
    one, two = chunk(0, newest=1.0, dear=600), chunk(1, newest=1.0, dear=600)
    step = plan([one, two, *full(6)[2:]], NOW)
    assert step is not None
    assert step.reason is not GapReason.EXPIRED


def test_a_chunk_of_dear_things_only_does_not_expire() -> None:
    dear = chunk(0, 900, dear=900, newest=1.0)
    chunks = [dear, *full(6)[1:]]
    assert plan(chunks, NOW) == Step(GapReason.THINNED, (chunks[1], chunks[2]), 1)


def test_the_oldest_pair_of_a_level_is_thinned() -> None:
    chunks = full(4)
    assert plan(chunks, 0.0) == Step(GapReason.THINNED, (chunks[0], chunks[1]), 1)


def test_thinned_chunks_are_thinned_again_before_younger_ones_are_at_all() -> None:
    chunks = [*full(2, level=1), *full(8)[2:]]
    assert plan(chunks, 0.0) == Step(GapReason.THINNED, (chunks[0], chunks[1]), 2)


def test_only_neighbours_of_one_level_are_thinned_together() -> None:
    chunks = [chunk(0, level=1), chunk(1), chunk(2), *full(6)[3:]]
    assert plan(chunks, 0.0) == Step(GapReason.THINNED, (chunks[1], chunks[2]), 1)


def test_the_younger_half_is_not_thinned() -> None:
    chunks = [*full(2, level=3), *full(4)[2:]]
    step = plan(chunks, 0.0)
    assert step == Step(GapReason.OLDEST, (chunks[0],), 0, until=chunks[0].last)


def test_not_even_its_oldest_pair_is_thinned_with_the_one_before() -> None:
    chunks = [chunk(0, level=3), *full(4)[1:]]
    assert plan(chunks, 0.0) == Step(GapReason.OLDEST, (chunks[0],), 0, until=chunks[0].last)


def test_of_an_odd_number_the_middle_belongs_to_the_older_half() -> None:
    chunks = [chunk(0, level=3), chunk(1), chunk(2)]
    step = plan(chunks[:3], 0.0)
    assert step == Step(GapReason.OLDEST, (chunks[0],), 0, until=chunks[0].last)
    chunks = [chunk(0, level=3), chunk(1), chunk(2), chunk(3), chunk(4)]
    assert plan(chunks, 0.0) == Step(GapReason.THINNED, (chunks[1], chunks[2]), 1)


def test_what_was_thinned_three_times_goes_as_the_oldest() -> None:
    chunks = full(4, level=3)
    assert plan(chunks, 0.0) == Step(GapReason.OLDEST, (chunks[0],), 0, until=chunks[0].last)


def test_full_chunks_are_thinned_too() -> None:
    chunks = full(4, size=1000)
    assert plan(chunks, 0.0) == Step(GapReason.THINNED, (chunks[0], chunks[1]), 1)


def test_what_is_dear_counts_whole_where_thinning_is_planned() -> None:
    fits = [chunk(0, 900, dear=400), chunk(1, 999, dear=0)]
    step = plan([*fits, *full(4)[2:]], 0.0)
    assert step is not None
    assert step.reason is GapReason.THINNED
    too_dear = [chunk(0, 900, dear=403), chunk(1, 999, dear=0)]
    step = plan([*too_dear, *full(4, level=3)[2:]], 0.0)
    assert step is not None
    assert step.reason is GapReason.OLDEST


def test_the_oldest_goes_and_what_is_dear_in_it_is_kept() -> None:
    one, two = chunk(0, dear=200, level=3), chunk(1, 700, level=2)
    assert plan([one, two], 0.0) == Step(GapReason.OLDEST, (one, two), 2, until=one.last)


def test_two_chunks_full_of_dear_things_become_one() -> None:
    one, two = chunk(0, 1000, dear=450), chunk(1, 1000, dear=450, level=1)
    assert plan([one, two], 0.0) == Step(GapReason.OLDEST, (one, two), 0, until=two.last)


def test_of_two_neighbours_one_with_telemetry_is_enough() -> None:
    one, two = chunk(0, 500, dear=500), chunk(1, 1000, dear=100, level=3)
    assert plan([one, two], 0.0) == Step(GapReason.OLDEST, (one, two), 0, until=two.last)


def test_the_first_chunk_without_anything_dear_goes_where_no_pair_fits() -> None:
    one, two = chunk(0, 1000, dear=950), chunk(1, 1000, level=3)
    three = chunk(2, 1000, dear=950)
    step = plan([one, three, two], 0.0)
    assert step == Step(GapReason.OLDEST, (two,), 0, until=two.last)


def test_dear_chunks_between_do_not_hold_the_telemetry_behind_them() -> None:
    chunks = [chunk(0, 900, dear=900), chunk(1, 900, dear=900), chunk(2, 900)]
    assert plan(chunks, 0.0) == Step(GapReason.OLDEST, (chunks[2],), 0, until=chunks[2].last)
    mixed = [chunk(0, 900, dear=900), chunk(1, 950, dear=600), chunk(2, 900, level=3)]
    assert plan(mixed, 0.0) == Step(GapReason.OLDEST, (mixed[1], mixed[2]), 0, until=mixed[2].last)


def test_only_when_nothing_else_is_left_the_oldest_of_what_is_dear_goes() -> None:
    chunks = full(3, dear=900)
    step = plan(chunks, 0.0)
    assert step == Step(GapReason.OLDEST, (chunks[0],), 0, until=chunks[0].last, dear=True)


# The choice


def sample(seq: int, value: float | bool | str = 20.0, *, device: str = "a") -> Record:
    return made(seq, Sample(device, STAMP, (Reading("temperature", value),)))


def made(seq: int, recorded: Recorded, klass: Klass = Klass.TELEMETRY, wall: float = NOW) -> Record:
    TABLE[str(seq).encode().ljust(10)] = recorded
    device = recorded.device if isinstance(recorded, Sample) else ""
    return Record(Key(1, seq), klass, wall, device, str(seq).encode().ljust(10))


TABLE: dict[bytes, Recorded] = {}


def decode(payload: bytes) -> Recorded:
    return TABLE[payload]


def alarm(seq: int) -> Record:
    return made(seq, Gap(GapReason.CRASH, STAMP, 1, 1, 1, 1), Klass.ALARM)


def gone(step: Step, records: Sequence[Record], before: float = 0.0) -> list[int]:
    return [record.key.seq for record in choose(step, records, before, decode)]


def thin(records: Sequence[Record], size: int = 100) -> list[int]:
    """size: of the two chunks together, in percent of what fits into one."""
    half = CAPACITY * size // 200
    step = Step(GapReason.THINNED, (chunk(0, half), chunk(1, half)), 1)
    return gone(step, records)


def test_a_merge_takes_nothing() -> None:
    assert gone(Step(None, (chunk(0),), 0), [sample(1), sample(2)]) == []


def test_what_expired_goes_and_what_is_dear_stays() -> None:
    old = Record(Key(1, 1), Klass.TELEMETRY, 99.0, "a", b"")
    young = Record(Key(1, 2), Klass.TELEMETRY, 100.0, "a", b"")
    undated = Record(Key(1, 3), Klass.TELEMETRY, 0.0, "a", b"")
    dear = Record(Key(1, 4), Klass.COUNTER, 99.0, "a", b"")
    step = Step(GapReason.EXPIRED, (chunk(0),), 0)
    assert gone(step, [old, young, undated, dear], 100.0) == [1]
    assert [is_expired(r, 100.0) for r in (old, young, undated, dear)] == [True] + 3 * [False]


def test_the_oldest_goes_up_to_a_key() -> None:
    records = [sample(1), alarm(2), sample(3), sample(4)]
    step = Step(GapReason.OLDEST, (chunk(0),), 0, until=Key(1, 3))
    assert gone(step, records) == [1, 3]
    step = Step(GapReason.OLDEST, (chunk(0),), 0, until=Key(1, 3), dear=True)
    assert gone(step, records) == [1, 2, 3]


def test_without_a_limit_the_oldest_takes_nothing() -> None:
    assert gone(Step(GapReason.OLDEST, (chunk(0),), 0), [sample(1)]) == []


def test_every_second_sample_goes_and_first_and_last_stay() -> None:
    """The places 2, 4 ... stay, 1, 3 ... go, counted from the first, which stays."""
    assert thin([sample(seq) for seq in range(10, 19)]) == [11, 13, 15, 17]
    assert thin([sample(seq) for seq in range(10, 18)]) == [11, 13, 15]


def test_lowest_and_highest_stay() -> None:
    values = {11: -5.0, 13: 40.0, 15: 20.0}
    records = [sample(seq, values.get(seq, 20.0)) for seq in range(10, 19)]
    assert thin(records) == [15, 17]


def test_lowest_and_highest_of_each_channel_stay() -> None:
    def two(seq: int, temperature: float, humidity: float) -> Record:
        readings = Reading("temperature", temperature), Reading("humidity", humidity)
        return made(seq, Sample("a", STAMP, readings))

    records = [two(seq, 20.0, 50.0) for seq in range(10, 21)]
    records[1] = two(11, -5.0, 50.0)
    records[3] = two(13, 20.0, 90.0)
    records[5] = two(15, 30.0, 50.0)
    records[7] = two(17, 20.0, 5.0)
    assert thin(records, 80) == [19]


def test_values_that_are_no_numbers_have_no_extremes() -> None:
    records = [sample(seq, "open" if seq % 4 == 1 else "shut") for seq in range(10, 17)]
    assert thin(records) == [11, 13, 15]


def test_each_device_is_thinned_by_itself() -> None:
    records = [sample(seq, device="ab"[seq % 2]) for seq in range(10, 20)]
    assert thin(records) == [12, 13, 16, 17]


def test_what_is_dear_is_not_thinned() -> None:
    records = [alarm(seq) if seq % 2 else sample(seq) for seq in range(10, 19)]
    assert thin(records) == [12, 16]


@pytest.mark.parametrize(
    ("size", "stays"),
    [
        (150, [10, 12, 14, 16, 18, 20, 22, 24, 26]),
        (170, [10, 12, 14, 16, 18, 20, 22, 24, 26]),  # 9 of 17 of 170 % are 90 %
        (171, [10, 13, 15, 18, 20, 23, 25, 26]),
        (270, [10, 14, 18, 22, 26]),
    ],
)
def test_more_goes_until_the_rest_fits(size: int, stays: list[int]) -> None:
    """Of 17, nine, five or three are left; as many must go as make the rest fit at 90 %."""
    records = [sample(seq) for seq in range(10, 27)]
    left = set(range(10, 27)) - set(thin(records, size))
    assert sorted(left) == stays


@pytest.mark.parametrize(
    ("size", "stays"),
    [(100, 101), (179, 101), (223, 81), (266, 68), (354, 51), (695, 26), (696, 2)],
)
def test_no_more_goes_than_must(size: int, stays: int) -> None:
    """Of 201 samples a half, two fifths, a third, a quarter or an eighth is left, and the last."""
    records = [sample(seq) for seq in range(1, 202)]
    assert 201 - len(thin(records, size)) == stays


def test_in_the_end_only_first_last_and_extremes_are_left() -> None:
    records = [sample(seq) for seq in range(10, 27)]
    left = set(range(10, 27)) - set(thin(records, 450))
    assert sorted(left) == [10, 18, 26]
    left = set(range(10, 27)) - set(thin(records, 600))
    assert sorted(left) == [10, 26]


def test_and_where_not_even_those_fit_all_telemetry_goes() -> None:
    records = [*(sample(seq, device=f"d{seq}") for seq in range(10, 20)), alarm(20)]
    assert thin(records, 100_000) == list(range(10, 20))


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.floats(-50, 50), st.booleans()),
        min_size=2,
        max_size=60,
    )
)
def test_thinning_never_takes_an_end_an_extreme_or_what_is_dear(
    items: list[tuple[str, float, bool]],
) -> None:
    records = [
        alarm(seq) if dear else sample(seq, value, device=device)
        for seq, (device, value, dear) in enumerate(items, 1)
    ]
    going = set(thin(records, 80))
    for device in "abc":
        series = [
            (seq, value)
            for seq, (name, value, dear) in enumerate(items, 1)
            if name == device and not dear
        ]
        if series:
            left = [(seq, value) for seq, value in series if seq not in going]
            assert left[0] == series[0]
            assert left[-1] == series[-1]
            values = [value for _, value in left]
            assert min(values) == min(value for _, value in series)
            assert max(values) == max(value for _, value in series)
            numbers = [seq for seq, _ in series]
            places = [numbers.index(seq) for seq, _ in left]
            assert all(two - one <= 2 for one, two in pairwise(places))
    assert all(not items[seq - 1][2] for seq in going)
