"""Whether the brokers of a configuration are there, let us in, and let us do what we must."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from gateway.cli.consumer import Consumer, Refused, Unreachable
from gateway.cli.diagnosis import FAIL, OK, WARN, Finding
from gateway.cli.login import Login
from gateway.codecs.topics import Topics
from gateway.link import login as link_login
from gateway.link import tls
from gateway.link.certificate import not_after
from gateway.link.endpoint import Endpoint, parse_endpoint
from gateway.settings import Settings, UpstreamSettings

TIMEOUT = 10.0
SOON = 30 * 86400.0
DAY = 86400.0


def broker_findings(settings: Settings) -> Iterator[Finding]:
    upstream = settings.upstream
    urls = (upstream.url,) if isinstance(upstream.url, str) else upstream.url
    files = tls.TlsFiles(
        upstream.ca_file, upstream.cert_file, upstream.key_file, upstream.key_password_file
    )
    if files.cert:
        yield from _own_certificate(files.cert)
    for url in urls:
        endpoint = parse_endpoint(url, upstream.insecure)
        before = list(_reached(endpoint, files))
        yield from before
        if not any(finding.level == FAIL for finding in before):
            yield from _let_in(endpoint, files, settings)


def _own_certificate(file: str) -> Iterator[Finding]:
    try:
        with open(file, "rb") as stream:
            left = not_after(stream.read()) - time.time()
    except (OSError, ValueError) as error:
        yield Finding(FAIL, f"cert_file {file}: {error}", f"sudo chown $USER {file}")
        return
    yield _ending(f"our certificate {file}", left)


def _ending(whose: str, left: float) -> Finding:
    if left <= 0:
        return Finding(FAIL, f"{whose} ended {-left / DAY:.0f} days ago", "renew it; and: date")
    level = WARN if left < SOON else OK
    return Finding(
        level, f"{whose} is good for {left / DAY:.0f} days", "" if level == OK else "renew it"
    )


def _reached(endpoint: Endpoint, files: tls.TlsFiles) -> Iterator[Finding]:
    """Name, port and TLS, as far as it goes."""
    where = f"broker {endpoint.url}"
    if endpoint.transport == "unix":
        return
    try:
        found = socket.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM)
    except OSError as error:
        yield Finding(
            FAIL, f"{where}: the name is not known ({error})", f"getent hosts {endpoint.host}"
        )
        return
    try:
        raw = socket.create_connection((endpoint.host, endpoint.port), TIMEOUT)
    except OSError as error:
        mend = f"nc -vz {endpoint.host} {endpoint.port}   # is it running? a firewall?"
        yield Finding(FAIL, f"{where}: {error.strerror or error} ({found[0][4][0]})", mend)
        return
    with raw:
        if not endpoint.tls:
            yield Finding(OK, f"{where}: the port is open")
            return
        yield _handshake(where, endpoint, files, raw)


def _handshake(where: str, endpoint: Endpoint, files: tls.TlsFiles, raw: socket.socket) -> Finding:
    try:
        context = tls.Trust(files).context()
        with context.wrap_socket(raw, server_hostname=endpoint.host) as secured:
            certificate = secured.getpeercert() or {}
    except (ssl.SSLError, OSError) as error:
        now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
        reason = (
            tls.explain(error, endpoint.host, lambda: now)
            if isinstance(error, ssl.SSLError)
            else str(error)
        )
        mend = (
            f"openssl s_client -connect {endpoint.host}:{endpoint.port} -servername {endpoint.host}"
        )
        return Finding(FAIL, f"{where}: {reason}", mend)
    ends = str(certificate.get("notAfter", ""))
    return _ending(f"{where}: its certificate", ssl.cert_time_to_seconds(ends) - time.time())


def _let_in(endpoint: Endpoint, files: tls.TlsFiles, settings: Settings) -> Iterator[Finding]:
    """Login, the subscriptions of a gateway, and one message to its own tree."""
    where = f"broker {endpoint.url}"
    upstream = settings.upstream
    topics = Topics(upstream.root, settings.gateway.id)
    try:
        login = Login(endpoint, upstream.username, _password(upstream), files, upstream.protocol)
    except (OSError, UnicodeError) as error:
        mend = f"sudo chown $USER {upstream.password_file}"
        yield Finding(FAIL, f"password_file {upstream.password_file}: {error}", mend)
        return
    consumer = Consumer(login, [topics.device("+", "set"), topics.own("command")])
    try:
        consumer.connect(TIMEOUT)
    except Refused as error:
        yield Finding(FAIL, str(error), "tidegate broker-acl; username and password of [upstream]")
        return
    except Unreachable as error:
        yield Finding(FAIL, str(error), "is it an MQTT broker? protocol in [upstream]")
        return
    try:
        yield Finding(OK, f"{where}: login and subscriptions")
        refusal = consumer.refusal(topics.own("reply/doctor"), b"{}", TIMEOUT)
    finally:
        consumer.close()
    if refusal:
        what = f"{where}: does not take what we publish below {topics.own('#')} ({refusal})"
        yield Finding(FAIL, what, "tidegate broker-acl")
    elif refusal is None:
        yield Finding(WARN, f"{where}: does not say whether it takes what we publish (MQTT 3.1.1)")
    else:
        yield Finding(OK, f"{where}: takes what we publish")


def _password(upstream: UpstreamSettings) -> str:
    login = link_login.Login(upstream.username, upstream.password, upstream.password_file)
    return login.secret() or ""
