"""The dialects with named fields: design.md's payloads, in any format that can write a mapping."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway.codecs import commands, history, values
from gateway.codecs.base import About, Health, Inbound, Publication, Session
from gateway.codecs.topics import Topics
from gateway.model import (
    Alarm,
    Command,
    Entry,
    Gap,
    Heard,
    Key,
    Recorded,
    Result,
    Sample,
    Stamp,
    State,
)

RESPONSE_LIFETIME = 3600.0
"""Seconds for which the broker keeps an answer for a requester that is away."""


@dataclass(frozen=True, slots=True)
class Format:
    """How mappings become bytes. loads reads commands; content_type is the MQTT 5 property."""

    name: str
    dumps: Callable[[Mapping[str, Any]], bytes]
    loads: Callable[[bytes], Any]
    content_type: str


def _stamped(body: Recorded, stamp: Stamp) -> Recorded:
    return body._replace(stamp=stamp) if isinstance(body, Sample) else replace(body, stamp=stamp)


class StructuredDialect:
    """qos: of a device's data; devices that are not in it have 1.

    restamp: puts a stamp's wall time right where the clock was set after it was taken; where it was
    not, the stamp comes back itself, as all others of that boot do.
    """

    def __init__(
        self,
        form: Format,
        *,
        root: str,
        gateway: str,
        qos: Mapping[str, int],
        restamp: Callable[[Stamp], Stamp],
        name: str = "",
    ) -> None:
        self.name = name or form.name
        self._form = form
        self._topics = Topics(root, gateway)
        self._qos = qos
        self._careful = {device for device, given in qos.items() if given == 2}
        self._restamp = restamp
        self._data_topics: dict[str, str] = {}
        self._heard: dict[str, str] = {}

    def live(self, entry: Entry) -> list[Publication]:
        entry = self._corrected(entry)
        body = entry.recorded
        if isinstance(body, Sample):
            return self._sample(entry, body)
        if isinstance(body, State):
            return [self._state(body.device, values.recorded(entry))]
        payload = self._form.dumps(values.recorded(entry))
        if isinstance(body, Result):
            return self._answers(entry, body, payload)
        topic, retain = self._topic_of(body)
        return [Publication(topic, payload, retain=retain)]

    def _sample(self, entry: Entry, body: Sample) -> list[Publication]:
        payload = self._form.dumps(values.recorded(entry))
        return [Publication(self._data(body.device), payload, self._qos.get(body.device, 1))]

    def _state(self, device: str, fields: values.Fields) -> Publication:
        """fields: value, cause, and the head of an entry."""
        topic = self._topics.device(device, "state")
        return Publication(topic, self._form.dumps(fields), retain=True)

    def _corrected(self, entry: Entry) -> Entry:
        known = entry.recorded.stamp
        stamp = known if known.synchronised else self._restamp(known)
        if stamp is known:
            return entry
        return entry._replace(recorded=_stamped(entry.recorded, stamp))

    def _data(self, device: str) -> str:
        topic = self._data_topics.get(device)
        if topic is None:
            topic = self._data_topics[device] = self._topics.device(device, "data")
        return topic

    def _topic_of(self, body: Recorded) -> tuple[str, bool]:
        if isinstance(body, Alarm):
            return self._topics.alarm(body.name), True
        assert isinstance(body, Gap)
        return self._topics.own("gap"), False

    def _answers(self, entry: Entry, answer: Result, payload: bytes) -> list[Publication]:
        """The state first, so that whoever waits for the result finds the state there."""
        messages = []
        if answer.state is not None and answer.device:
            state = values.head(entry) | {"value": answer.state, "cause": answer.id}
            messages.append(self._state(answer.device, state))
        messages.append(Publication(self._topics.result(answer.device), payload))
        if answer.response_topic:
            messages.append(
                Publication(
                    answer.response_topic,
                    payload,
                    expires=answer.stamp.wall + RESPONSE_LIFETIME,
                    correlation=answer.correlation,
                    reply=True,
                )
            )
        return messages

    def history(self, entries: Sequence[Entry]) -> list[Publication]:
        if not entries:
            return []
        if self._is_any_wrong(entries):
            entries = [self._corrected(entry) for entry in entries]
        payload = history.pack(entries, self._form.dumps)
        content = f"{self._form.content_type}+zlib"
        qos = self._qos_together(entries)
        return [Publication(self._topics.own("history"), payload, qos, content_type=content)]

    def _is_any_wrong(self, entries: Sequence[Entry]) -> bool:
        """Whether there is a stamp to be put right: all of one boot are, or none is."""
        stamps = [entry.recorded.stamp for entry in entries]
        boots = {stamp.boot_id: stamp for stamp in stamps if not stamp.synchronised}
        return any(self._restamp(stamp) is not stamp for stamp in boots.values())

    def _qos_together(self, entries: Sequence[Entry]) -> int:
        """A batch is delivered as the most careful of its readings would be."""
        if not self._careful:
            return 1
        devices = {entry.recorded.device for entry in entries if isinstance(entry.recorded, Sample)}
        return 1 if self._careful.isdisjoint(devices) else 2

    def status(self, online: bool, reason: str = "") -> Publication:
        return self._status(self._topics.own("status"), online, reason)

    def device_status(self, device: str, online: bool, reason: str = "") -> Publication:
        return self._status(self._topics.device(device, "status"), online, reason)

    def _status(self, topic: str, online: bool, reason: str) -> Publication:
        user = (("reason", reason),) if reason else ()
        return Publication(topic, b"online" if online else b"offline", retain=True, user=user)

    def session(self, session: Session) -> Publication:
        return self._notice("session", values.session(session))

    def about(self, about: About) -> Publication:
        return self._notice("about", values.about(about))

    def _notice(self, leaf: str, fields: values.Fields) -> Publication:
        return Publication(self._topics.own(leaf), self._form.dumps(fields), retain=True)

    def health(self, health: Health) -> Publication:
        return Publication(
            self._topics.own("health"), self._form.dumps(values.health(health)), qos=0
        )

    def filters(self) -> list[tuple[str, int]]:
        # QoS 1 even for senders that publish at 2: a message in mid-handshake does not survive a
        # lost connection in paho, and the command's id already makes it run once.
        own = [(self._topics.device("+", "set"), 1), (self._topics.own("command"), 1)]
        # At QoS 0 the broker keeps no reading for later, when it would be old.
        return [*own, *((topic, 0) for topic in self._heard)]

    def listen(self, devices: Iterable[str]) -> None:
        self._heard = {self._topics.remote(device): device for device in devices}

    def command(self, inbound: Inbound) -> Command | Result | Heard:
        device = self._topics.commanded(inbound.topic)
        if device is None and inbound.topic.endswith("/data"):
            return self._overheard(inbound)
        if device is None:
            return commands.refused("", inbound, "this topic takes no commands")
        return commands.parse(device, inbound, self._form.loads)

    def _overheard(self, inbound: Inbound) -> Heard:
        """What is listened to no more may still come, by a session of an earlier configuration."""
        device = self._heard.get(inbound.topic)
        if device is None:
            return Heard("", Key(0, 0), inbound.received, ())
        from gateway.codecs import heard  # formats that this gateway may not speak itself

        return heard.parse(device, inbound)
