"""A wake-up is never lost, whenever it comes."""

from __future__ import annotations

import os
import select
import threading

import pytest

from gateway.link.waker import Waker


def rings(waker: Waker) -> bool:
    return bool(select.select([waker], [], [], 0)[0])


@pytest.fixture
def waker() -> Waker:
    return Waker()


def test_however_often_for_one_look(waker: Waker) -> None:
    for _ in range(1000):
        waker.wake()
    assert rings(waker)
    waker.drain()
    assert not rings(waker)
    waker.wake()
    assert rings(waker)
    waker.close()


@pytest.mark.parametrize("first", [True, False])
def test_one_that_comes_while_it_is_drained_does_not_silence_it(
    waker: Waker, first: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another thread wakes just before, or just after, the event is read."""
    read = os.eventfd_read

    def interrupted(event: int) -> int:
        if first:
            waker.wake()
        value = read(event)
        if not first:
            waker.wake()
        return value

    waker.wake()
    with monkeypatch.context() as patch:
        patch.setattr(os, "eventfd_read", interrupted)
        waker.drain()
    waker.wake()
    assert rings(waker)


def test_none_is_lost_between_threads(waker: Waker) -> None:
    """Each round: something is put down, and whoever waits hears of it."""
    rounds, put, seen = 3000, 0, 0
    done = threading.Event()

    def put_down() -> None:
        nonlocal put
        for _ in range(rounds):
            put += 1
            waker.wake()
        done.set()

    thread = threading.Thread(target=put_down)
    thread.start()
    while seen < rounds:
        assert select.select([waker], [], [], 30)[0], f"nobody woke us for {put - seen}"
        waker.drain()
        seen = put
    thread.join(30)
