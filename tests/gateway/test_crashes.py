"""When the daemon comes up without devices: crash loops, not power cuts, not old stories."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gateway.crashes import LIMIT, WITHIN, Crashes, Start, too_many
from gateway.model import Stamp

NOW = Start("boot", 10_000.0)
STAMP = Stamp(0.0, 10_000.0, "boot", False)


def at(seconds: float) -> Stamp:
    return STAMP._replace(boot=STAMP.boot + seconds)


@given(st.lists(st.floats(0.0, 2 * WITHIN), max_size=2 * LIMIT))
def test_it_takes_so_many_within_so_long(ages: list[float]) -> None:
    starts = [Start("boot", NOW.boot - age) for age in ages]
    recent = sum(NOW.boot - start.boot <= WITHIN for start in starts)
    assert too_many(starts, NOW) is (recent >= LIMIT)


def test_power_cuts_are_no_crashes() -> None:
    assert not too_many([Start(f"boot {n}", NOW.boot - n) for n in range(20)], NOW)


def test_the_sixth_start_of_a_crash_loop_is_safe_and_the_next_after_a_good_end_is_not(
    tmp_path: Path,
) -> None:
    crashes = Crashes(tmp_path)
    assert [crashes.begin(at(n * 3)) for n in range(LIMIT + 1)] == [False] * LIMIT + [True]
    crashes.over()
    assert not crashes.begin(at(60))


def test_a_run_that_ends_well_each_time_is_never_safe(tmp_path: Path) -> None:
    for n in range(3 * LIMIT):
        crashes = Crashes(tmp_path)
        assert not crashes.begin(at(n))
        crashes.over()


def test_an_account_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    for nonsense in (b"\xff", b"{", b"[[1]]", b'[["boot", "x"]]', b"null", b"7"):
        (tmp_path / "starts").write_bytes(nonsense)
        assert not Crashes(tmp_path).begin(STAMP)


def test_a_directory_that_cannot_be_written_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    crashes = Crashes(tmp_path / "file" / "no directory")
    assert not crashes.begin(STAMP)
    crashes.over()
