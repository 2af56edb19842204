"""Ways to a broker: WebSocket, Unix socket, several urls, proxies, names and addresses."""

from __future__ import annotations

import errno
import math
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.cli.demo_broker import free_port
from gateway.link.login import Login
from gateway.link.reach import Progress, Unreachable, reach, why
from gateway.link.tls import TlsFiles
from gateway.link.wire import tune
from tests.brokers import PATIENCE, Listener, Mosquitto, eventually
from tests.certificates import Authority
from tests.gateway.link.parts import LinkRig, sample
from tests.lines import HttpProxy, Proxy, SocksProxy
from tests.mqtt_bytes import CONNECT
from tests.scripted_broker import ScriptedBroker

AS_ROOT = ("user root",) if os.getuid() == 0 else ()


def delivers(rig: LinkRig, count: int = 300) -> None:
    keys = [rig.outbox.append(sample(value)) for value in range(count)]
    eventually(lambda: sorted(rig.outbox.done) == keys)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_websocket(tmp_path: Path, protocol: str) -> None:
    port = free_port()
    broker = Mosquitto(tmp_path, f"listener {port} 127.0.0.1", "protocol websockets")
    broker.start()
    with LinkRig(f"ws://127.0.0.1:{port}", protocol=protocol, history_batch=0) as rig:
        delivers(rig)
        listener = Listener(broker.port)
        listener.publish("tidegate/g/pump/set", b"ON")
        eventually(lambda: len(rig.commands) == 1)
        listener.close()
    broker.stop()


def test_websocket_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("server")
    port = free_port()
    broker = Mosquitto(
        tmp_path,
        *AS_ROOT,
        f"listener {port} 127.0.0.1",
        "protocol websockets",
        f"certfile {pair.cert}",
        f"keyfile {pair.key}",
    )
    broker.start()
    with LinkRig(f"wss://localhost:{port}/mqtt", tls=TlsFiles(ca=str(authority.cert))) as rig:
        delivers(rig)
    broker.stop()


def test_a_web_server_that_is_no_broker(scripted: ScriptedBroker) -> None:
    def answer() -> None:
        near, _ = listener.accept()
        near.recv(4096)
        near.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        near.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=answer, daemon=True).start()
        with LinkRig(f"ws://127.0.0.1:{listener.getsockname()[1]}") as rig:
            eventually(lambda: "while asking for a WebSocket" in rig.link.status().reason)


def test_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "broker.sock"
    broker = Mosquitto(tmp_path, *AS_ROOT, f"listener 0 {path}")
    with LinkRig(f"unix://{path}") as rig:
        eventually(lambda: f"there is no socket {path}" in rig.link.status().reason)
        broker.start()
        delivers(rig)
        assert not rig.link.status().insecure
    broker.stop()


def test_several_urls_are_tried_in_turn(scripted: ScriptedBroker) -> None:
    dead = f"mqtt://127.0.0.1:{free_port()}"
    with ScriptedBroker() as other:
        other.refusal = 0x88
        with LinkRig([dead, other.url, scripted.url]) as rig:
            eventually(lambda: rig.up)
            assert rig.link.status().url == scripted.url
            other.refusal, scripted.refusal = 0, 0x88
            scripted.cut()
            eventually(lambda: rig.up and rig.link.status().url == other.url)
            delivers(rig, 10)


@pytest.mark.parametrize(
    ("options", "probes"),
    [({}, True), ({"keepalive": 31}, False), ({"daily_bytes": 20_000}, False)],
    ids=["default", "long keep-alive", "budget"],
)
def test_the_kernel_probes_a_silent_line_unless_bytes_are_dear(
    scripted: ScriptedBroker,
    options: dict[str, int],
    probes: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P12: by TCP's own keep-alive, which wakes nobody here and costs 104 bytes."""
    sockets: list[socket.socket] = []

    def seen(sock: socket.socket, user_timeout: float, probe_after: int) -> None:
        tune(sock, user_timeout, probe_after)
        sockets.append(sock)

    monkeypatch.setattr("gateway.link.connector.tune", seen)
    with LinkRig(scripted.url, **options) as rig:
        eventually(lambda: rig.up)
        (sock,) = sockets
        assert bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)) is probes
        if probes:
            after = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
            again = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL)
            until = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) / 1000
            assert after + again * math.ceil((until - after) / again) < 15


# Proxies.


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
@pytest.mark.parametrize("login", ["", "me:s3cret"])
def test_through_a_proxy(
    scripted: ScriptedBroker, kind: type[Proxy], login: str, tmp_path: Path
) -> None:
    """The proxy resolves the broker's name: this machine need not know it."""
    scheme = "http" if kind is HttpProxy else "socks5"
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    who = Login("me", "", str(secret)) if login else Login()
    known = {("broker.invalid", 1883): scripted.port}
    with (
        kind(lambda host, port: known.get((host, port)), login) as proxy,
        LinkRig(
            "mqtt://broker.invalid:1883",
            insecure=True,
            proxy=f"{scheme}://127.0.0.1:{proxy.port}",
            proxy_login=who,
        ) as rig,
    ):
        delivers(rig)
        assert proxy.asked == [("broker.invalid", 1883)]


@pytest.mark.parametrize("kind", [HttpProxy, SocksProxy])
def test_tls_through_a_proxy(tmp_path: Path, kind: type[Proxy]) -> None:
    """The proxy sees none of it: the certificate is the broker's."""
    authority = Authority(tmp_path)
    scheme = "http" if kind is HttpProxy else "socks5"
    tls = authority.issue("server", "broker.invalid").server()
    with (
        ScriptedBroker(tls=tls) as broker,
        kind(lambda host, port: broker.port) as proxy,
        LinkRig(
            "mqtts://broker.invalid",
            tls=TlsFiles(ca=str(authority.cert)),
            proxy=f"{scheme}://127.0.0.1:{proxy.port}",
        ) as rig,
    ):
        delivers(rig, 20)
        assert proxy.asked == [("broker.invalid", 8883)]


@pytest.mark.parametrize(
    ("kind", "login", "words"),
    [
        (HttpProxy, "", "refused: HTTP/1.1 502 Bad Gateway"),
        (HttpProxy, "a:b", "refused: HTTP/1.1 407 Proxy Authentication Required"),
        (SocksProxy, "", "refused: host unreachable"),
        (SocksProxy, "a:b", "refused the login"),
    ],
)
def test_a_proxy_that_refuses(kind: type[Proxy], login: str, words: str) -> None:
    scheme = "http" if kind is HttpProxy else "socks5"
    with (
        kind(lambda host, port: None, login) as proxy,
        LinkRig(
            "mqtts://broker.invalid",
            proxy=f"{scheme}://127.0.0.1:{proxy.port}",
            proxy_login=Login("me", "wrong"),
        ) as rig,
    ):
        eventually(lambda: words in rig.link.status().reason)
        assert "asking the proxy 127.0.0.1" in rig.link.status().reason


@pytest.mark.parametrize("scheme", ["http", "socks5"])
def test_a_proxy_that_is_something_else(
    scripted: ScriptedBroker, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.link.reach.STEP_TIMEOUT", 0.3)
    scripted.tolerant = True
    proxy = f"{scheme}://127.0.0.1:{scripted.port}"
    with LinkRig("mqtts://broker.invalid", proxy=proxy) as rig:
        eventually(lambda: rig.link.status().reason not in ("", "not connected yet"))
        assert not rig.up


# Names and addresses.

Answer = tuple[Any, ...]


def addresses(*found: tuple[int, str], port: int) -> list[Answer]:
    return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in found]


def resolving(monkeypatch: pytest.MonkeyPatch, resolve: Callable[..., list[Answer]]) -> None:
    """Names ending in .test are resolved so; the brokers of the tests need no resolver."""
    real = socket.getaddrinfo

    def answer(host: str, port: int, *args: Any, **kwargs: Any) -> list[Answer]:
        if host.endswith(".test"):
            return resolve(host, port)
        return list(real(host, port, *args, **kwargs))

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_a_broker_that_is_reached_by_ipv6_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Case 30: by its address, and by a name whose IPv4 address leads nowhere."""
    with ScriptedBroker(family=socket.AF_INET6, host="::1") as broker:
        with LinkRig(broker.url) as rig:
            delivers(rig, 10)
        both = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")
        resolving(monkeypatch, lambda host, port: addresses(*both, port=port))
        with LinkRig(f"mqtt://broker.test:{broker.port}", insecure=True) as rig:
            delivers(rig, 10)


def test_every_address_that_failed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    both = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "127.0.0.2")
    resolving(monkeypatch, lambda host, port: addresses(*both, port=port))
    port = free_port()
    with pytest.raises(Unreachable) as error:
        reach("broker.test", port, Progress())
    assert str(error.value) == "; ".join(f"nothing listens at {a} port {port}" for _, a in both)


@pytest.mark.parametrize(
    ("number", "family", "words"),
    [
        (errno.ENETUNREACH, socket.AF_INET, "no way to A: this machine has no IPv4 network now"),
        (errno.ENETUNREACH, socket.AF_INET6, "no way to A: this machine has no IPv6 network now"),
        (errno.EHOSTUNREACH, socket.AF_INET, "no way to A: no route, or nobody there"),
        (errno.ETIMEDOUT, socket.AF_INET, "A port 1 does not answer"),
        (errno.EPERM, socket.AF_INET, "A port 1: Operation not permitted"),
    ],
)
def test_what_a_failed_connect_means(number: int, family: int, words: str) -> None:
    """Case 30: on a network of one family it is said which one is missing."""
    assert why(OSError(number, os.strerror(number)), family, "A", 1) == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (socket.EAI_AGAIN, "the name broker.test cannot be resolved now: no name server answers"),
        (socket.EAI_NONAME, "the name broker.test is not known (DNS)"),
        (socket.EAI_FAIL, "the name broker.test cannot be resolved: "),
    ],
)
def test_dns_that_is_dead(monkeypatch: pytest.MonkeyPatch, code: int, words: str) -> None:
    """P11, case 30: each way of not knowing a name has its own words."""

    def resolve(host: str, port: int) -> list[Answer]:
        raise socket.gaierror(code, "as the resolver says")

    resolving(monkeypatch, resolve)
    with LinkRig("mqtts://broker.test") as rig:
        eventually(lambda: words in rig.link.status().reason)
        assert rig.link.status().callback_errors == 0


def test_dns_that_hangs(monkeypatch: pytest.MonkeyPatch, scripted: ScriptedBroker) -> None:
    """P11, case 30: the heart beats on, no more than a few threads hang, the stop is not held up,
    and when the resolver is back the link finds its way."""
    back = threading.Event()

    def resolve(host: str, port: int) -> list[Answer]:
        back.wait(60)
        return addresses((socket.AF_INET, "127.0.0.1"), port=port)

    resolving(monkeypatch, resolve)
    before = threading.active_count()
    with LinkRig(f"mqtt://broker.test:{scripted.port}", insecure=True) as rig:

        def passes(words: str) -> bool:
            beats = rig.beats
            rig.advance(5)
            eventually(lambda: rig.beats > beats, "a heartbeat while the resolver hangs")
            return words in rig.link.status().reason

        eventually(lambda: passes("while resolving the name broker.test"))
        eventually(lambda: passes("the resolver hangs"))
        assert threading.active_count() - before <= 5
        back.set()
        eventually(lambda: rig.up)
        delivers(rig, 10)


def test_a_stop_does_not_wait_for_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    back = threading.Event()

    def resolve(host: str, port: int) -> list[Answer]:
        back.wait(60)
        return []

    resolving(monkeypatch, resolve)
    rig = LinkRig("mqtts://broker.test").start()
    eventually(lambda: rig.beats > 0)
    assert rig.link.stop(PATIENCE)
    back.set()


def test_a_name_that_the_resolver_cannot_write(monkeypatch: pytest.MonkeyPatch) -> None:
    """P10: UnicodeError is no OSError. The configuration refuses such a name; should one get
    through, the thread lives."""

    def resolve(host: str, port: int) -> list[Answer]:
        raise UnicodeError("label too long")

    resolving(monkeypatch, resolve)
    with LinkRig("mqtts://broker.test") as rig:
        eventually(lambda: "is no host name: label too long" in rig.link.status().reason)
        assert rig.link.status().callback_errors == 0


def test_a_connect_that_fails_in_an_unforeseen_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """P10: the connecting thread never ends without a result."""

    def resolve(host: str, port: int) -> list[Answer]:
        raise RuntimeError("a bug")

    resolving(monkeypatch, resolve)
    with LinkRig("mqtts://broker.test") as rig:
        eventually(lambda: "internal error" in rig.link.status().reason)


def test_a_port_where_nobody_listens_or_nobody_speaks(scripted: ScriptedBroker) -> None:
    port = free_port()
    with LinkRig(f"mqtt://127.0.0.1:{port}") as rig:
        words = f"nothing listens at 127.0.0.1 port {port}"
        eventually(lambda: words in rig.link.status().reason)
    scripted.silent = {CONNECT}
    with LinkRig(scripted.url, protocol="5") as rig:
        eventually(lambda: len(scripted.hellos) == 1)
        rig.advance(6)
        eventually(lambda: rig.link.status().reason == "the broker does not answer CONNECT")
