"""Where each key of a TOML text stands. `tomllib` tells values but no places.

The scanner reads text that `tomllib` has accepted, so it knows only what separates keys from
values (https://toml.io/en/v1.0.0) and does not check anything.
"""

from __future__ import annotations

import re
import tomllib

from gateway.config_report import Path, Position

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_PLAIN_VALUE = re.compile(r"[^,\]}#\r\n]+")
# A closing triple quote may have one or two quotes of the content just before it.
_STRING = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"{3,5}(?!")'
    r"|'''[\s\S]*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
)


def positions(text: str) -> dict[Path, Position]:
    """Line and column, both from 1, of every key, table header and list item of a valid text."""
    return _Scanner(text).scan()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._found: dict[Path, Position] = {}
        self._lengths: dict[Path, int] = {}
        """How many elements each array of tables has by now."""
        self._line = 1
        self._line_start = 0
        self._counted = 0

    def scan(self) -> dict[Path, Position]:
        table: Path = ()
        self._skip(_SPACE)
        while self._at < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)
            self._skip(_SPACE)
        return self._found

    def _header(self, brackets: int) -> Path:
        here = self._position()
        self._at += brackets
        keys = self._keys()
        self._at += brackets
        if brackets == 1:
            path = self._resolve(keys, here)
        else:
            array = (*self._resolve(keys[:-1], here), keys[-1])
            self._found.setdefault(array, here)
            index = self._lengths.get(array, 0)
            self._lengths[array] = index + 1
            path = (*array, index)
        self._found.setdefault(path, here)
        return path

    def _resolve(self, keys: list[str], here: Position) -> Path:
        """A header that goes through an array of tables means its last element."""
        path: Path = ()
        for key in keys:
            path = (*path, key)
            self._found.setdefault(path, here)
            if path in self._lengths:
                path = (*path, self._lengths[path] - 1)
        return path

    def _pair(self, table: Path) -> None:
        here = self._position()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._found.setdefault(path, here)
        self._at += 1  # the equals sign
        self._skip(_BLANK)
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            self._skip(_BLANK)
            keys.append(self._key())
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return keys
            self._at += 1

    def _key(self) -> str:
        if self._text[self._at] in "\"'":
            return str(tomllib.loads(f"key = {self._skip(_STRING)}")["key"])
        return self._skip(_BARE_KEY)

    def _value(self, path: Path) -> None:
        self._found.setdefault(path, self._position())
        match self._text[self._at]:
            case '"' | "'":
                self._skip(_STRING)
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                self._skip(_PLAIN_VALUE)

    def _array(self, path: Path) -> None:
        self._at += 1
        index = 0
        while not self._closed("]"):
            self._value((*path, index))
            index += 1

    def _inline_table(self, path: Path) -> None:
        self._at += 1
        while not self._closed("}"):
            self._pair(path)

    def _closed(self, bracket: str) -> bool:
        """Skip what separates the items; at the bracket, step over it."""
        self._skip(_SPACE)
        if self._text[self._at] == ",":
            self._at += 1
            self._skip(_SPACE)
        if self._text[self._at] != bracket:
            return False
        self._at += 1
        return True

    def _skip(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:
            raise AssertionError(f"the text at {self._at} is not valid TOML")
        self._at = match.end()
        return match.group()

    def _position(self) -> Position:
        newlines = self._text.count("\n", self._counted, self._at)
        if newlines:
            self._line += newlines
            self._line_start = self._text.rindex("\n", self._counted, self._at) + 1
        self._counted = self._at
        return self._line, self._at - self._line_start + 1
