"""Mutation testing of the journal and of eviction: how many small faults the tests notice.

    python -m bench.mutation_journal                     # all of them: some 20 minutes of processor
    python -m bench.mutation_journal --sample 200        # at random
    python -m bench.mutation_journal --only eviction --show

Each mutant is one change in one place: a comparison, an operator, a number, a condition negated, a
statement left out. The tests are collected once; a mutant is put into a child of this process that
runs the tests which pass through its function, the quickest first, until one fails. A mutant with
which none fails or hangs survives. Annotations and texts are not changed: nothing depends on them.
What cannot matter is in `mutation_equivalents.py`, with the reason.

Status 1 when fewer than 90 of 100 are killed.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import CodeType, FrameType

import pytest

from bench.mutation_equivalents import EQUIVALENT
from bench.mutation_operators import Mutant, mutants, put_in

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    "test_journal_ring.py",
    "test_journal_faults.py",
    "test_journal_disk.py",
    "test_journal_format.py",
    "test_journal_index.py",
    "test_journal_segment.py",
    "test_journal_write.py",
    "test_journal_open.py",
    "test_eviction.py",
    "test_outbox_faults.py",
    "test_journal_recovery.py",
    "test_journal_room.py",
    "test_journal_fresh.py",
    "test_journal_cursor.py",
    "test_outbox_cuts.py",
    "test_journal_model.py",
)
SLOW = ("every_byte", "test_case_50", "test_case_18", "test_case_13")
"""Tests that are left out here: what they notice, quicker ones notice too."""

LONG = ("test_cases_3_to_6_power_cuts_at_any_call", "RingAgainstSqlite")
"""Most of the time; `--quick` does without."""

BAR = 0.9
LIMIT = 20
"""Seconds of processor for one mutant's tests; what takes longer is caught in a loop. Of real time,
ten times that."""

CANNOT_BE = 3
"""The status of a child that failed before a test did."""


class Runner:
    """A pytest plugin whose run loop runs the same tests again and again, each time in a child."""

    def __init__(self, chosen: list[Mutant], slow: Sequence[str]) -> None:
        self._chosen = chosen
        self._slow = slow
        self._through: dict[str, set[int]] = {}
        """A function, as file:name, to the tests that pass through it."""
        self._seconds: list[float] = []
        self.killed: list[Mutant] = []
        self.alive: list[Mutant] = []

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        self._items = [i for i in session.items if not any(s in i.nodeid for s in self._slow)]
        self._measure()
        gc.freeze()  # the children shall not copy what they only count
        for number, mutant in enumerate(self._chosen, 1):
            if self._survives(mutant):
                self.alive.append(mutant)
                print(f"survived: {mutant.line}: {mutant.name}", flush=True)
            else:
                self.killed.append(mutant)
            if number % 100 == 0:
                print(f"{len(self.killed)} of {number} killed", flush=True)
        return True

    def _measure(self) -> None:
        """How long each test takes, and what it passes through; all of them must pass."""
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                _quiet()
                with os.fdopen(write, "w") as pipe:
                    for at, _ in enumerate(self._items):
                        self._note(at, pipe.write)
            finally:
                os._exit(0)
        os.close(write)
        through: defaultdict[str, set[int]] = defaultdict(set)
        with os.fdopen(read) as lines:
            for at, line in enumerate(lines):
                passed, seconds, *names = line.rstrip("\n").split("\t")
                assert passed == "1", f"{self._items[at].nodeid} fails without any mutant"
                self._seconds.append(float(seconds))
                for name in names:
                    through[name].add(at)
        os.waitpid(child, 0)
        self._through = dict(through)
        total = sum(self._seconds)
        print(f"{len(self._items)} tests, {total:.1f} s of processor, traced", flush=True)

    def _note(self, at: int, say: Callable[[str], int]) -> None:
        codes: set[CodeType] = set()

        def trace(frame: FrameType, _event: str, _arg: object) -> None:
            codes.add(frame.f_code)

        began = time.process_time()
        sys.settrace(trace)
        passed = _passes(self._items[at])
        sys.settrace(None)
        seconds = time.process_time() - began
        folder = f"{ROOT}/gateway/"
        names = {_named(code) for code in codes if code.co_filename.startswith(folder)}
        say("\t".join([str(int(passed)), f"{seconds:.4f}", *names]) + "\n")

    def _survives(self, mutant: Mutant) -> bool:
        tests = self._through.get(f"{mutant.file.name}:{mutant.function}", set())
        if not mutant.function:
            tests = set(range(len(self._items)))
        child = os.fork()
        if child == 0:
            try:
                os._exit(self._judge(mutant, tests))
            finally:  # it could not be put in; the child must not clean up its parent's folder
                os._exit(CANNOT_BE)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) != CANNOT_BE, f"cannot be put in: {mutant.name}"
        return status == 0

    def _judge(self, mutant: Mutant, tests: set[int]) -> int:
        """1 when a test fails. The quickest comes first; and what is at work when the limit comes
        is in a loop."""
        _quiet()
        resource.setrlimit(resource.RLIMIT_CPU, (LIMIT, LIMIT))
        signal.alarm(10 * LIMIT)
        if not put_in(mutant):
            return 1
        in_order = sorted(tests, key=self._seconds.__getitem__)
        return int(not all(_passes(self._items[at]) for at in in_order))


def _named(code: CodeType) -> str:
    """As the mutants name functions: what stands inside of one is a part of it."""
    return f"{Path(code.co_filename).name}:{code.co_qualname.split('.<locals>')[0]}"


def _quiet() -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _passes(item: pytest.Item) -> bool:
    from _pytest.runner import runtestprotocol

    return all(not report.failed for report in runtestprotocol(item, nextitem=None, log=False))


def chosen(only: str, sample: int, seed: int) -> Iterator[Mutant]:
    names = ["eviction.py", *(p.name for p in sorted((ROOT / "gateway").glob("journal*.py")))]
    found = [m for name in names if only in name for m in mutants(ROOT / "gateway" / name)]
    found = [mutant for mutant in found if mutant.name not in EQUIVALENT]
    if sample:
        found = random.Random(seed).sample(found, min(sample, len(found)))
    yield from found


def table(runner: Runner) -> float:
    """Prints what was killed, by file; the share of all."""
    killed = Counter(mutant.file.name for mutant in runner.killed)
    total = killed + Counter(mutant.file.name for mutant in runner.alive)
    for name in sorted(total):
        print(f"{name:24} {killed[name]:4} of {total[name]:4}, {killed[name] / total[name]:.0%}")
    share = killed.total() / max(1, total.total())
    print(f"{killed.total()} of {total.total()} mutants killed, {share:.1%}")
    return share


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--sample", type=int, default=0, help="so many at random (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="files with this in their name")
    parser.add_argument("--quick", action="store_true", help="without the power cuts and the model")
    parser.add_argument("--show", action="store_true", help="name the mutants, and run nothing")
    args = parser.parse_args()
    slow = (*SLOW, *LONG) if args.quick else SLOW
    runner = Runner(list(chosen(args.only, args.sample, args.seed)), slow)
    if args.show:
        print(*(f"{m.line}: {m.name}" for m in runner._chosen), sep="\n")
        return 0
    options = ["-s", "-p", "no:cacheprovider", "-p", "no:timeout", "-p", "no:terminal"]
    options += ["-o", "addopts=", "-o", "tmp_path_retention_policy=none"]
    os.environ |= {"TIDEGATE_CUTS": "10", "MODEL_RUNS": "15"}
    tests = [str(ROOT / "tests/gateway" / name) for name in TESTS]
    memory = Path("/dev/shm")  # quicker than a disk, where there is one
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        status = pytest.main([*options, f"--basetemp={folder}/t", *tests], plugins=[runner])
    return int(bool(status) or table(runner) < BAR)


if __name__ == "__main__":
    raise SystemExit(main())
