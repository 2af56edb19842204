"""The dialect `plain`: a topic a channel, with a bare value, for those who can read nothing else.

    tidegate/g/boiler/data/temperature    21.4
    tidegate/g/pump/state                 ON

A bare value cannot say its number, its time or its quality. Over MQTT 5 they are user properties:
`epoch`, `seq`, `time`, `clock` as in `json`; `parts`, how many messages a reading became; `quality`
when it is not good. Over 3.1.1 there are none, so nothing can be audited there. A value of quality
bad is `null` for everybody, since nothing in it would warn who reads it.

What is not a reading or a state is JSON as in the dialect `json`; so is the backlog in batches,
since bare values from the past would be taken for the present.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.codecs import values
from gateway.codecs.base import Publication
from gateway.codecs.json_ import JSON
from gateway.codecs.structured import StructuredDialect
from gateway.model import Entry, Quality, Reading, Sample, Stamp

PLAIN = "plain"
NULL = b"null"
HEAD = ("epoch", "seq", "time", "clock")


class PlainDialect(StructuredDialect):
    def _sample(self, entry: Entry, body: Sample) -> list[Publication]:
        if not body.readings:  # its number has to arrive all the same
            return super()._sample(entry, body)
        head = _properties(values.head(entry))
        if len(body.readings) > 1:
            head = (*head, ("parts", str(len(body.readings))))
        qos = self._qos.get(body.device, 1)
        return [self._part(body.device, reading, head, qos) for reading in body.readings]

    def _part(
        self, device: str, reading: Reading, head: tuple[tuple[str, str], ...], qos: int
    ) -> Publication:
        payload = NULL if reading.quality is Quality.BAD else bare(reading.value)
        if reading.quality is not Quality.GOOD:
            head = (*head, ("quality", reading.quality.value))
        return Publication(self._topics.channel(device, reading.channel), payload, qos, user=head)

    def _state(self, device: str, fields: values.Fields) -> Publication:
        user = (*_properties(fields), ("cause", str(fields["cause"])))
        topic = self._topics.device(device, "state")
        return Publication(topic, bare(fields["value"]), retain=True, user=user)


def _properties(fields: values.Fields) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(fields[name])) for name in HEAD if name in fields)


def bare(value: object) -> bytes:
    """`ON`, `OFF`, a number as JSON writes it, a text as it is, or `null`."""
    if isinstance(value, bool):
        return b"ON" if value else b"OFF"
    if value is None or (isinstance(value, float) and value - value != 0.0):
        return NULL
    return str(value).encode("utf-8", "replace")


def dialect(
    *, root: str, gateway: str, qos: Mapping[str, int], restamp: Callable[[Stamp], Stamp]
) -> PlainDialect:
    return PlainDialect(JSON, root=root, gateway=gateway, qos=qos, restamp=restamp, name=PLAIN)
