"""The status socket: what it answers, to whom, and that nobody who asks can hold the gateway up."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cli import local_page
from gateway.local import (
    SOCKET_MODE,
    Door,
    Local,
    LocalError,
    Page,
    Pages,
    answer,
    listen_tcp,
    listen_unix,
    socket_path,
)
from tests.brokers import eventually

PAGES: Pages = {
    "/status": lambda: Page("application/json", b'{"gateway":"g"}'),
    "/metrics": lambda: Page("text/plain", b"up 1\n"),
}


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A socket that is served as long as the test runs."""
    path = tmp_path / "status.sock"
    local = Local([Door(partial(listen_unix, path), PAGES)])
    thread = threading.Thread(target=local.run)
    thread.start()
    yield path
    local.stop()
    thread.join(30)
    assert not thread.is_alive()


def test_a_page_is_had_over_the_socket(path: Path) -> None:
    assert local_page.status(path) == {"gateway": "g"}
    assert local_page.get(path, "/metrics") == b"up 1\n"


def test_the_socket_is_for_owner_and_group(path: Path) -> None:
    assert path.stat().st_mode & 0o777 == SOCKET_MODE


def test_an_unknown_page_is_named_as_such(path: Path) -> None:
    with pytest.raises(ValueError, match="404"):
        local_page.get(path, "/nothing")


def test_a_caller_that_says_nothing_is_dropped_and_the_next_one_served(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.connect(str(path))
        assert local_page.status(path, timeout=30) == {"gateway": "g"}


def test_a_caller_that_hangs_up_harms_nobody(path: Path) -> None:
    for _ in range(3):
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.connect(str(path))
            sock.sendall(b"GET /status HTTP/1.0\r\n\r\n")
    assert local_page.status(path, timeout=30) == {"gateway": "g"}


def test_a_socket_that_a_dead_gateway_left_is_replaced(tmp_path: Path) -> None:
    listen_unix(tmp_path / "s").close()
    door = listen_unix(tmp_path / "s")
    door.close()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    with pytest.raises(LocalError, match="in use"):
        listen_unix(tmp_path / "s")
    assert (tmp_path / "s").read_text() == "precious"


def test_a_path_that_is_too_long_or_nowhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="too long"):
        listen_unix(tmp_path / ("x" * 120))
    with pytest.raises(LocalError, match="No such file"):
        listen_unix(tmp_path / "no" / "s")


def test_a_port_that_is_taken_is_said() -> None:
    with listen_tcp("127.0.0.1", 0) as door:
        port = door.getsockname()[1]
        with pytest.raises(LocalError, match=f"127.0.0.1:{port}"):
            listen_tcp("127.0.0.1", port)


def test_a_port_shows_the_metrics_alone() -> None:
    port = listen_tcp("127.0.0.1", 0)
    address = port.getsockname()
    local = Local([Door(lambda: port, {"/metrics": PAGES["/metrics"]})])
    thread = threading.Thread(target=local.run)
    thread.start()
    try:
        for page, status in (("/metrics", b" 200 "), ("/status", b" 404 ")):
            with socket.create_connection(address, 30) as sock:
                sock.sendall(f"GET {page} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                assert status in sock.recv(4096)
    finally:
        local.stop()
        thread.join(30)


def test_what_cannot_be_had_at_the_start_is_told_once_and_had_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A disk that is read-only at the start has no place for a socket."""
    monkeypatch.setattr("gateway.local.RETRY", 0.01)
    path, other = tmp_path / "state" / "s", tmp_path / "other"
    doors = [Door(partial(listen_unix, where), PAGES) for where in (path, other)]
    local = Local(doors)
    assert "No such file" in local.missing
    thread = threading.Thread(target=local.run)
    thread.start()
    try:
        for _ in range(10):  # the other one is served meanwhile, the more so the more tries
            assert local_page.status(other, timeout=30) == {"gateway": "g"}
        assert [record.levelname for record in caplog.records] == ["ERROR"]
        path.parent.mkdir()
        eventually(lambda: not local.missing)
        assert local_page.status(path, timeout=30) == {"gateway": "g"}
        assert local_page.status(other, timeout=30) == {"gateway": "g"}
        assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    finally:
        local.stop()
        thread.join(30)
    assert not thread.is_alive()


def test_where_it_listens() -> None:
    state = Path("/var/lib/tidegate")
    assert socket_path("/run/x.sock", state, {}) == Path("/run/x.sock")
    assert socket_path("", state, {}) == state / "status.sock"
    service = {"RUNTIME_DIRECTORY": "/run/tidegate"}
    assert socket_path("", state, service) == Path("/run/tidegate/status.sock")


@given(st.binary(max_size=200))
def test_any_request_is_answered(request: bytes) -> None:
    assert answer(request, PAGES).startswith(b"HTTP/1.0 ")


def test_only_get() -> None:
    assert b" 405 " in answer(b"POST /status HTTP/1.0\r\n\r\n", PAGES)
    assert b" 400 " in answer(b"hello", PAGES)
    head, _, body = answer(b"GET /status?x=1 HTTP/1.0\r\n\r\n", PAGES).partition(b"\r\n\r\n")
    assert f"Content-Length: {len(body)}".encode() in head
    assert json.loads(body) == {"gateway": "g"}


def test_nobody_there_is_said(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(local_page.NoAnswer, match="No such file"):
        local_page.status(tmp_path / "none")
    assert time.monotonic() - began < 30
