"""What a session waits for: the broker's line and the waker's bell, in one epoll(7)."""

from __future__ import annotations

import select

LINE, LINE_AND_ROOM, DEAF = select.EPOLLIN, select.EPOLLIN | select.EPOLLOUT, 0
BELL = select.EPOLLIN | select.EPOLLET
"""Edge-triggered: each ring is heard once, and nobody has to read it away."""


class Ears:
    def __init__(self, line: int, bell: int) -> None:
        self._line, self._bell = line, bell
        self._for_line = LINE
        self._epoll = select.epoll(2)
        self._epoll.register(line, LINE)
        self._epoll.register(bell, BELL)

    def wait(self, timeout: float, line: bool, writing: bool) -> tuple[bool, bool]:
        """Seconds at most, until the bell rings, or, if asked for, the line has something or, when
        writing, has room. Whether the bell rang, whether the line has something: its end, too.
        """
        wanted = LINE_AND_ROOM if writing else LINE if line else DEAF
        if wanted != self._for_line:
            self._epoll.modify(self._line, wanted)
            self._for_line = wanted
        rang = heard = False
        for file, event in self._epoll.poll(timeout, 2):
            if file == self._bell:
                rang = True
            elif event & ~select.EPOLLOUT:
                heard = True
        return rang, heard

    def close(self) -> None:
        self._epoll.close()
