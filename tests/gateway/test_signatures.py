"""Signed commands: who signed what, for which topic and session, and that nothing else passes."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.cli.keygen import block
from gateway.cli.send import signer
from gateway.codecs import commands
from gateway.codecs.commands import loads_text, signed_bytes
from gateway.config import ConfigErrors, parse
from gateway.judge import Authority
from gateway.model import Command, Outcome, Result
from gateway.signatures import Commander, Keys, new_key, read_key, sign
from tests.gateway.codecs.examples import inbound
from tests.gateway.test_control import Bench

TOPIC = "tidegate/house/pump/set"
ENVELOPE = '{"id":"a1","value":true,"nonce":"n0nce"}'
RAW = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(RAW)
PUBLIC = base64.b64encode(KEY.public_key().public_bytes_raw()).decode()
KEYS = Keys([Commander("anna", PUBLIC, frozenset({"operator"}))])


def wrapped(envelope: str = ENVELOPE, topic: str = TOPIC, commander: str = "anna") -> bytes:
    """Signed by another library than the gateway's."""
    signature = base64.b64encode(KEY.sign(signed_bytes(topic, envelope.encode()))).decode()
    content = {"key": commander, "signature": signature, "signed": envelope}
    return json.dumps(content, separators=(",", ":")).encode()


def received(payload: bytes, topic: str = TOPIC) -> Command | Result:
    return commands.parse("pump", inbound(payload, topic), loads_text)


def counts(payload: bytes, topic: str = TOPIC) -> bool:
    """Whether the message is a command whose signature holds."""
    command = received(payload, topic)
    if isinstance(command, Result) or command.proof is None:
        return False
    try:
        return bool(KEYS.roles_of(command.proof))
    except ValueError:
        return False


def test_a_signature_of_any_library_counts() -> None:
    command = received(wrapped())
    assert isinstance(command, Command)
    assert command.proof is not None
    assert (command.id, command.value, command.nonce) == ("a1", True, "n0nce")
    assert KEYS.roles_of(command.proof) == {"operator"}


def test_every_change_of_one_bit_is_refused() -> None:
    payload = wrapped()
    assert counts(payload)
    passed = []
    for bit in range(8 * len(payload)):
        changed = bytearray(payload)
        changed[bit // 8] ^= 1 << bit % 8
        if counts(bytes(changed)):
            passed.append((bit, bytes(changed)))
    assert passed == []


@pytest.mark.parametrize("topic", ["tidegate/barn/pump/set", "tidegate/house/valve/set"])
def test_it_holds_for_one_device_of_one_gateway(topic: str) -> None:
    assert not counts(wrapped(), topic)


@pytest.mark.parametrize(
    ("payload", "words"),
    [
        (b'{"signed":"{}"}', "has the fields key, signature, signed"),
        (wrapped('{"value":true,"nonce":"n"}'), 'needs an "id"'),
        (wrapped('{"id":"a","value":true}'), 'needs an "id"'),
        (wrapped("true"), 'needs an "id"'),
        (wrapped('{"id":"a","nonce":"n","value":[1]}'), '"value" has to be'),
        (wrapped('{"id":"a","nonce":"n","signed":"x"}'), "unknown field"),
        (wrapped().replace(b'"signature":"', b'"signature":"A'), "64 bytes in base64"),
        (wrapped().replace(b'"key":"anna"', b'"key":7'), '"key" has to be'),
        (wrapped().replace(b'"key":"anna"', b'"key":null'), '"key" a name'),
        (wrapped("[" * 9), "nested deeper"),
    ],
)
def test_what_is_no_signed_command_says_why(payload: bytes, words: str) -> None:
    refusal = received(payload)
    assert isinstance(refusal, Result)
    assert words in refusal.reason


def test_a_stranger_is_told_so() -> None:
    command = received(wrapped(commander="bob"))
    assert isinstance(command, Command)
    assert command.proof is not None
    with pytest.raises(ValueError, match="no commander 'bob'"):
        KEYS.roles_of(command.proof)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    authority = Authority(KEYS.roles_of, frozenset({"admin"}))
    signed_by = frozenset({"operator"})
    bench = Bench(tmp_path / "state.db", signed_by=signed_by, authority=authority, fresh_only=True)
    yield bench
    bench.store.close()


def send(bench: Bench, payload: bytes, topic: str = TOPIC, device: str = "pump") -> Result:
    inbound_ = inbound(payload, topic, received=bench.clock.stamp())
    bench.send(commands.parse(device, inbound_, loads_text))
    return bench.results[-1]


def test_a_signed_command_runs_and_says_whose_it_was(bench: Bench) -> None:
    result = send(bench, wrapped())
    assert (result.outcome, result.source, len(bench.acts)) == (Outcome.DONE, "mqtt anna", 1)


def test_a_replay_does_not_run_again(bench: Bench) -> None:
    """Within the session its id is known; in the next one its nonce is stale."""
    send(bench, wrapped())
    assert send(bench, wrapped()).outcome is Outcome.DONE
    other = wrapped('{"id":"a2","value":true,"nonce":"earlier"}')
    assert send(bench, other).outcome is Outcome.EXPIRED
    assert len(bench.acts) == 1


def test_an_unsigned_command_is_refused_even_with_a_known_id(bench: Bench) -> None:
    send(bench, wrapped())
    result = send(bench, ENVELOPE.encode())
    assert (result.outcome, result.reason) == (
        Outcome.REFUSED,
        "only a signed command is taken here",
    )
    assert len(bench.acts) == 1


def test_a_role_that_may_not_is_refused_by_name(bench: Bench) -> None:
    topic = "tidegate/house/command"
    payload = wrapped('{"id":"g1","value":"lock","nonce":"n0nce"}', topic)
    result = send(bench, payload, topic, "")
    assert (result.outcome, result.source) == (Outcome.REFUSED, "mqtt anna")
    assert result.reason == "anna may not: it takes one of admin"
    assert send(bench, b"lock", topic, "").reason == "only a signed command is taken here"


def test_what_is_decided_here_needs_no_signature(bench: Bench) -> None:
    bench.send(bench.command("r1", source="rule frost"))
    assert bench.results[-1].outcome is Outcome.DONE


def test_a_signature_where_nobody_is_known_means_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "state.db")
    assert "no commander is known" in send(bench, wrapped()).reason
    assert bench.acts == []
    bench.store.close()


def test_a_key_that_was_made_signs_and_verifies(tmp_path: Path) -> None:
    private, public = new_key("anna")
    name, key = read_key(private)
    proof_of = Keys([Commander(name, public, frozenset({"x"}))]).roles_of
    (tmp_path / "anna.key").write_text(private)
    command = received(signer(str(tmp_path / "anna.key"))(TOPIC, ENVELOPE))
    assert isinstance(command, Command)
    assert command.proof is not None
    assert proof_of(command.proof) == {"x"}
    assert sign(key, b"m") == sign(key, b"m")
    for text in ("", "ed25519 anna", "rsa anna AAAA", "ed25519 anna AAAA"):
        with pytest.raises(ValueError, match=r"private key|has \d+ bytes|32 bytes"):
            read_key(text)


HEAD = 'gateway.id = "g"\nupstream.url = "mqtt://localhost"\n'
RELAY = """[[bus]]
name = "p"
kind = "gpio"
[[device]]
name = "pump"
driver = "relay"
bus = "p"
pin = 4
signed_by = ["operator"]
"""


def test_the_block_that_keygen_prints_loads() -> None:
    settings = parse(HEAD + RELAY + block("anna", PUBLIC, ["operator"]), "x.toml").settings
    (commander,) = settings.commander
    assert (commander.name, commander.key, commander.roles) == ("anna", PUBLIC, ("operator",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEAD + RELAY, 'no [[commander]] has the role "operator", so nobody could command it'),
        (HEAD + block("anna", "AAAA", ["operator"]), "is no public key"),
        (HEAD + block("anna", "ä", ["operator"]), "is no public key"),
        (
            HEAD + block("a", PUBLIC, ["x"]) + block("b", PUBLIC, ["x"]),
            "is the key of another one already",
        ),
        (
            'gateway.id = "g"\ngateway.signed_by = ["admin"]\nupstream.url = "mqtt://localhost"',
            'no [[commander]] has the role "admin", so nobody could command it',
        ),
    ],
)
def test_a_configuration_that_nobody_could_use_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigErrors) as caught:
        parse(text, "x.toml")
    assert message in [e.message.removeprefix(f'"{PUBLIC}" ') for e in caught.value.errors]
