"""Errors of real system calls, put there by strace (traps.md, cases 12, 14 and 15): the writer goes
on, and what it had said to be on disk is there afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from gateway import records
from gateway.model import Entry
from tests.e2e.power_writer import journal
from tests.e2e.writer import Writer
from tests.gateway.far_end import FarEnd

ONCE = [
    ("fdatasync", "error=EIO:when=6"),
    ("fdatasync", "error=ENOSPC:when=9"),
    ("pwrite64", "error=EIO:when=12"),
    ("pwrite64", "error=ENOSPC:when=13"),
    ("pwrite64", "error=EROFS:when=14"),
    ("pwrite64", "retval=100:when=12"),  # a short write
]
FOR_EVER = [
    ("fdatasync", "error=EIO:when=50+"),
    ("pwrite64", "error=EIO:when=80+"),
    ("pwrite64", "error=ENOSPC:when=80+"),
    ("pwrite64", "error=EROFS:when=80+"),
]
FOR_A_WHILE = [
    ("fdatasync", "error=EIO:when=9..12"),
    ("pwrite64", "error=ENOSPC:when=12..16"),
]


@cache
def why_not() -> str:
    """Why strace cannot be used here; empty if it can."""
    strace = shutil.which("strace")
    if strace is None:
        return "strace is not installed: apt-get install strace"
    probe = [strace, "-f", "-o", "/dev/null", sys.executable, "-c", ""]
    done = subprocess.run(probe, capture_output=True, text=True, timeout=60, check=False)
    return "" if done.returncode == 0 else f"strace may not trace here: {done.stderr.strip()}"


def start(writer: Writer, call: str, action: str) -> None:
    if reason := why_not():
        pytest.skip(reason)
    inject = f"inject={call}:{action}"
    writer.start("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={call}", "-e", inject)


def judge(writer: Writer, directory: Path) -> None:
    kept = journal(directory).read(None, 1 << 20)
    far = FarEnd()
    far.take(Entry(r.key, r.klass, records.decode(r.payload)) for r in kept)
    missing = set(far.lost(writer.durable))
    assert [key for key in writer.far.lost(writer.durable) if key in missing] == []
    assert len(writer.durable) > 0


@pytest.mark.parametrize(("call", "action"), ONCE)
def test_case_14_one_error_costs_nothing(tmp_path: Path, call: str, action: str) -> None:
    writer = Writer(tmp_path / "state")
    start(writer, call, action)
    try:
        writer.until(lambda: len(writer.durable) >= 20)
    finally:
        writer.kill()
    judge(writer, tmp_path / "state")


@pytest.mark.parametrize(("call", "action"), FOR_EVER)
def test_case_15_a_disk_that_fails_for_good_is_said_and_survived(
    tmp_path: Path, call: str, action: str
) -> None:
    writer = Writer(tmp_path / "state")
    start(writer, call, action)
    try:
        writer.until(lambda: False in writer.storage)
        before = len(writer.far.arrived)
        writer.until(lambda: len(writer.far.arrived) > before + 20)
    finally:
        writer.kill()
    judge(writer, tmp_path / "state")


@pytest.mark.parametrize(("call", "action"), FOR_A_WHILE)
def test_case_15_it_recovers_by_itself(tmp_path: Path, call: str, action: str) -> None:
    """What was held in memory meanwhile is on disk afterwards."""
    writer = Writer(tmp_path / "state")
    start(writer, call, action)
    try:
        writer.until(lambda: writer.storage == [False, True])
        before = len(writer.durable)
        writer.until(lambda: len(writer.durable) >= before + 20)
    finally:
        writer.kill()
    judge(writer, tmp_path / "state")
