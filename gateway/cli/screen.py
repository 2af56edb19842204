"""A page of text on a terminal that is redrawn without flicker, also over SSH and a serial line.

Only what changed is sent: at 9600 baud a whole page takes two seconds. The sequences are those of
ECMA-48 that every terminal since the VT100 knows, and the alternate screen of xterm, which others
ignore.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Sequence
from types import TracebackType
from typing import TextIO

from gateway.cli.layout import Line

ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J"
LEAVE = "\x1b[0m\x1b[?25h\x1b[?1049l"
STYLES = {"head": "\x1b[1m", "dim": "\x1b[2m", "bad": "\x1b[31m", "good": "\x1b[32m"}


class Screen:
    """A terminal in our hands between enter and exit; every way out gives it back as it was."""

    def __init__(self, out: TextIO = sys.stdout, keys: int | None = None) -> None:
        """keys: descriptor of the keyboard, by default stdin if that is a terminal."""
        self._out = out
        if keys is None and sys.stdin.isatty():
            keys = sys.stdin.fileno()
        self._keys = keys
        self._saved: list[object] | None = None
        self._shown: list[Line] = []
        self._size = (0, 0)
        self._colour = not os.environ.get("NO_COLOR")

    def __enter__(self) -> Screen:
        if self._keys is not None:
            self._saved = termios.tcgetattr(self._keys)
            tty.setcbreak(self._keys, termios.TCSANOW)
        self._send(ENTER)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._send(LEAVE)
        if self._keys is not None and self._saved is not None:
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._saved)  # type: ignore[arg-type]

    @property
    def size(self) -> tuple[int, int]:
        """Columns and rows; 80 by 24 where the terminal does not say (a serial line)."""
        columns, rows = shutil.get_terminal_size((80, 24))
        return max(20, columns), max(4, rows)

    def key(self) -> str:
        """The key that was pressed since the last call, or nothing."""
        if self._keys is None or not select.select([self._keys], [], [], 0)[0]:
            return ""
        return os.read(self._keys, 1).decode("ascii", "replace")

    def draw(self, lines: Sequence[Line]) -> None:
        """Shows these lines from the top, and nothing below them."""
        size = self.size
        if size != self._size:
            self._shown, self._size = [], size
            self._send("\x1b[2J")
        self._send(changes(self._shown, lines, self._colour))
        self._shown = list(lines)

    def _send(self, text: str) -> None:
        encoding = self._out.encoding or "ascii"
        self._out.write(text.encode(encoding, "replace").decode(encoding))
        self._out.flush()


def changes(old: Sequence[Line], new: Sequence[Line], colour: bool = True) -> str:
    """The shortest simple way from one page to the next: of each line that differs, its end."""
    sent = []
    for row in range(max(len(old), len(new))):
        before = old[row] if row < len(old) else Line("")
        after = new[row] if row < len(new) else Line("")
        if before == after:
            continue
        start = 0
        if before.style == after.style:
            start = _common(before.text, after.text)
        style = STYLES.get(after.style, "") if colour else ""
        text = after.text[start:]
        sent.append(f"\x1b[{row + 1};{start + 1}H{style}{text}{style and chr(27) + '[0m'}\x1b[K")
    return "".join(sent)


def _common(one: str, other: str) -> int:
    """Characters that both begin with."""
    for index, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return index
    return min(len(one), len(other))
