"""Who we are to a broker or a proxy. Secrets from files are read at each connect."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


def first_line(path: str) -> str:
    """What a password's file holds, on its first line. OSError, UnicodeError."""
    return Path(path).read_text("utf-8").split("\n", 1)[0].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Login:
    """password_file wins over password."""

    username: str = ""
    password: str = ""
    password_file: str = ""

    def secret(self) -> str | None:
        """OSError, UnicodeError when the file cannot be read."""
        return first_line(self.password_file) if self.password_file else self.password or None
