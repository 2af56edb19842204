"""Addresses: what is accepted, and what is said of the rest."""

from __future__ import annotations

import pytest

from gateway.link.endpoint import Endpoint, Proxy, parse_endpoint, parse_proxy


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("mqtt://localhost", ("tcp", False, "localhost", 1883, "/mqtt")),
        ("mqtts://b.example", ("tcp", True, "b.example", 8883, "/mqtt")),
        ("mqtts://брокер.example", ("tcp", True, "xn--90aiopjd.example", 8883, "/mqtt")),
        ("mqtts://[2001:db8::1]:883", ("tcp", True, "2001:db8::1", 883, "/mqtt")),
        ("wss://b.example/broker", ("websockets", True, "b.example", 443, "/broker")),
        ("ws://127.0.0.1:8080", ("websockets", False, "127.0.0.1", 8080, "/mqtt")),
        ("unix:///run/b.sock", ("unix", False, "/run/b.sock", 1, "")),
    ],
)
def test_urls(url: str, endpoint: tuple[str, bool, str, int, str]) -> None:
    assert parse_endpoint(url) == Endpoint(url, *endpoint)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("broker", "begin with one of"),
        ("http://broker", "begin with one of"),
        ("mqtts://", "names no host"),
        ("mqtts://b:0", "1 to 65535"),
        ("mqtts://b:70000", "1 to 65535"),
        ("mqtts://[::1", "is no URL"),
        ("mqtts://me:secret@b", "password_file"),
        ("mqtts://" + "a" * 70, "is no host name"),
        ("unix://run/b.sock", "three slashes"),
        ("mqtt://b.example", "plain text to another machine"),
        ("ws://192.168.1.5", "plain text to another machine"),
    ],
)
def test_urls_that_cannot_work(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_endpoint(url)


def test_a_password_in_a_url_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are checked below
        parse_endpoint("mqtts://me:hunter2@b")
    assert "hunter2" not in str(error.value)


def test_plain_text_to_another_machine_has_to_be_said() -> None:
    assert parse_endpoint("mqtt://b.example", insecure=True).tls is False


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("mqtt://127.3.2.1", True),
        ("mqtt://[::1]", True),
        ("unix:///run/b", True),
        ("mqtts://localhost.example", False),
    ],
)
def test_what_is_on_this_machine(url: str, local: bool) -> None:
    assert parse_endpoint(url).local is local


def test_proxies() -> None:
    assert parse_proxy("socks5://proxy") == Proxy("socks5", "proxy", 1080)
    assert parse_proxy("http://proxy:8080") == Proxy("http", "proxy", 8080)
    with pytest.raises(ValueError, match="begin with http"):
        parse_proxy("ftp://proxy")
    with pytest.raises(ValueError, match="proxy_password_file") as error:
        parse_proxy("http://me:hunter2@proxy")
    assert "hunter2" not in str(error.value)
