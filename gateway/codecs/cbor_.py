"""The dialect `cbor`: the JSON dialect's messages as CBOR, its commands in either."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.codecs.binary import or_envelope
from gateway.codecs.cbor_bytes import dumps, loads
from gateway.codecs.commands import loads_text
from gateway.codecs.structured import Format, StructuredDialect
from gateway.model import Stamp

__all__ = ["CBOR", "dialect", "dumps", "loads"]

CBOR = Format("cbor", dumps, or_envelope(loads, loads_text), "application/cbor")


def dialect(
    *, root: str, gateway: str, qos: Mapping[str, int], restamp: Callable[[Stamp], Stamp]
) -> StructuredDialect:
    return StructuredDialect(CBOR, root=root, gateway=gateway, qos=qos, restamp=restamp)
