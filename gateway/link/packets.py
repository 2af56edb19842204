"""How large a message is on its way. Pure."""

from __future__ import annotations

from gateway.codecs.base import Publication

PACKET_OVERHEAD = 32
"""Bytes of a PUBLISH beside topic, payload and properties, generously."""
PROPERTY_OVERHEAD = 8


def size_of(publication: Publication) -> int:
    """Bytes of the PUBLISH packet, never less than it will have."""
    p = publication
    size = PACKET_OVERHEAD + len(p.topic.encode()) + len(p.payload)
    if p.correlation or p.content_type or p.expires:
        size += 3 * PROPERTY_OVERHEAD + len(p.correlation) + len(p.content_type)
    return size + sum(len(k.encode()) + len(v.encode()) + PROPERTY_OVERHEAD for k, v in p.user)
