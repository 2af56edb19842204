"""The dialect `msgpack`: the JSON dialect's messages as MessagePack, its commands in either."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.codecs.binary import or_envelope
from gateway.codecs.commands import loads_text
from gateway.codecs.msgpack_bytes import dumps, loads
from gateway.codecs.structured import Format, StructuredDialect
from gateway.model import Stamp

__all__ = ["MSGPACK", "dialect", "dumps", "loads"]

MSGPACK = Format("msgpack", dumps, or_envelope(loads, loads_text), "application/vnd.msgpack")


def dialect(
    *, root: str, gateway: str, qos: Mapping[str, int], restamp: Callable[[Stamp], Stamp]
) -> StructuredDialect:
    return StructuredDialect(MSGPACK, root=root, gateway=gateway, qos=qos, restamp=restamp)
