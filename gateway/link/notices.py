"""What the gateway puts up at the broker: status, session, about, health. From any thread.

A retained one is told again at each connection. One that the broker refuses is left out until the
next one, and one that it hangs up on until it says something else; somebody is told.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from gateway.codecs.base import Publication
from gateway.link.packets import size_of


class Notices:
    """on_refused takes a topic and a reason, which is empty when the broker takes it after all; it
    is called in the link's thread."""

    def __init__(self, on_refused: Callable[[str, str], None]) -> None:
        self._on_refused = on_refused
        self._lock = threading.Lock()
        self._kept: dict[str, Publication] = {}
        self._pending: dict[str, Publication] = {}
        self._barred: dict[str, bytes] = {}
        self._refused: set[str] = set()

    def put(self, publication: Publication, connected: bool) -> None:
        """Kept and published now and at each connect if retained; else only if connected."""
        with self._lock:
            if publication.retain:
                self._kept[publication.topic] = publication
            if connected:
                self._pending[publication.topic] = publication

    def connected(self, first: Sequence[Publication]) -> None:
        """first: what is published before everything else."""
        with self._lock:
            self._pending = {p.topic: p for p in [*first, *self._kept.values()]}

    def clear(self) -> None:
        with self._lock:
            self._pending.clear()

    def next(self, limit: int | None) -> Publication | None:
        """What is to be published now. limit: of the broker, bytes of a packet."""
        if not self._pending:
            return None  # nearly always: what is put just now is seen with the next turn
        while (publication := self._pop()) is not None:
            if self._barred.get(publication.topic) == publication.payload:
                continue
            if limit is None or size_of(publication) <= limit:
                return publication
            self.refused(publication.topic, f"larger than the broker's limit of {limit} bytes")
        return None

    def _pop(self) -> Publication | None:
        with self._lock:
            if not self._pending:
                return None
            return self._pending.pop(next(iter(self._pending)))

    def bar(self, topic: str, reason: str) -> None:
        """The broker hangs up on it: not even the next connection may see it again."""
        with self._lock:
            kept = self._kept.get(topic)
        if kept is not None:
            self._barred[topic] = kept.payload
        self.refused(topic, reason)

    def refused(self, topic: str, reason: str) -> None:
        """The broker would not have it: perhaps the next one does, or has other rights for us."""
        self._refused.add(topic)
        self._on_refused(topic, reason)

    def taken(self, topic: str) -> None:
        if topic in self._refused:
            self._refused.remove(topic)
            self._on_refused(topic, "")

    @property
    def pending(self) -> bool:
        with self._lock:
            return bool(self._pending)
