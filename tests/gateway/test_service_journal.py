"""What the journal gets: every message whole, with its fields, and nothing that was not logged."""

from __future__ import annotations

import logging
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.service import JournalHandler, journal_field


def fields_of(datagram: bytes) -> dict[str, bytes]:
    """As journald reads them (systemd.io/JOURNAL_NATIVE_PROTOCOL)."""
    found = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", rest)
            value, rest = rest[8 : 8 + length], rest[8 + length + 1 :]
        assert name.decode() not in found
        found[name.decode()] = value
        datagram = rest
    return found


@given(st.text())
def test_a_text_is_one_field_whatever_is_in_it(text: str) -> None:
    expected = text.encode("utf-8", "replace")
    assert fields_of(journal_field("MESSAGE", text)) == {"MESSAGE": expected}


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "socket"))
        sock.settimeout(30)
        yield sock


def logger_to(path: Path) -> logging.Logger:
    logger = logging.Logger("gateway.test")
    logger.addHandler(JournalHandler(str(path)))
    return logger


@pytest.mark.parametrize(
    ("level", "priority"),
    [(logging.CRITICAL, b"2"), (logging.ERROR, b"3"), (logging.WARNING, b"4"),
     (logging.INFO, b"6"), (logging.DEBUG, b"7")],
)  # fmt: skip
def test_levels_and_fields(
    journald: socket.socket, tmp_path: Path, level: int, priority: bytes
) -> None:
    logger_to(tmp_path / "socket").log(level, "two\nlines PRIORITY=%d", 0)
    fields = fields_of(journald.recv(65536))
    assert fields["MESSAGE"] == b"two\nlines PRIORITY=0"
    assert fields["PRIORITY"] == priority
    assert fields["LOGGER"] == b"gateway.test"
    assert fields["SYSLOG_IDENTIFIER"] == b"tidegate"
    assert fields["CODE_FUNC"] == b"test_levels_and_fields"


def test_without_journald_it_goes_to_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logger_to(tmp_path / "none").error("kept")
    assert capsys.readouterr().err == "<3>gateway.test: kept\n"
