"""A state that could not be kept at the start is tried again, until it can be."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from gateway.desk import LEDGER, WHOLE
from gateway.lock import StateInUse, hold
from gateway.state import Store

log = logging.getLogger(__name__)

EVERY = 10.0
"""Seconds between two tries."""


class Mender:
    """look is a chore of main's. held: whether this gateway has the directory for itself.
    leave: writes what else a start leaves on the disk, OSError. alarm: as control has it."""

    def __init__(
        self,
        store: Store,
        directory: Path,
        held: bool,
        leave: Callable[[], None],
        alarm: Callable[[str, bool, str], None],
    ) -> None:
        self._store = store
        self._directory = directory
        self._held = held
        self._leave = leave
        self._alarm = alarm
        self._told = store.volatile

    def look(self) -> None:
        """Commands are refused until it works; what has happened since goes with it to the disk."""
        store = self._store
        if not store.volatile or not self._has_it():
            return
        if store.recover():
            log.warning("the state can be kept again: commands are carried out")
            self._alarm(LEDGER, bool(store.reset), store.reset or WHOLE)
            self._write_the_rest()
        else:
            self._tell(store.volatile)

    def _has_it(self) -> bool:
        try:
            if not self._held:
                hold(self._directory)
                self._held = True
        except StateInUse as error:
            self._tell(str(error))
        except OSError:
            pass  # the disk is as it was, and that was told
        return self._held

    def _tell(self, trouble: str) -> None:
        if trouble != self._told:
            self._told = trouble
            log.error("commands are refused: %s", trouble)
            self._alarm(LEDGER, True, trouble)

    def _write_the_rest(self) -> None:
        try:
            self._leave()
        except OSError as error:
            log.error("no states for after a crash are left: %s", error)
