"""TLS: who is trusted, who we are, and what a failed handshake means in words.

Files are looked at before each handshake, so a renewed certificate is used at the next connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.link.certificate import not_after
from gateway.link.login import first_line

_DAY = 86400.0


class TrustError(OSError):
    """A file that cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; "" where unused. Without ca the system's trust store decides.

    key_password: a file with the password of an encrypted key on its first line.
    """

    ca: str = ""
    cert: str = ""
    key: str = ""
    key_password: str = ""


class Trust:
    """Makes the SSL context, anew when a file has changed. met is called by the connecting thread,
    the rest by the link's."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen: tuple[tuple[int, int], ...] | None = None
        self._context: ssl.SSLContext | None = None
        self._peer_ends: float | None = None

    def context(self) -> ssl.SSLContext:
        """TrustError."""
        seen = self._look()
        if self._context is None or seen != self._seen:
            self._context, self._seen = self._make(), seen
        return self._context

    def _look(self) -> tuple[tuple[int, int], ...]:
        """What changes when a file is replaced: by writing into it, or by another in its place."""
        files = self._files
        found = []
        for option, name in (
            ("ca_file", files.ca),
            ("cert_file", files.cert),
            ("key_file", files.key),
            ("key_password_file", files.key_password),
        ):
            if name:
                try:
                    status = Path(name).stat()
                except OSError as error:
                    raise TrustError(f"{option} {name}: {error.strerror}") from error
                found.append((status.st_mtime_ns, status.st_ino))
        return tuple(found)

    def _make(self) -> ssl.SSLContext:
        files = self._files
        try:
            context = ssl.create_default_context(cafile=files.ca or None)
        except (ssl.SSLError, OSError) as error:
            raise TrustError(f"ca_file {files.ca}: no PEM certificate can be read") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if files.cert:
            self._introduce(context)
        return context

    def _introduce(self, context: ssl.SSLContext) -> None:
        files, asked = self._files, False

        def password() -> str:
            # Without it OpenSSL would ask at the terminal, and wait.
            nonlocal asked
            asked = True
            return first_line(files.key_password) if files.key_password else ""

        try:
            context.load_cert_chain(files.cert, files.key or None, password)
        except (OSError, ValueError) as error:
            raise TrustError(self._unusable(error, asked)) from error

    def _unusable(self, error: Exception, asked: bool) -> str:
        files = self._files
        if asked and not files.key_password:
            return f"key_file {files.key} is encrypted: give key_password_file"
        if asked:
            return f"key_file {files.key}: key_password_file {files.key_password} does not open it"
        if isinstance(error, ssl.SSLError) and error.reason == "KEY_VALUES_MISMATCH":
            return f"key_file {files.key} is not the key of cert_file {files.cert}"
        if isinstance(error, ssl.SSLError):
            return f"cert_file {files.cert} or key_file {files.key}: not PEM ({error.reason})"
        return f"cert_file {files.cert} or key_file {files.key}: {error}"

    def days_left(self, now: float) -> float | None:
        """Days until our own certificate ends; None without one. OSError, ValueError."""
        if not self._files.cert:
            return None
        return (not_after(Path(self._files.cert).read_bytes()) - now) / _DAY

    def met(self, stream: ssl.SSLSocket) -> None:
        """A handshake came about."""
        ends = (stream.getpeercert() or {}).get("notAfter")
        self._peer_ends = ssl.cert_time_to_seconds(ends) if isinstance(ends, str) else None

    def peer_days_left(self, now: float) -> float | None:
        """Days until the broker's certificate ends; None before the first handshake."""
        return None if self._peer_ends is None else (self._peer_ends - now) / _DAY


# X.509 verification results, from OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _HOST, _ADDRESS = 9, 10, 62, 64
_SELF_SIGNED = frozenset({18, 19})
_NO_ISSUER = frozenset({2, 20, 21})


def explain(error: ssl.SSLError, host: str, clock: Callable[[], str]) -> str:
    """Why the handshake failed, and what to do. clock: this machine's time, as text."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS with {host} failed: {in_words(error)}"
    code = error.verify_code
    if code == _NOT_YET_VALID:
        return (
            f"the certificate of {host} is not yet valid: this machine's clock says {clock()}; "
            "if that is wrong, wait for the time to be set, or set it"
        )
    if code == _EXPIRED:
        return f"the certificate of {host} has expired (by this machine's clock, {clock()})"
    if code in (_HOST, _ADDRESS):
        return f"the certificate is not for {host}: {error.verify_message}"
    if code in _SELF_SIGNED:
        return f"the certificate of {host} is signed by itself: give it, or its CA, as ca_file"
    if code in _NO_ISSUER:
        return (
            f"the certificate of {host} is signed by nobody we trust ({error.verify_message}); "
            "give its CA as ca_file"
        )
    return f"the certificate of {host} is refused: {error.verify_message}"


_ALERTS = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the broker wants a client certificate (cert_file)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the broker accepts none of our ciphers or certificates",
    "TLSV1_ALERT_UNKNOWN_CA": "the broker does not trust our client certificate",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the broker speaks no TLS 1.2",
    "UNSUPPORTED_PROTOCOL": "the broker speaks no TLS 1.2",
    "WRONG_VERSION_NUMBER": "the broker does not speak TLS at this port",
    "RECORD_LAYER_FAILURE": "the broker does not speak TLS at this port",
}


def in_words(error: OSError) -> str:
    """What a connection broke with. Alerts of the other side come as errors in reading."""
    if isinstance(error, TimeoutError):
        return "nothing that was sent has arrived for a while"
    if not isinstance(error, ssl.SSLError):
        return error.strerror or str(error)
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return "the broker closed the connection"
    return _ALERTS.get(error.reason, error.reason or str(error))
