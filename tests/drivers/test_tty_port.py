"""TtyPort on a real pseudo-terminal and a real socket."""

from __future__ import annotations

import os
import pty
import socket
import termios
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import serial
from serial.rfc2217 import PortManager
from serial.rs485 import RS485Settings

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


class Rfc2217Server:
    """A serial server over a wire that gives back what is sent, by pyserial's own server half."""

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"rfc2217://127.0.0.1:{self._listening.getsockname()[1]}"
        self.wire: Any = serial.serial_for_url("loop://", timeout=0.1)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Rfc2217Server:
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._listening.close()
        self._thread.join(30)

    def write(self, data: bytes) -> None:
        self._connection.sendall(data)

    def _serve(self) -> None:
        self._connection, _ = self._listening.accept()
        manager = PortManager(self.wire, cast(Any, self))
        with self._connection as connection:
            connection.settimeout(0.05)
            while True:
                try:
                    heard = connection.recv(1024)
                except TimeoutError:
                    heard = b""
                else:
                    if not heard:
                        return
                for byte in manager.filter(heard):
                    self.wire.write(byte)
                back = self.wire.read(self.wire.in_waiting)
                if back:
                    connection.sendall(b"".join(manager.escape(back)))


def test_a_serial_server_by_rfc_2217_takes_the_line_s_settings() -> None:
    with Rfc2217Server() as server:
        port = TtyPort(server.url)
        port.open(LineSettings(19200, 8, "E"))
        assert port.fileno() is None, "it is polled"
        port.write(b"\x00\xff/?!\r\n")
        assert port.read(7, 30.0) == b"\x00\xff/?!\r\n"
        assert (server.wire.baudrate, server.wire.parity) == (19200, "E")
        port.open(LineSettings(300, 7, "E"))
        port.write(b"slow")
        assert port.read(4, 30.0) == b"slow"
        assert (server.wire.baudrate, server.wire.bytesize) == (300, 7)
        port.close()


def test_an_adapter_that_was_pulled_out_works_again_at_the_next_open(tmp_path: Path) -> None:
    """By a name that stays the same, as below /dev/serial/by-id."""
    link = tmp_path / "usb-meter"
    port = TtyPort(f"{link}")
    with pytest.raises(BusMissing, match="usb-meter does not exist"):
        port.open(LineSettings(9600))
    for data in (b"before", b"after"):
        far, near = pty.openpty()
        link.symlink_to(os.ttyname(near))
        port.open(LineSettings(9600))
        os.write(far, data)
        assert port.read(len(data), 30.0) == data
        link.unlink()
        os.close(near)
        os.close(far)
        with pytest.raises(BusMissing, match="usb-meter does not exist"):
            port.read(1, 30.0)
        with pytest.raises(BusFault, match="is not open"):
            port.receive()


class RtsPort:
    """What is done to a pyserial port, in its order."""

    bytesize, parity, stopbits, baudrate = 8, "E", 1, 9600

    def __init__(self) -> None:
        self.done: list[object] = []

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name == "rts":
            self.done.append(value)

    def open(self) -> None:
        self.done.append("open")

    def write(self, data: bytes) -> None:
        self.done.append(data)

    def flush(self) -> None:
        self.done.append("sent")

    def close(self) -> None:
        self.done.append("closed")


@pytest.mark.parametrize(("rts", "sending"), [("high", True), ("low", False)])
def test_rts_holds_a_sender_on_while_bytes_go_out(
    rts: str, sending: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    wire = RtsPort()
    monkeypatch.setattr(serial, "serial_for_url", lambda *unused, **options: wire)
    port = TtyPort("/dev/ttyUSB0", rts)
    port.open(LineSettings(9600, 8, "E"))
    assert wire.done == [not sending, "open"], "it listens from the moment it opens"
    begun = time.monotonic()
    port.write(bytes(48))
    assert wire.done[2:] == [sending, bytes(48), "sent", not sending]
    assert time.monotonic() - begun >= 48 * 11 / 9600, "an adapter may still be sending"


def test_the_kernel_can_switch_an_rs485_line(monkeypatch: pytest.MonkeyPatch) -> None:
    wire = RtsPort()
    monkeypatch.setattr(serial, "serial_for_url", lambda *unused, **options: wire)
    port = TtyPort("/dev/ttyS0", "kernel")
    port.open(LineSettings(9600))
    port.write(b"x")
    assert wire.done == ["open", b"x"]
    assert isinstance(wire.rs485_mode, RS485Settings)  # type: ignore[attr-defined]
