"""What the link's tests share: an outbox in memory, entries, and a link with its callbacks."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from drivers.base import Reading
from gateway.clock import SystemClock
from gateway.codecs import json_
from gateway.codecs.base import LinkState
from gateway.link.exchange import CHORES
from gateway.link.inbound import AckToken
from gateway.link.link import Link
from gateway.model import Command, Entry, Key, Klass, Lane, Recorded, Result, Sample, Stamp
from tests.brokers import PATIENCE

EPOCH = 7
STAMP = Stamp(1795442400.123, 1000.0, "abcd1234", True)


class MemoryOutbox:
    """The outbox's contract as the link sees it, with books that the tests look at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wake: Callable[[], None] = lambda: None
        self._offer: Callable[[], None] = lambda: None
        self._last = 0
        self.kept: dict[Key, Entry] = {}
        self.flying: set[Key] = set()
        self.history: set[Key] = set()
        self.done: list[Key] = []
        self.shelf: dict[Key, str] = {}
        self.max_flying = 0

    def append(self, recorded: Recorded, klass: Klass = Klass.TELEMETRY) -> Key:
        with self._lock:
            self._last += 1
            key = Key(EPOCH, self._last)
            self.kept[key] = Entry(key, klass, recorded)
        self._offer()
        return key

    def subscribe(self, wake: Callable[[], None], offer: Callable[[], None]) -> None:
        self._wake, self._offer = wake, offer

    def take(
        self, limit: int, history: int | None = None, least: Klass = Klass.TELEMETRY
    ) -> list[tuple[Entry, Lane]]:
        with self._lock:
            free = [e for k, e in self.kept.items() if k not in self.flying and e.klass >= least]
            live = [(e, Lane.LIVE) for e in free if e.key not in self.history]
            live.sort(key=lambda pair: -pair[0].klass)
            old = [(e, Lane.HISTORY) for e in free if e.key in self.history]
            taken = (live[:limit] + (old if history is None else old[:history]))[:limit]
            self.flying |= {entry.key for entry, _ in taken}
            self.max_flying = max(self.max_flying, len(self.flying))
            return taken

    def accepted(self, keys: Iterable[Key]) -> None:
        with self._lock:
            for key in keys:
                assert key in self.flying, f"{key} was accepted and not in flight"
                self.flying.discard(key)
                del self.kept[key]
                self.done.append(key)

    def refused(self, key: Key, reason: str) -> None:
        with self._lock:
            self.flying.discard(key)
            del self.kept[key]
            self.shelf[key] = reason

    def returned(self, keys: Iterable[Key]) -> None:
        with self._lock:
            for key in keys:
                assert key in self.kept, f"{key} came back and is not kept"
                self.flying.discard(key)
        self._wake()

    def link_changed(self, up: bool) -> None:
        with self._lock:
            if up:
                self.history = set(self.kept)


def sample(value: float = 21.4, device: str = "boiler") -> Sample:
    return Sample(device, STAMP, (Reading("temperature", value), Reading("humidity", 55.1)))


class Steady(random.Random):
    """In the place of jitter: hardly any wait between two connections."""

    def uniform(self, a: float, b: float) -> float:
        return a + min(0.02, b - a)


class JumpClock(SystemClock):
    """Real time that a test can push forward, so that no test waits for a deadline."""

    def __init__(self) -> None:
        super().__init__()
        self._ahead = 0.0
        self._wall_ahead = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead

    def stamp(self) -> Stamp:
        stamp = super().stamp()
        wall = stamp.wall + self._wall_ahead
        return Stamp(wall, stamp.boot, stamp.boot_id, stamp.synchronised)

    def advance(self, seconds: float) -> None:
        self._ahead += seconds
        self._wall_ahead += seconds

    def set_wall(self, wall: float) -> None:
        self._wall_ahead += wall - self.stamp().wall


class LinkRig:
    """A link against a broker, and everything it said."""

    def __init__(self, urls: list[str] | str, **options: Any) -> None:
        self.outbox: MemoryOutbox = options.pop("outbox", None) or MemoryOutbox()
        self.commands: list[tuple[Command | Result, AckToken]] = []
        self.states: list[LinkState] = []
        self.alarms: list[tuple[str, bool, str]] = []
        self.beats = 0
        self.clock: JumpClock = options.pop("clock", None) or JumpClock()
        self.acknowledge = options.pop("acknowledge", True)
        settings: dict[str, Any] = {
            "outbox": self.outbox,
            "dialect": json_.dialect(
                root="tidegate",
                gateway="g",
                qos=options.pop("qos", {}),
                restamp=lambda stamp: stamp,
            ),
            "clock": self.clock,
            "rng": Steady(),
            "urls": [urls] if isinstance(urls, str) else urls,
            "client_id": "tidegate-g",
            "epoch": EPOCH,
            "on_command": self._commanded,
            "on_state": self.states.append,
            "on_alarm": lambda name, raised, text: self.alarms.append((name, raised, text)),
            "heartbeat": self._beat,
        }
        self.link = Link(**(settings | options))

    def _commanded(self, what: Command | Result, token: AckToken) -> None:
        self.commands.append((what, token))
        if self.acknowledge:
            self.link.acknowledge(token)

    def _beat(self) -> None:
        self.beats += 1

    def start(self) -> LinkRig:
        self.link.start()
        return self

    @property
    def up(self) -> bool:
        """Connected, and everybody has been told: what is recorded from now on is live."""
        return self.link.status().connected and self.states[-1:] == [LinkState.CONNECTED]

    @property
    def connects(self) -> int:
        """Connections that everybody has been told of."""
        return self.states.count(LinkState.CONNECTED)

    @property
    def settled(self) -> bool:
        """Connected, and all that is said at the begin has been answered."""
        return self.up and self.link._sender.quiet

    def advance(self, seconds: float) -> None:
        """Time passes, and the link notices; before it returns, if it can."""
        beats = self.beats
        self.clock.advance(seconds)
        self.link.acknowledge(AckToken(-1, 0, 0))  # of no connection: it only wakes
        patience = time.monotonic() + 0.5
        while seconds >= CHORES and self.beats == beats and time.monotonic() < patience:
            time.sleep(0.001)

    def until(self, condition: Callable[[], bool], step: float = 1.0) -> None:
        """Time passes, step by step, until it holds.

        Slower and slower: what has a deadline in this time is done in real time, and a machine that
        is too busy for five steps in a moment has to manage them in the end.
        """
        deadline, pause = time.monotonic() + PATIENCE, 0.005
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"not within {PATIENCE:g} s: {condition}")
            self.advance(step)
            time.sleep(pause)
            pause = min(0.1, 1.05 * pause)

    def told(self, name: str) -> list[tuple[bool, str]]:
        """What was said of an alarm: raised or cleared, and the words."""
        return [(raised, text) for alarm, raised, text in list(self.alarms) if alarm == name]

    def __enter__(self) -> LinkRig:
        return self.start()

    def __exit__(self, *_: object) -> None:
        assert self.link.stop(PATIENCE), "the link did not stop"
