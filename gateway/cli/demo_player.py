"""Plays the recorded telegrams of a meter into a pseudo-terminal, as an optical head does."""

from __future__ import annotations

import contextlib
import itertools
import os
import pty
import re
import threading
import tty
from pathlib import Path

TELEGRAM = re.compile(rb"\x1b{4}\x01{4}.*?\x1b{4}\x1a.{3}", re.DOTALL)
"""SML transport, version 1 (BSI TR-03109-1, annex IV b): escape and start, escape and end with the
number of fill bytes and a checksum."""
EVERY = 1.0
"""Seconds from telegram to telegram, as the recorded meter sent them."""


class NoTelegram(ValueError):
    """The capture holds no complete telegram."""


def telegrams(capture: bytes) -> list[bytes]:
    """The complete telegrams of a capture, which may begin and end anywhere. NoTelegram."""
    found = TELEGRAM.findall(capture)
    if not found:
        raise NoTelegram("no complete SML telegram in the capture")
    return found


class Player:
    """Sends one telegram a second, over and over, to whoever opens `link`."""

    def __init__(self, capture: Path, link: Path) -> None:
        self._telegrams = telegrams(capture.read_bytes())
        self._master, self._slave = pty.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        link.symlink_to(os.ttyname(self._slave))
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._play, name="player", daemon=True)
        self._thread.start()

    def _play(self) -> None:
        for telegram in itertools.cycle(self._telegrams):
            # Nobody reads: a meter does not wait either.
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, telegram)
            if self._stopping.wait(EVERY):
                return

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        os.close(self._master)
        os.close(self._slave)
