"""A command's payload, read without trust: size, depth and fields are checked before meaning.

A payload is a bare value (`ON`, `OFF`, `true`, `21.5`, `open`) or an envelope
`{"id": "a1", "value": true, "expires": "2026-11-23T14:00:00Z", "nonce": "..."}`; or one that is
signed, `{"key": "anna", "signature": "...", "signed": "{\\"id\\": ..."}`.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from gateway.codecs.base import Inbound
from gateway.model import Command, Outcome, Proof, Result, Value

MAX_BYTES = 8192
MAX_DEPTH = 8
MAX_ID = 64
MAX_TEXT = 256
MAX_INTEGER = 2**53
"""Beyond it a JSON number is not exact everywhere."""

SIGNATURE_BYTES = 64
"""Of Ed25519 (RFC 8032)."""

WRAPPER = frozenset({"key", "signature", "signed"})
FIELDS = frozenset({"id", "value", "expires", "nonce"})
WORDS: dict[str, Value] = {"ON": True, "OFF": False, "TRUE": True, "FALSE": False}
_TOKEN = re.compile(r"[\x21-\x7e]+")
# Possessive, and content with an unclosed end: linear on any bytes.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_MILLISECONDS = 1e11
"""Seconds since 1970 reach this in the year 5138."""

Loads = Callable[[bytes], Any]
"""Payload to a mapping (an envelope) or a bare value. ValueError says what is wrong."""


class Unacceptable(ValueError):
    """The payload is no command; the message is for the one who sent it. Never leaves `parse`."""


def parse(device: str, inbound: Inbound, loads: Loads) -> Command | Result:
    """What the message asks of the device, or the refusal. Raises nothing on any bytes."""
    fields: dict[str, Any] = {}
    proof: Proof | None = None
    try:
        content = _content(inbound, loads)
        if isinstance(content, dict) and "signed" in content:
            proof, content = _unwrapped(content, inbound.topic, loads)
        fields = content if isinstance(content, dict) else {"value": content}
        _check_fields(fields)
        return _command(device, inbound, fields, proof)
    except ValueError as error:
        return refused(device, inbound, str(error), _id_of(fields) or inbound.message_id)


def refused(device: str, inbound: Inbound, reason: str, command_id: str = "") -> Result:
    return Result(
        id=command_id or inbound.message_id,
        device=device,
        stamp=inbound.received,
        outcome=Outcome.REFUSED,
        reason=reason,
        response_topic=inbound.response_topic,
        correlation=inbound.correlation,
    )


def _content(inbound: Inbound, loads: Loads) -> Any:
    if inbound.retain:
        raise Unacceptable("a retained command is refused: publish it without the retain flag")
    if len(inbound.payload) > MAX_BYTES:
        raise Unacceptable(f"{len(inbound.payload)} bytes, at most {MAX_BYTES} are taken")
    if not inbound.payload:
        raise Unacceptable("an empty payload is no command: send a value")
    return loads(inbound.payload)


def _check_fields(fields: dict[str, Any]) -> None:
    unknown = sorted(name[:40] for name in fields if name not in FIELDS)
    if unknown:
        raise Unacceptable(f"unknown field {unknown[0]!r}; there are {', '.join(sorted(FIELDS))}")
    if "value" not in fields:
        raise Unacceptable('the field "value" is missing')


def _unwrapped(content: dict[str, Any], topic: str, loads: Loads) -> tuple[Proof, dict[str, Any]]:
    """Of `{"key": NAME, "signature": BASE64, "signed": ENVELOPE}` the proof, and the envelope.

    Whether the proof holds is not known here.
    """
    if content.keys() != WRAPPER:
        raise Unacceptable(f"a signed command has the fields {', '.join(sorted(WRAPPER))}")
    envelope, commander = content["signed"], _token(content, "key")
    if isinstance(envelope, str):
        envelope = envelope.encode()
    if not isinstance(envelope, bytes) or commander is None:
        raise Unacceptable('"signed" has to be an envelope as text, "key" a name')
    fields = loads(envelope)
    if not isinstance(fields, dict) or not {"id", "nonce"} <= fields.keys():
        raise Unacceptable('a signed envelope needs an "id" and the session\'s "nonce"')
    signature = _signature(content["signature"])
    return Proof(commander, signature, signed_bytes(topic, envelope)), fields


def _signature(given: Any) -> bytes:
    found = given
    if isinstance(given, str):
        try:
            found = base64.b64decode(given, validate=True)
        except ValueError:
            found = b""
        if base64.b64encode(found).decode() != given:
            found = b""  # the same bytes in other words: one signature has one form
    if not isinstance(found, bytes) or len(found) != SIGNATURE_BYTES:
        raise Unacceptable(f'"signature" has to be {SIGNATURE_BYTES} bytes in base64')
    return found


def signed_bytes(topic: str, envelope: bytes) -> bytes:
    """What is signed: the topic too, so that it holds for one device of one gateway."""
    return b"tidegate command 1\n" + topic.encode() + b"\n" + envelope


def _command(device: str, inbound: Inbound, fields: dict[str, Any], proof: Proof | None) -> Command:
    given = _token(fields, "id")
    return Command(
        id=given or inbound.message_id,
        device=device,
        value=_value(fields["value"]),
        received=inbound.received,
        expires=_expires(fields.get("expires"), inbound),
        nonce=_token(fields, "nonce"),
        response_topic=inbound.response_topic,
        correlation=inbound.correlation,
        uncertain=inbound.redelivered and given is None,
        proof=proof,
    )


def _token(fields: dict[str, Any], name: str) -> str | None:
    text = fields.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or len(text) > MAX_ID or not _TOKEN.fullmatch(text):
        raise Unacceptable(
            f'"{name}" has to be a text of 1 to {MAX_ID} printable ASCII characters without spaces'
        )
    return text


def _id_of(fields: dict[str, Any]) -> str | None:
    try:
        return _token(fields, "id")
    except Unacceptable:
        return None


def _value(value: Any) -> Value:
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise Unacceptable(f"a text of {len(value)} characters, at most {MAX_TEXT} are taken")
        if not value.isprintable():
            raise Unacceptable("a text with control characters")
        return value
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) <= MAX_INTEGER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int | float):
        raise Unacceptable("a number that is not finite or too large")
    raise Unacceptable('"value" has to be true, false, a number or a text')


def _expires(given: Any, inbound: Inbound) -> float | None:
    """The earlier of the envelope's and the MQTT 5 message's own expiry, as wall seconds."""
    own = None if given is None else _moment(given)
    if inbound.expiry is None:
        return own
    transport = inbound.received.wall + inbound.expiry
    return transport if own is None else min(own, transport)


def _moment(given: Any) -> float:
    if isinstance(given, int | float) and not isinstance(given, bool):
        if not 0 <= given < _MILLISECONDS:
            raise Unacceptable('"expires" counts seconds since 1970 (these look like milliseconds)')
        return float(given)
    if not isinstance(given, str) or len(given) > MAX_ID:
        raise Unacceptable('"expires" has to be a time as "2026-11-23T14:00:00Z", or seconds')
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise Unacceptable('"expires" is no time; write it as "2026-11-23T14:00:00Z"') from None
    if moment.tzinfo is None:
        raise Unacceptable('"expires" does not say its time zone; add Z for UTC')
    return moment.timestamp()


def loads_text(payload: bytes) -> Any:
    """UTF-8 text: a JSON envelope, a JSON value, or a bare word. ValueError if it is neither."""
    try:
        text = payload.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Unacceptable("the payload is not UTF-8 text") from None
    if not text:
        raise Unacceptable("an empty payload is no command: send a value")
    if text.upper() in WORDS:
        return WORDS[text.upper()]
    if text[:1] not in ("{", "[", '"') and not _looks_numeric(text):
        return text
    check_depth(payload)
    try:
        return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)
    except Unacceptable:
        raise
    except ValueError as error:
        raise Unacceptable(f"the payload is not valid JSON: {str(error)[:80]}") from None


def _looks_numeric(text: str) -> bool:
    return text[0] in "-0123456789" and text != "-"


def check_depth(payload: bytes) -> None:
    """Refuses deep nesting before a parser recurses into it."""
    depth = 0
    for byte in _STRING.sub(b"", payload):
        depth += (byte in b"[{") - (byte in b"]}")
        if depth > MAX_DEPTH:
            raise Unacceptable(f"nested deeper than {MAX_DEPTH}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unacceptable("a field is given twice")
    return fields


def _no_constant(name: str) -> Any:
    raise Unacceptable(f"{name} is no number that can be used")
