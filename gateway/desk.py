"""Where alarms come in and go out: recorded, and remembered over restarts.

Part of control, and used in its thread alone. `alarms.py` decides.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from gateway.alarms import Alarms
from gateway.clock import Clock
from gateway.model import Alarm, AlarmState
from gateway.state import StateFault, Store

log = logging.getLogger(__name__)

NOTE = "alarm"
LEDGER = "ledger"
"""The alarm that commands are refused, or that earlier ones are not known any more."""
WHOLE = "the ledger is whole again"


class AlarmDesk:
    """record: puts an alarm into the outbox."""

    def __init__(
        self, alarms: Alarms, store: Store, clock: Clock, record: Callable[[Alarm], object]
    ) -> None:
        self._alarms = alarms
        self._store = store
        self._clock = clock
        self._record = record

    def open(self) -> None:
        """Alarms of the run before still stand; what is wrong with the ledger is one."""
        try:
            for name, note in self._store.recall(NOTE).items():
                self._alarms.restore(name, note, self._clock.monotonic())
        except StateFault as fault:
            log.error("the alarms of the run before: %s", fault)
        wrong = self._store.volatile or self._store.reset
        self.happened(LEDGER, bool(wrong), wrong or WHOLE)

    def happened(self, name: str, raised: bool, text: str) -> None:
        state = AlarmState.RAISED if raised else AlarmState.CLEARED
        alarm = Alarm(name, self._clock.stamp(), state, text)
        self._tell(self._alarms.happened(alarm, self._clock.monotonic()))

    def acknowledge(self, name: str) -> str:
        """The order of this name. ValueError."""
        self._tell(self._alarms.acknowledge(name, self._clock.stamp()))
        return f"{name} is acknowledged"

    def look_after(self) -> None:
        now = self._clock.monotonic()
        if self._alarms.next() <= now:
            self._tell(self._alarms.repeated(self._clock.stamp(), now))

    def patience(self) -> float:
        """Seconds until an alarm is to be told again."""
        return self._alarms.next() - self._clock.monotonic()

    def _tell(self, alarms: list[Alarm]) -> None:
        for alarm in alarms:
            self._record(alarm)
            try:
                self._store.remember(NOTE, alarm.name, self._alarms.note(alarm.name))
            except StateFault as fault:
                log.error("alarm %s is not remembered: %s", alarm.name, fault)
