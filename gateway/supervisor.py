"""Starts the parts in order, sees that each makes progress, and stops them in order.

A part that dies ends the process with a non-zero status, and systemd starts it again. A part that
hangs shows as a stale heartbeat, and the watchdog is not fed. Being offline is no fault.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import FrameType

from gateway import service

log = logging.getLogger(__name__)

SWITCH = 0.001
"""Seconds that a thread may keep the interpreter from others."""

GARBAGE = 10_000
"""Objects more than at the last look before cycles among them are searched for. What a drain has
under way is fewer, and is no garbage: to walk through it took a quarter of the drain's time."""

STOP_BUDGET = 4.5
"""Seconds from SIGTERM to the end of the process, whatever hangs."""


class Heartbeats:
    """When each part last made progress. `beat` is for any thread: it stores one float."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._last: dict[str, float] = {}
        self._limits: dict[str, float] = {}
        self._busy: dict[str, Callable[[], float | None]] = {}

    def register(self, name: str, limit: float) -> Callable[[], None]:
        """limit: seconds without progress after which the part counts as stuck. Gives its beat."""
        self._limits[name] = limit
        self._last[name] = self._now()

        def beat() -> None:
            self._last[name] = self._now()

        return beat

    def watch(self, name: str, limit: float, busy_since: Callable[[], float | None]) -> None:
        """For a part that says since when it has been at one piece of work, None while it waits."""
        self._limits[name] = limit
        self._busy[name] = busy_since

    def stuck(self) -> list[str]:
        """The parts without progress, with for how long, in words."""
        now = self._now()
        since = dict(self._last)
        for name, busy_since in self._busy.items():
            began = busy_since()
            if began is not None:
                since[name] = began
        return [
            f"{name} for {now - last:.0f} s"
            for name, last in since.items()
            if now - last > self._limits[name]
        ]


@dataclass(frozen=True, slots=True)
class Part:
    """Something that is started and stopped. stop gets the seconds it may take."""

    name: str
    start: Callable[[], None]
    stop: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Chore:
    """Something that main does every so many seconds: health, the clock's anchor."""

    every: float
    do: Callable[[], None]


def threaded(name: str, run: Callable[[], None], stop: Callable[[], None]) -> Part:
    """A part that is one thread running `run` until `stop` is called."""
    thread = threading.Thread(target=run, name=name, daemon=True)

    def end(timeout: float) -> None:
        stop()
        thread.join(timeout)
        if thread.is_alive():
            log.error("%s did not stop within %.1f s", name, timeout)

    return Part(name, thread.start, end)


class Supervisor:
    """parts in start order; they stop in the reverse order, so give them leaf first."""

    def __init__(
        self, parts: Sequence[Part], chores: Sequence[Chore], heartbeats: Heartbeats
    ) -> None:
        self._parts = parts
        self._chores = chores
        self._heartbeats = heartbeats
        # Not an Event: a signal's handler runs in the main thread between any two instructions,
        # also while that thread holds the Event's lock, and would wait for it for ever. `put` of
        # a SimpleQueue may interrupt itself.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._failed = False
        self._stopping = False
        self._reload_asked = False

    def run(self, reload: Callable[[], bool] = lambda: False) -> int:
        """Until SIGTERM or SIGINT, or until a part dies. Gives the exit status.

        reload: called in this thread after SIGHUP; True: stop, there is something new to start.
        """
        threading.excepthook = self._died
        faulthandler.enable()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._asked)
        started = []
        try:
            for part in self._parts:
                part.start()
                started.append(part)
            settle_process()
            service.notify("READY=1")
            self._watch(reload)
        finally:
            if not self._reload_asked:
                service.notify("STOPPING=1")
            self._stop(started)
        return 1 if self._failed else 0

    def _asked(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._reload_asked = True
        else:
            self._stopping = True
        self._wake.put(None)

    def _died(self, args: threading.ExceptHookArgs) -> None:
        name = args.thread.name if args.thread else "a thread"
        trace = (args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback)
        log.critical("%s died; the gateway stops", name, exc_info=trace)
        self._failed = self._stopping = True
        self._wake.put(None)

    def _watch(self, reload: Callable[[], bool]) -> None:
        watchdog = service.watchdog_interval()
        due = dict.fromkeys(self._chores, 0.0)
        feed = watchdog / 2 if watchdog else None
        while True:
            # Cleared before it is looked at what for: what comes later sets it again.
            self._drain()
            if self._stopping or (self._reload_asked and self._reloads(reload)):
                return
            now = time.monotonic()
            for chore in self._chores:
                if due[chore] <= now:
                    chore.do()
                    due[chore] = time.monotonic() + chore.every
            if feed:
                self._feed()
            waits = [at - time.monotonic() for at in due.values()] + ([feed] if feed else [])
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=max(0.0, min(waits, default=60.0)))

    def _drain(self) -> None:
        with contextlib.suppress(queue.Empty):
            while True:
                self._wake.get_nowait()

    def _reloads(self, reload: Callable[[], bool]) -> bool:
        service.notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
        if reload():
            return True
        self._reload_asked = False
        service.notify("READY=1")
        return False

    def _feed(self) -> None:
        stuck = self._heartbeats.stuck()
        if stuck:
            log.error("no progress: %s; the watchdog is not fed", ", ".join(stuck))
        else:
            service.notify("WATCHDOG=1")

    def _stop(self, started: list[Part]) -> None:
        """In order, within the budget, whatever hangs."""
        end = time.monotonic() + STOP_BUDGET
        guard = threading.Timer(STOP_BUDGET + 0.3, _give_up)
        guard.daemon = True
        guard.start()
        for part in reversed(started):
            part.stop(max(0.2, (end - time.monotonic()) / 2))
        guard.cancel()


def settle_process() -> None:
    """The process as such, once all is in place."""
    # What is loaded stays for ever: no collection has to walk through it again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
    # A thread with a burst of work gives way to the one that brings a reading or a command.
    sys.setswitchinterval(SWITCH)


def _give_up() -> None:
    log.critical("stopping took too long; the process ends now")
    sys.stderr.flush()
    os._exit(1)
