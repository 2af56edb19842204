"""What a metered link's day has cost, over restarts and crashes."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.link.tally import DAY, Day, DayBytes
from gateway.metered import RETRY, SHARE, DayKeeper, resumed
from gateway.state import Store
from tests.gateway.fake_clock import FakeClock

BUDGET = 20_000


class House:
    """A gateway's days: the state outlives its runs."""

    def __init__(self, folder: Path) -> None:
        self.store = CountingStore(folder / "state.db")
        self.clock = FakeClock()
        self.start()

    def start(self) -> None:
        self.keeper = DayKeeper(self.store, self.clock, BUDGET)
        self.keeper.look()

    def use(self, size: int) -> None:
        """So many bytes, or somewhat more."""
        self.keeper.bytes.add(self.clock.stamp().wall, size, 0, 0, 0)

    @property
    def today(self) -> int:
        return int(self.clock.stamp().wall // DAY)

    @property
    def total(self) -> int:
        return self.keeper.bytes.total


class CountingStore(Store):
    writes = 0

    def remember(self, kind: str, name: str, note: object) -> None:
        self.writes += 1
        super().remember(kind, name, note)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def test_a_restart_goes_on_counting(house: House) -> None:
    house.use(9000)
    before = house.keeper.bytes.now
    assert before.sent >= 9000
    house.keeper.end()
    house.start()
    assert house.keeper.bytes.now == before
    house.use(100)
    assert house.keeper.bytes.sent > before.sent


def test_a_run_that_dies_has_used_no_more_than_the_next_one_counts(house: House) -> None:
    for _ in range(5):
        house.use(3000)
        house.keeper.look()
        house.use(500)  # since the last look: less than what was counted ahead
        spent = house.total
        house.start()
        assert spent <= house.total <= spent + SHARE * BUDGET


def test_runs_that_die_at_once_use_the_budget_up_too(house: House) -> None:
    for _ in range(30):
        house.start()
    assert house.total >= BUDGET


def test_nothing_is_written_while_nothing_is_used_and_little_while_it_is(house: House) -> None:
    writes = house.store.writes
    assert writes == 1
    for _ in range(1000):
        house.keeper.look()
    assert house.store.writes == writes
    while house.total < BUDGET:
        house.use(20)
        house.keeper.look()
    assert house.store.writes - writes <= 1 / SHARE


def test_a_new_day_begins_at_nothing_and_is_noted_once(house: House) -> None:
    house.use(9000)
    house.keeper.look()
    writes = house.store.writes
    house.clock.advance(DAY)
    house.use(0)
    assert house.keeper.bytes.now == Day(house.today)
    house.keeper.look()
    house.keeper.look()
    assert house.store.writes == writes + 1
    house.keeper.end()
    house.clock.advance(DAY)
    house.start()
    assert house.keeper.bytes.now == Day(house.today)


def test_a_clock_that_is_not_set_yet_gives_no_new_budget(house: House) -> None:
    """A Pi without a battery clock starts where its last shutdown left it, or in 1970."""
    house.use(9000)
    house.keeper.end()
    there, house.clock.offset, house.clock.synchronised = house.clock.offset, 0.0, False
    house.start()
    house.use(100)
    assert house.total > 9000
    house.clock.offset, house.clock.synchronised = there, True
    house.keeper.look()
    house.use(100)
    assert house.total > 9000, "it was the same day"
    house.clock.advance(DAY)
    house.use(100)
    assert house.total < 9000


def test_a_clock_that_is_never_set_does_not_hold_back_for_ever(house: House) -> None:
    house.use(BUDGET)
    house.keeper.end()
    house.clock.offset, house.clock.synchronised = 0.0, False
    house.start()
    for _ in range(2):
        assert house.total >= BUDGET
        house.clock.advance(DAY / 2)
        house.keeper.look()
        house.use(1)
    assert house.total < BUDGET


def test_a_day_of_a_clock_that_was_wrong_is_not_waited_for(house: House) -> None:
    """It was set to the future when it was noted, and is right now."""
    house.clock.offset += 1000 * DAY
    house.use(BUDGET)
    house.keeper.end()
    house.clock.offset -= 1000 * DAY
    house.start()
    assert house.total == 0


def test_a_state_that_fails_is_told_and_written_when_it_works_again(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.store.close()
    house.use(9000)
    for _ in range(10):
        house.keeper.look()
    (said,) = caplog.records
    assert said.levelno == logging.ERROR
    assert "not remembered" in said.message
    caplog.clear()
    house.start()
    assert "not known" in caplog.records[0].message
    assert house.total == 0
    house.clock.advance(RETRY)
    house.keeper.look()
    assert house.store.writes == 4


days = st.integers(0, 40_000)


@given(days, days, st.booleans())
def test_what_goes_on_is_this_day_or_a_day_that_the_clock_may_not_know_yet(
    noted: int, today: int, certain: bool
) -> None:
    note = Day(noted, 1, 2, 3)
    found = resumed(note, today * DAY + 5.0, certain)
    assert found in (note, Day(today))
    assert (found == note) is (noted == today or (noted > today and not certain))


@given(st.lists(st.tuples(days, st.booleans(), st.integers(0, 5000))))
def test_only_another_day_takes_from_the_count(steps: list[tuple[int, bool, int]]) -> None:
    tally = DayBytes()
    for day, certain, size in steps:
        before, tally.certain = tally.now, certain
        tally.add(day * DAY, size, size, 1, 1)
        kept = day == before.day or (day < before.day and not certain)
        assert tally.now.day == (before.day if kept else day)
        assert tally.total - (sum(before[1:]) if kept else 0) >= 2 * size
