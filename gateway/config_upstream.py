"""Checks of `[upstream]`: addresses that cannot work, and secrets that would travel in the open."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import SplitResult, urlsplit

from gateway.config_report import Place, nearest
from gateway.settings import OutboxSettings, UpstreamSettings

SCHEMES = ("mqtt", "mqtts", "ws", "wss", "unix")
PLAIN = ("mqtt", "ws")
PROXY_SCHEMES = ("http", "socks5")

_VARIABLE = re.compile(r"(?<!\$)\$\{")
_LABEL = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")


def check_upstream(upstream: UpstreamSettings, place: Place) -> None:
    several = isinstance(upstream.url, tuple)
    urls = upstream.url if isinstance(upstream.url, tuple) else (upstream.url,)
    if not urls:
        place.at("url").error("must name at least one broker")
    for index, url in enumerate(urls):
        here = place.at("url", index) if several else place.at("url")
        _check_url(url, upstream.insecure, here)
    if upstream.proxy:
        parts = _split(upstream.proxy, PROXY_SCHEMES, place.at("proxy"))
        if parts is not None:
            _check_host(parts, place.at("proxy"), "use proxy_username and proxy_password_file")
    _check_root(upstream.root, place.at("root"))
    _check_secrets(upstream, place)


def check_batches(upstream: UpstreamSettings, outbox: OutboxSettings, root: Place) -> None:
    """Readings that wait for a batch need batches, and let others overtake them."""
    if not upstream.batch_every:
        return
    if upstream.history != "batch":
        root.at("upstream", "history").error(
            "sends one by one what batch_every has made wait", 'write history = "batch"'
        )
    if outbox.order != "live-first":
        root.at("outbox", "order").error(
            "cannot be kept: results and alarms overtake what batch_every makes wait",
            'write order = "live-first"',
        )


def check_linger(upstream: UpstreamSettings, outbox: OutboxSettings, root: Place) -> None:
    """Readings that wait for others are unanswered all the while."""
    linger, place = upstream.linger, root.at("upstream", "linger")
    if not linger:
        return
    if linger > upstream.ack_timeout / 2:
        place.error(
            "must be at most half of ack_timeout: a reading that waits is one without an answer",
            f"at most {upstream.ack_timeout / 2:g} s here",
        )
    elif upstream.batch_every:
        place.warn("does nothing beside batch_every: readings wait for their batch")
    elif outbox.durability == "window" and linger >= outbox.commit_every:
        place.warn(
            "readings wait for longer than commit_every, so each is written to the disk although "
            "the link is well",
            "an SD card is spared with a linger that is shorter by the broker's answer",
        )


def _check_url(url: str, insecure: bool, place: Place) -> None:
    parts = _split(url, SCHEMES, place)
    if parts is None:
        return
    if parts.scheme == "unix":
        if parts.netloc or not parts.path.startswith("/"):
            place.error("must be unix:// and an absolute path", "as unix:///run/mosquitto.sock")
        return
    if not _check_host(parts, place):
        return
    if parts.path not in ("", "/") and parts.scheme not in ("ws", "wss"):
        place.error(f"cannot have a path ({parts.path})", "topics begin with root")
    if parts.scheme in PLAIN and not insecure and not is_loopback(parts.hostname or ""):
        place.error(
            f"{parts.scheme}:// to another machine can be read and changed on the way",
            f"use {parts.scheme}s://, or write insecure = true if the network is your own",
        )


def _split(url: str, schemes: tuple[str, ...], place: Place) -> SplitResult | None:
    try:
        parts = urlsplit(url)
    except ValueError as error:  # an IPv6 address without its bracket
        place.error(f"is no URL: {error}")
        return None
    if "://" not in url or parts.scheme not in schemes:
        hint = nearest(parts.scheme, schemes) if "://" in url else f'as "{schemes[0]}://{url}"'
        place.error(f"must begin with {'://, '.join(schemes)}://", hint)
        return None
    return parts


def _check_host(
    parts: SplitResult, place: Place, login: str = "use username and password_file"
) -> bool:
    """Whether the host and port can be; says what is wrong with them. login: where one belongs."""
    if parts.username is not None or parts.password is not None:
        place.error("must not hold a login", login)
        return False
    try:
        port = parts.port
    except ValueError:
        place.error("the port must be a number from 1 to 65535")
        return False
    if port == 0:
        place.error("the port must be a number from 1 to 65535")
        return False
    wrong = _wrong_host(parts.hostname or "")
    if wrong:
        place.error(wrong)
    return not wrong


def _wrong_host(host: str) -> str:
    """What is wrong with a host name, empty if nothing.

    A label of more than 63 letters (RFC 1035, 2.3.4) raises UnicodeError where the name is looked
    up, which no network code expects.
    """
    if not host:
        return "the host is missing"
    if ":" in host:
        return ""  # an IPv6 address, which urlsplit has checked
    try:
        name = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        return f'"{host}" cannot be a host name'
    labels = name.removesuffix(".").split(".")
    if len(name) > 253 or any(len(label) > 63 for label in labels):
        return "a host name has at most 63 letters between dots and 253 in all"
    if not all(_LABEL.fullmatch(label) for label in labels):
        return f'"{host}" cannot be a host name: letters, digits and - between dots'
    return ""


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    if host in ("localhost", "ip6-localhost") or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_root(root: str, place: Place) -> None:
    if not all(root.split("/")) or root.startswith("$") or any(c in root for c in "+#\0"):
        place.error("must be a topic: no +, #, empty level, and no $ in front")


def _check_secrets(upstream: UpstreamSettings, place: Place) -> None:
    if upstream.password and upstream.password_file:
        place.at("password_file").error("stands beside password", "give one of them")
    elif upstream.password and not _VARIABLE.search(place.at("password").written):
        place.at("password", secret=True).warn(
            "whoever reads this file can use it", "better: password_file, or ${NAME}"
        )
    if (upstream.password or upstream.password_file) and not upstream.username:
        place.at("username").error("is missing beside the password")
    if upstream.key_password_file and not upstream.key_file:
        place.at("key_password_file").error("is of no use without key_file")
    if upstream.proxy_password_file and not upstream.proxy_username:
        place.at("proxy_username").error("is missing beside the password")
    if upstream.proxy_username and not upstream.proxy:
        place.at("proxy_username").error("is of no use without proxy")
    if bool(upstream.cert_file) != bool(upstream.key_file):
        missing = "key_file" if upstream.cert_file else "cert_file"
        place.at(missing).error("is missing: a client certificate needs its key, and a key its")
