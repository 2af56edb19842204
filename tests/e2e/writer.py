"""The process whose disk fails or whose power goes, and what it said before."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from gateway import records
from gateway.model import Entry, Gap, GapReason, Key, Stamp
from tests.gateway.far_end import FarEnd

NOTHING = -1
NOWHEN = Stamp(0.0, 0.0, "", False)


class Writer:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self.epoch = 0
        self.durable: set[Key] = set()
        self.storage: list[bool] = []
        """Each change: False that it fails, True that it works again."""
        self.far = FarEnd()

    def start(self, *under: str) -> None:
        """under: the command that runs it."""
        self.epoch += 1
        self._rest = b""
        self._process = self._launch([*under, sys.executable, "-m", *self._arguments()])

    def _arguments(self) -> list[str]:
        return ["tests.e2e.power_writer", str(self._directory), str(self.epoch), str(self.epoch)]

    def _launch(self, command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)

    def listen(self, timeout: float) -> int:
        """What it said meanwhile; how many facts. NOTHING also when it has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        if not select.select([pipe], [], [], timeout)[0]:
            return NOTHING
        data = os.read(pipe, 1 << 16)
        if not data:
            return NOTHING
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._note(line.decode().split())
        return len(lines)

    def hear(self, count: int) -> None:
        """Wait until it said `count` more facts."""
        while count > 0:
            heard = self.listen(60.0)
            assert heard != NOTHING, "it says nothing any more"
            count -= heard

    def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            self.hear(1)

    def sent(self, epoch: int) -> int:
        """Entries of that run that arrived."""
        return sum(key.epoch == epoch for key in self.far.arrived)

    def _note(self, words: list[str]) -> None:
        kind, epoch, *rest = words[0], *(int(word) for word in words[1:])
        if kind == "d":
            self.durable.add(Key(epoch, rest[0]))
        elif kind == "s":
            self.storage.append(bool(rest[0]))
        elif kind == "a":
            self.far.arrived.add(Key(epoch, rest[0]))
        else:
            self.far.take([gap_entry(epoch, rest[0], rest[1])])

    def stop(self) -> None:
        """It stands still, and all that it said is known."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self._process.pid, os.WSTOPPED)
        while self.listen(0.0) != NOTHING:
            continue

    def go_on(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """And all that it said is known."""
        if self._process is None:
            return
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(60)
        while self.listen(0.0) != NOTHING:
            continue
        self._process, self._rest = None, b""


def gap_entry(epoch: int, first: int, last: int) -> Entry:
    reason = GapReason.OLDEST if last else GapReason.CRASH
    gap = Gap(reason, NOWHEN, epoch, first, last or None, 0)
    return Entry(Key(0, 0), records.klass_of(gap), gap)
