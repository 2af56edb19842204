"""Whether the clock can be believed, also where a sandbox forbids to ask the kernel."""

from __future__ import annotations

import ctypes
import errno
from pathlib import Path
from typing import Any

import pytest

from gateway.clock import TIME_ERROR, SystemClock


def clock_where(monkeypatch: pytest.MonkeyPatch, mark: Path, state: int, error: int) -> SystemClock:
    """A clock whose kernel answers adjtimex(2) with this state and errno."""
    clock = SystemClock(mark)

    def adjtimex(_: Any) -> int:
        ctypes.set_errno(error)
        return state

    monkeypatch.setattr(clock, "_adjtimex", adjtimex)
    return clock


@pytest.mark.parametrize(("state", "believed"), [(0, True), (TIME_ERROR, False), (1, True)])
def test_the_kernel_is_believed(
    state: int, believed: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert clock_where(monkeypatch, tmp_path / "mark", state, 0).stamp().synchronised is believed


def test_where_asking_is_forbidden_the_mark_of_timesyncd_counts(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "synchronized"
    assert not clock_where(monkeypatch, mark, -1, errno.EPERM).stamp().synchronised
    mark.touch()
    assert clock_where(monkeypatch, mark, -1, errno.EPERM).stamp().synchronised


def test_another_error_is_no_permission_to_believe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    mark = tmp_path / "synchronized"
    mark.touch()
    assert not clock_where(monkeypatch, mark, -1, errno.EFAULT).stamp().synchronised


def test_this_machine_answers_without_an_exception() -> None:
    stamp = SystemClock().stamp()
    assert stamp.wall > 1.7e9
    assert len(stamp.boot_id) == 8
