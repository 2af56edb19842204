"""Fuzzes what comes in over MQTT: `python -m tests.fuzz.commands -runs=N`, part of `make fuzz`.

Whatever the bytes and the topic, every dialect gives a command, a refusal, or what another gateway
told; a command's fields are within their limits, and a refusal says why.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["gateway.codecs"]):
    from gateway.codecs import cbor_, json_, msgpack_, plain
    from gateway.codecs.base import Dialect, Inbound
    from gateway.codecs.commands import MAX_ID, MAX_TEXT

from gateway.model import Command, Heard, Outcome, Result, Stamp

STAMP = Stamp(1_795_442_400.0, 50.0, "1f0c9a2e", True)
TOPICS = ("tidegate/g/pump/set", "tidegate/g/command", "tidegate/shed/climate/data", "x/y")
SEEDS = (
    b"ON",
    b"21.5",
    b'{"id":"a1","value":true,"expires":"2026-11-23T14:00:30Z","nonce":"9f86d081884c7d65"}',
    b'{"epoch":7,"seq":5,"time":"2026-11-23T14:00:00.123Z","t":21.4,"t_quality":"bad"}',
    b"\x82\xa2id\xa2a1\xa5value\xc3",
    b"\xa2bidba1evalue\xf5",
)


def _dialects() -> list[Dialect]:
    made: list[Dialect] = [
        form.dialect(root="tidegate", gateway="g", qos={}, restamp=lambda stamp: stamp)
        for form in (json_, msgpack_, cbor_, plain)
    ]
    for one in made:
        one.listen(["shed/climate"])
    return made


DIALECTS = _dialects()


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    topic, flags = TOPICS[data[0] % len(TOPICS)], data[1]
    inbound = Inbound(
        topic,
        data[2:],
        STAMP,
        "m-1",
        retain=bool(flags & 1),
        redelivered=bool(flags & 2),
        expiry=flags if flags & 4 else None,
    )
    for dialect in DIALECTS:
        check(dialect.command(inbound), topic)


def check(answer: Command | Result | Heard, topic: str) -> None:
    match answer:
        case Command():
            assert topic.endswith(("/set", "/command"))
            assert 0 < len(answer.id) <= MAX_ID and answer.id.isascii()
            assert isinstance(answer.value, bool | int | float | str)
            assert not isinstance(answer.value, str) or len(answer.value) <= MAX_TEXT
        case Result():
            assert answer.outcome is Outcome.REFUSED and answer.reason
        case Heard():
            assert topic.endswith("/data")


def main() -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(SEEDS):
            for topic in range(len(TOPICS)):
                Path(corpus, f"{number}-{topic}").write_bytes(bytes([topic, 0]) + seed)
        atheris.Setup([sys.argv[0], corpus, *sys.argv[1:]], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
