"""QoS 2: the handshakes that a lost connection leaves half done (MQTT 5.0, 4.3.3 and 4.4).

    PUBLISH ->            the broker has it, and remembers the identifier
            <- PUBREC
    PUBREL  ->            the broker passes it on, and forgets the identifier
            <- PUBCOMP

As long as this process lives and the broker keeps the session, each is taken up where it stopped,
under the same identifier: nothing is lost and nothing comes twice. The identifiers do not outlive
the process. What was half done when it ended is sent again as new, so that up to a window of
messages may come twice after a restart, with the same epoch and seq. What must not happen is that
the broker takes a new message for an old one under an identifier that it still holds: it would be
acknowledged and lost. So in a session that is older than this process each identifier is released
before it is used for the first time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import replace

from gateway.link.connection import Connection
from gateway.link.express import FIRST
from gateway.link.flights import Half, Item
from gateway.model import Key


class Handshakes:
    """open: messages under way on this connection, by their identifiers."""

    def __init__(self) -> None:
        self.open: dict[int, Item] = {}
        self._on: Connection | None = None
        self._half: list[Item] = []
        self._session = ""
        self._last = 0
        self._issued = 0
        self._ours: set[str] = set()

    def opened(self, connection: Connection) -> tuple[list[Item], list[Key]]:
        """What is to be taken up on this connection before everything else, and what cannot be: the
        broker has forgotten the session."""
        self._on = connection
        name, present = connection.session, connection.limits.session_present
        if not present:
            self._ours.add(name)
        client = connection.client
        client.inherited = name not in self._ours and self._issued < FIRST
        client.count_on(self._last)
        half, self._half = self._half, []
        if present and name and name == self._session:
            return half, []
        self._session = name
        return [], keys_of(half)

    def publish(self, connection: Connection, item: Item, wall: float) -> int | None:
        """The identifier; None when it has to wait."""
        if item.half is not None:
            mid: int | None = item.half.mid
            connection.resume(item.half, item.publication, wall)
        else:
            mid = connection.publish(item.publication, 2, wall)
            self._issued += 1
        if mid is not None:
            self.open[mid] = item
        return mid

    def lost(self, connection: Connection, queue: deque[Item]) -> set[Key]:
        """The connection is gone: the entries that are not to be sent by anybody else."""
        if connection is not self._on:
            return set(keys_of(self._half))  # it never opened: everything stands as it did
        self._last = connection.client.last_mid
        if connection.session and connection.session == self._session:
            halves = {mid: Half(mid, connection.client.is_released(mid)) for mid in self.open}
            self._half = [replace(i, half=halves[m]) for m, i in self.open.items() if i.cargo]
            # A cargo is settled as a whole: what still waits of it goes the same way.
            cargoes = {id(item.cargo) for item in self._half}
            self._half += [item for item in queue if item.half or id(item.cargo) in cargoes]
        self.open.clear()
        return set(keys_of(self._half))


def keys_of(items: Iterable[Item]) -> list[Key]:
    return list(dict.fromkeys(key for item in items if item.cargo for key in item.cargo.keys))
