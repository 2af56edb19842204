"""TtyPort on a real pseudo-terminal and a real socket."""

import os
import pty
import socket
import termios
from collections.abc import Iterator

import pytest

from drivers.base import BusFault, BusMissing, LineSettings
from drivers.ports import TtyPort


@pytest.fixture
def terminal() -> Iterator[tuple[int, str]]:
    far, near = pty.openpty()
    yield far, os.ttyname(near)
    for descriptor in (far, near):
        try:
            os.close(descriptor)
        except OSError:
            pass  # the test closed it


def test_a_port_reads_and_writes(terminal: tuple[int, str]) -> None:
    far, name = terminal
    port = TtyPort(name)
    port.open(LineSettings(9600))
    assert port.receive() == b""
    assert port.read(4, 0.0) == b""
    os.write(far, b"abcdef")
    assert port.read(4, 5.0) == b"abcd"
    assert port.receive() == b"ef"
    port.write(b"hello")
    assert os.read(far, 10) == b"hello"
    os.write(far, b"old")
    assert port.read(1, 5.0) == b"o"
    port.discard()
    assert port.receive() == b""
    assert port.fileno() is not None
    port.open(LineSettings(300))
    assert termios.tcgetattr(int(port.fileno() or 0))[4] == termios.B300
    port.close()
    with pytest.raises(BusFault, match="not open"):
        port.receive()


def test_a_port_is_locked_and_unplugging_is_told(terminal: tuple[int, str]) -> None:
    far, name = terminal
    port, other = TtyPort(name), TtyPort(name)
    port.open(LineSettings(9600))
    with pytest.raises(BusFault, match="in use"):
        other.open(LineSettings(9600))
    os.close(far)
    with pytest.raises(BusMissing, match=name):
        port.receive()
    with pytest.raises(BusMissing, match="does not exist"):
        TtyPort("/dev/serial/by-id/none").open(LineSettings(9600))


def test_settings_that_the_line_cannot_have(
    terminal: tuple[int, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise termios.error(22, "Invalid argument")

    monkeypatch.setattr(termios, "tcsetattr", refuse)
    with pytest.raises(BusFault, match="cannot be set to 300 7E1"):
        TtyPort(terminal[1]).open(LineSettings(300, 7, "E"))


def test_a_socket_is_a_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = TtyPort(f"socket://127.0.0.1:{server.getsockname()[1]}")
        port.open(LineSettings(9600))
        far, _ = server.accept()
        far.sendall(b"telegram")
        assert port.read(8, 5.0) == b"telegram"
        far.close()
        with pytest.raises(BusFault, match="socket"):
            port.read(1, 5.0)
    with pytest.raises(BusFault, match="socket"):
        port.open(LineSettings(9600))
