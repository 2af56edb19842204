"""Alarms on their way to people: which are news to whom, and when a push is tried again. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gateway.link.reasons import in_plain

STATES = ("raised", "acknowledged", "cleared")
TRY_AGAIN = (5.0, 15.0, 60.0, 300.0, 900.0, 1800.0)
"""Seconds between two tries; after the last one a push is given up: some 50 minutes."""
WAITING = 100
"""Pushes that wait at most; the oldest goes first."""
LONGEST = 500  # characters of an alarm's text that are passed on

Key = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Alert:
    """One message of a gateway about an alarm. key: its epoch and number."""

    topic: str
    gateway: str
    name: str
    state: str
    text: str
    time: str
    key: Key

    @property
    def title(self) -> str:
        return f"{self.gateway}: {self.name} {self.state}"

    @property
    def body(self) -> str:
        return f"{self.text or self.name}\n{self.time}"


@dataclass(frozen=True, slots=True)
class Push:
    """Where alerts go, and which: names as in a shell, `*` for all."""

    name: str
    url: str
    gateways: tuple[str, ...]
    alarms: tuple[str, ...]
    states: tuple[str, ...]

    def wants(self, alert: Alert) -> bool:
        return (
            alert.state in self.states
            and any(fnmatchcase(alert.gateway, one) for one in self.gateways)
            and any(fnmatchcase(alert.name, one) for one in self.alarms)
        )


@dataclass(frozen=True, slots=True)
class Job:
    """An alert to be pushed. due: monotonic seconds. tries: that failed."""

    push: Push
    alert: Alert
    due: float
    tries: int = 0


def read(topic: str, root: str, fields: Any) -> Alert | None:
    """The alert that a message on ROOT/GATEWAY/alarm/NAME is; None for what is none."""
    gateway, _, name = topic.removeprefix(f"{root}/").partition("/alarm/")
    if not gateway or not name or not isinstance(fields, Mapping):
        return None
    state, epoch, seq = fields.get("state"), fields.get("epoch"), fields.get("seq")
    if state not in STATES or type(epoch) is not int or type(seq) is not int:
        return None
    text, time = _line(fields.get("text")), _line(fields.get("time"))
    return Alert(topic, gateway, name, str(state), text, time, (epoch, seq))


def _line(value: Any) -> str:
    """Of text that came over the network: one line, of no more than LONGEST characters."""
    return in_plain(value, LONGEST) if isinstance(value, str) else ""


class Outbound:
    """What is to be pushed. told: the newest key of each topic that was dealt with before."""

    def __init__(self, pushes: Iterable[Push], told: Mapping[str, Key]) -> None:
        self._pushes = tuple(pushes)
        self._seen = dict(told)
        self._jobs: deque[Job] = deque()
        self.given_up = 0

    def arrived(self, alert: Alert, now: float) -> bool:
        """Whether it is news: a retained message comes again at each connection."""
        if alert.key <= self._seen.get(alert.topic, (-1, -1)):
            return False
        self._seen[alert.topic] = alert.key
        for push in self._pushes:
            if push.wants(alert):
                self._add(Job(push, alert, now))
        return True

    def _add(self, job: Job) -> None:
        self._jobs.append(job)
        while len(self._jobs) > WAITING:
            self._jobs.popleft()
            self.given_up += 1

    def due(self, now: float) -> Iterator[Job]:
        """Those whose time has come; each is out of the row, `failed` puts it back."""
        for job in [job for job in self._jobs if job.due <= now]:
            self._jobs.remove(job)
            yield job

    def failed(self, job: Job, now: float) -> bool:
        """Whether it is tried again."""
        if job.tries >= len(TRY_AGAIN):
            self.given_up += 1
            return False
        self._add(Job(job.push, job.alert, now + TRY_AGAIN[job.tries], job.tries + 1))
        return True

    def next(self) -> float:
        """When one is due; infinity for never."""
        return min((job.due for job in self._jobs), default=float("inf"))

    def settled(self) -> dict[str, Key]:
        """What need not be told again after a restart: topics with nothing waiting."""
        waiting = {job.alert.topic for job in self._jobs}
        return {topic: key for topic, key in self._seen.items() if topic not in waiting}
