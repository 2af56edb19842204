"""When a certificate ends, read from its PEM file (RFC 5280, section 4.1; X.690 for the DER).

The standard library decodes only a peer's certificate, and our own is what runs out unnoticed.
"""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime

_PEM = re.compile(
    rb"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----", re.ASCII
)
_SEQUENCE = 0x30
_EXPLICIT_VERSION = 0xA0
_UTC_TIME = 0x17
_GENERALIZED_TIME = 0x18


def not_after(pem: bytes) -> float:
    """Wall seconds at which the file's first certificate ends. ValueError if there is none."""
    found = _PEM.search(pem)
    if found is None:
        raise ValueError("no PEM certificate in it")
    try:
        return _not_after(base64.b64decode(found[1]))
    except IndexError:
        raise ValueError("the certificate is cut short") from None


def _not_after(der: bytes) -> float:
    # Certificate ::= SEQUENCE { tbsCertificate SEQUENCE {
    #   version [0] OPTIONAL, serialNumber, signature, issuer, validity SEQUENCE { from, to }
    body = _content(_content(der, _SEQUENCE), _SEQUENCE)
    if body[0] == _EXPLICIT_VERSION:
        body = _skip(body)
    for _ in ("serialNumber", "signature", "issuer"):
        body = _skip(body)
    to = _skip(_content(body, _SEQUENCE))
    return _time(to[0], _content(to, to[0]).decode("ascii"))


def _time(tag: int, text: str) -> float:
    if tag == _UTC_TIME:
        # RFC 5280, 4.1.2.5.1: years from 50 are of the last century.
        text = ("19" if text[:2] >= "50" else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError(f"validity of an unknown kind 0x{tag:02x}")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC).timestamp()


def _measure(der: bytes) -> tuple[int, int]:
    """Where an element's content begins and ends."""
    first = der[1]
    if first < 0x80:
        return 2, 2 + first
    count = first & 0x7F
    if not 1 <= count <= 4:
        raise ValueError("not DER")
    _ = der[1 + count]
    return 2 + count, 2 + count + int.from_bytes(der[2 : 2 + count])


def _content(der: bytes, tag: int) -> bytes:
    if der[0] != tag:
        raise ValueError(f"not a certificate: 0x{der[0]:02x} where 0x{tag:02x} should be")
    start, end = _measure(der)
    return der[start:end]


def _skip(der: bytes) -> bytes:
    return der[_measure(der)[1] :]
