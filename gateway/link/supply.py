"""What the link needs of the outbox; docs/architecture.md has its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from gateway.model import Entry, Key, Klass, Lane


class Outbox(Protocol):
    def take(
        self, limit: int, history: int | None = None, least: Klass = Klass.TELEMETRY
    ) -> list[tuple[Entry, Lane]]: ...

    def accepted(self, keys: Iterable[Key]) -> None: ...

    def refused(self, key: Key, reason: str) -> None: ...

    def returned(self, keys: Iterable[Key]) -> None: ...

    def link_changed(self, up: bool) -> None: ...

    def subscribe(self, wake: Callable[[], None], offer: Callable[[], None]) -> None: ...
