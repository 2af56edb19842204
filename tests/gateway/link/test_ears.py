"""A session hears its line and its bell, each when it should."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from gateway.link.ears import Ears
from gateway.link.waker import Waker

SOON = 30.0


@pytest.fixture
def line() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.setblocking(False)
        yield ours, theirs


@pytest.fixture
def waker() -> Iterator[Waker]:
    waker = Waker()
    yield waker
    waker.close()


@pytest.fixture
def ears(line: tuple[socket.socket, socket.socket], waker: Waker) -> Iterator[Ears]:
    ears = Ears(line[0].fileno(), waker.fileno())
    yield ears
    ears.close()


def test_a_ring_is_heard_once_though_nobody_reads_it(ears: Ears, waker: Waker) -> None:
    for _ in range(3):
        waker.wake()
        assert ears.wait(SOON, line=True, writing=False) == (True, False)
        waker.heard()
        assert ears.wait(0, line=True, writing=False) == (False, False)


def test_a_ring_between_hearing_and_saying_so_needs_no_second(ears: Ears, waker: Waker) -> None:
    waker.wake()
    assert ears.wait(SOON, line=True, writing=False) == (True, False)
    waker.wake()  # whoever rings now has put down before what is looked at behind `heard`
    waker.heard()
    waker.wake()
    assert ears.wait(SOON, line=True, writing=False) == (True, False)


def test_the_line_waits_while_only_the_bell_counts(
    ears: Ears, waker: Waker, line: tuple[socket.socket, socket.socket]
) -> None:
    line[1].send(b"x")
    assert ears.wait(0, line=False, writing=False) == (False, False)
    waker.wake()
    assert ears.wait(SOON, line=False, writing=False) == (True, False)
    assert ears.wait(SOON, line=True, writing=False) == (False, True)


def test_room_to_write_ends_the_wait_and_is_nothing_to_read(
    ears: Ears, line: tuple[socket.socket, socket.socket]
) -> None:
    assert ears.wait(SOON, line=True, writing=True) == (False, False)
    line[1].send(b"x")
    assert ears.wait(SOON, line=True, writing=True) == (False, True)


@pytest.mark.parametrize("listening", [True, False])
def test_the_end_of_the_line_is_heard_at_once(
    ears: Ears, line: tuple[socket.socket, socket.socket], listening: bool
) -> None:
    line[1].close()
    assert ears.wait(SOON, line=listening, writing=False) == (False, True)
