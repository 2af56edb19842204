"""Passwords as brokers keep them: hashed, with a salt of their own. No password is ever stored."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

ITERATIONS = 10_000
"""A hundred times mosquitto_passwd's; about 10 ms of the broker's time a connection."""
SALT = 12
RABBIT_SALT = 4
RABBIT_ALGORITHM = "rabbit_password_hashing_sha512"


def mosquitto(password: str, salt: bytes | None = None, iterations: int = ITERATIONS) -> str:
    """`$7$ITERATIONS$SALT$HASH`: PBKDF2 with SHA-512, as mosquitto 2 reads and writes it."""
    salt = os.urandom(SALT) if salt is None else salt
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, iterations)
    return f"$7${iterations}${_base64(salt)}${_base64(digest)}"


def is_mosquitto(stored: str, password: str) -> bool:
    """Whether a hash is that of the password."""
    try:
        _, kind, iterations, salt, _ = stored.split("$")
        again = mosquitto(password, base64.b64decode(salt, validate=True), int(iterations))
    except (ValueError, OverflowError):
        return False
    return kind == "7" and hmac.compare_digest(again, stored)


def rabbitmq(password: str, salt: bytes | None = None) -> str:
    """base64(SALT + SHA-512(SALT + PASSWORD)), RabbitMQ's password_hash (Passwords guide)."""
    salt = os.urandom(RABBIT_SALT) if salt is None else salt
    return _base64(salt + hashlib.sha512(salt + password.encode()).digest())


def is_rabbitmq(stored: str, password: str) -> bool:
    try:
        salt = base64.b64decode(stored, validate=True)[:RABBIT_SALT]
    except ValueError:
        return False
    return hmac.compare_digest(rabbitmq(password, salt), stored)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
