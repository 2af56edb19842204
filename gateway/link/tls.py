"""TLS: who is trusted, who we are, and what a failed handshake means in words.

Files are looked at before each handshake, so a renewed certificate is used at the next connection.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.link.certificate import not_after

_DAY = 86400.0


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; "" where unused. Without ca the system's trust store decides."""

    ca: str = ""
    cert: str = ""
    key: str = ""


class Trust:
    """Makes the SSL context, anew when a file has changed."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen: tuple[int, ...] | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """OSError (ssl.SSLError is one) names the file that cannot be used."""
        seen = tuple(
            Path(name).stat().st_mtime_ns
            for name in (self._files.ca, self._files.cert, self._files.key)
            if name
        )
        if self._context is None or seen != self._seen:
            self._context, self._seen = self._make(), seen
        return self._context

    def _make(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self._files.ca or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._files.cert:
            context.load_cert_chain(self._files.cert, self._files.key or None)
        return context

    def days_left(self, now: float) -> float | None:
        """Days until our own certificate ends; None without one. OSError, ValueError."""
        if not self._files.cert:
            return None
        return (not_after(Path(self._files.cert).read_bytes()) - now) / _DAY


# X.509 verification results, from OpenSSL's x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _HOST = 9, 10, 62
_NO_ISSUER = frozenset({2, 18, 19, 20, 21})


def explain(error: ssl.SSLError, host: str, clock: Callable[[], str]) -> str:
    """Why the handshake failed, and what to do. clock: this machine's time, as text."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        return f"TLS with {host} failed: {error.reason or error}"
    code = error.verify_code
    if code == _NOT_YET_VALID:
        return (
            f"the certificate of {host} is not yet valid: this machine's clock says {clock()}; "
            "if that is wrong, wait for the time to be set, or set it"
        )
    if code == _EXPIRED:
        return f"the certificate of {host} has expired (by this machine's clock, {clock()})"
    if code == _HOST:
        return f"the certificate is not for {host}: {error.verify_message}"
    if code in _NO_ISSUER:
        return (
            f"the certificate of {host} is signed by nobody we trust ({error.verify_message}); "
            "give its CA as ca_file"
        )
    return f"the certificate of {host} is refused: {error.verify_message}"
