"""Counts the daemon's starts that ended badly, and says when to start without devices.

systemd starts it again and again, whatever happens (StartLimitIntervalSec=0): a unit that systemd
gives up is dead until somebody comes. Instead, after LIMIT crashes within WITHIN seconds, it comes
up in safe mode: link and outbox, but no device, no rule and no command, the outputs at their crash
states, and an alarm that says so. After SAFE_FOR seconds it tries again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.model import Stamp

FILE = "starts"
LIMIT = 5
WITHIN = 600.0
SAFE_FOR = 600.0
ALARM = "safe-mode"


@dataclass(frozen=True, slots=True)
class Start:
    """A start, by the clock that does not jump."""

    boot_id: str
    boot: float


def recent(starts: Sequence[Start], now: Start) -> tuple[Start, ...]:
    """Those of this boot in the last WITHIN seconds. A power cut is no crash of the daemon's."""
    return tuple(
        start
        for start in starts
        if start.boot_id == now.boot_id and 0.0 <= now.boot - start.boot <= WITHIN
    )


def too_many(starts: Sequence[Start], now: Start) -> bool:
    """Pure. starts: those that did not end in good order."""
    return len(recent(starts, now)) >= LIMIT


class Crashes:
    """The account in the state directory. A directory that fails is told by others: nothing here
    raises, and without an account there is no safe mode."""

    def __init__(self, state: Path) -> None:
        self._path = state / FILE

    def begin(self, stamp: Stamp) -> bool:
        """Notes this start. True: there were too many, take no device up."""
        now = Start(stamp.boot_id, stamp.boot)
        before = recent(self._read(), now)
        self._write((*before, now))
        return too_many(before, now)

    def over(self) -> None:
        """This run ended in good order, or has lasted: nothing that was before counts any more."""
        self._write(())

    def _read(self) -> tuple[Start, ...]:
        try:
            noted = json.loads(self._path.read_text("ascii"))
            return tuple(Start(str(boot_id), float(boot)) for boot_id, boot in noted)
        except (OSError, ValueError, TypeError):
            return ()

    def _write(self, starts: Sequence[Start]) -> None:
        text = json.dumps([[start.boot_id, start.boot] for start in starts])
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.exists() and self._path.read_bytes() == text.encode():
                return
            fresh = self._path.with_name(FILE + ".new")
            fresh.write_text(text, "ascii")
            fresh.replace(self._path)
        except OSError:
            return  # the journal says what is wrong with the disk; safe mode may come later then
