"""Ed25519 signatures of commands (RFC 8032), and the keys of those who may give them.

Loaded only where a configuration has a [[commander]]. The library is PyNaCl: on top of what the
daemon has loaded it takes 1.8 MB, cryptography would take 6.3 MB.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from gateway.model import Proof

KIND = "ed25519"
"""First word of a private key's file; the name and the key in base64 follow."""


@dataclass(frozen=True, slots=True)
class Commander:
    """key: the public one, base64 of 32 bytes. roles: what outputs name in signed_by."""

    name: str
    key: str
    roles: frozenset[str]


class Keys:
    """ValueError for a key that is none."""

    def __init__(self, commanders: Iterable[Commander]) -> None:
        self._keys = {
            commander.name: (VerifyKey(_decoded(commander.key)), commander.roles)
            for commander in commanders
        }

    def roles_of(self, proof: Proof) -> frozenset[str]:
        """What the one who signed may be. ValueError says why the signature does not count."""
        known = self._keys.get(proof.commander)
        if known is None:
            raise ValueError(f"there is no commander {proof.commander!r} here")
        key, roles = known
        try:
            key.verify(proof.message, proof.signature)
        except BadSignatureError:
            raise ValueError(
                f"the signature is not that of {proof.commander} over this envelope and topic"
            ) from None
        return roles


def new_key(name: str) -> tuple[str, str]:
    """A private key's file, and the public key in base64."""
    key = SigningKey.generate()
    private = base64.b64encode(bytes(key)).decode()
    return f"{KIND} {name} {private}\n", base64.b64encode(bytes(key.verify_key)).decode()


def read_key(text: str) -> tuple[str, SigningKey]:
    """The commander's name and the key of a private key's file. ValueError."""
    kind, _, rest = text.strip().partition(" ")
    name, _, encoded = rest.partition(" ")
    if kind != KIND or not name:
        raise ValueError("is no private key of `tidegate keygen`")
    return name, SigningKey(_decoded(encoded))


def sign(key: SigningKey, message: bytes) -> bytes:
    return key.sign(message).signature


def _decoded(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise ValueError(f"a key is base64: {error}") from None
    if len(key) != 32:
        raise ValueError(f"a key has 32 bytes, this one {len(key)}")
    return key
