"""What the broker's reason codes mean: MQTT 5.0, section 2.4. Pure."""

from __future__ import annotations

from enum import Enum


class Verdict(Enum):
    """What becomes of a message that the broker answered."""

    ACCEPTED = "accepted"
    RETRY = "retry"
    SHELVE = "shelve"


REASONS = {
    0x00: "normal disconnection",
    0x80: "unspecified error",
    0x81: "malformed packet",
    0x82: "protocol error",
    0x83: "implementation specific error",
    0x84: "this broker does not speak this version of MQTT",
    0x85: "client id not valid",
    0x86: "bad user name or password",
    0x87: "not authorised",
    0x88: "broker unavailable",
    0x89: "broker busy",
    0x8A: "banned",
    0x8B: "broker shutting down",
    0x8C: "bad authentication method",
    0x8D: "keep-alive time-out",
    0x8E: "another client connected with our client id",
    0x8F: "topic filter not valid",
    0x90: "topic name not valid",
    0x91: "packet identifier in use",
    0x92: "packet identifier not found",
    0x93: "receive maximum exceeded",
    0x94: "topic alias not valid",
    0x95: "packet too large",
    0x96: "message rate too high",
    0x97: "quota exceeded",
    0x98: "administrative action",
    0x99: "payload format not valid",
    0x9A: "retain not supported",
    0x9B: "QoS not supported",
    0x9C: "use another server",
    0x9D: "server moved",
    0x9E: "shared subscriptions not supported",
    0x9F: "connection rate exceeded",
    0xA0: "maximum connect time",
    0xA1: "subscription identifiers not supported",
    0xA2: "wildcard subscriptions not supported",
}
FOR_GOOD = frozenset({0x87, 0x90, 0x95, 0x99, 0x9A, 0x9B})
"""Answers to a PUBLISH that the same message will get again, whenever it is sent."""
TAKEN_OVER = 0x8E
BAD_VERSION = 0x84
BAD_TOPIC = 0x90
NO_RETAIN, NO_QOS = 0x9A, 0x9B
NOT_FOUND = 0x92
CREDENTIALS = frozenset({0x85, 0x86, 0x87, 0x8A, 0x8C})
"""Refusals that somebody has to put right; the others may pass by themselves."""
OVERLOADED = frozenset({0x88, 0x89, 0x8B, 0x96, 0x97, 0x9F})
"""The broker asks for less: it is busy, going down, or we came too often."""

ELSEWHERE = frozenset({0x9C, 0x9D})
"""The broker sends us to another one."""


def reason_text(code: int) -> str:
    return REASONS.get(code, f"reason code 0x{code:02x}")


def in_plain(said: str, longest: int = 200) -> str:
    """What somebody else's machine says, fit for a log and a terminal: no control characters, and
    not without end."""
    return "".join(c if c.isprintable() else " " for c in said[:longest])


def verdict(code: int) -> Verdict:
    """What a PUBACK or PUBREC says. 0x00 success, 0x10 nobody subscribes; from 0x80 failures."""
    if code < 0x80:
        return Verdict.ACCEPTED
    return Verdict.SHELVE if code in FOR_GOOD else Verdict.RETRY


def least_wait(code: int | None) -> float:
    """Seconds to stay away at least, when a broker ended or refused a connection with this code."""
    if code in CREDENTIALS:
        return 10.0  # brokers ban clients that guess passwords
    return 2.0 if code in OVERLOADED else 0.0
