"""What is wrong with a configuration, and where: collected, so that all of it is said at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str | int, ...]
"""A key path: ("device", 2, "filter", "temperature", "deadband")."""

Position = tuple[int, int]
"""Line and column, both from 1."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error or warning.

    line and column count from 1; both are 0 where the problem is the file as a whole.
    path: as in `device[boiler].interval`: an array's element by its name, or its number from 1.
    source: the line of the file; "" where it may hold a secret.
    """

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str = ""
    source: str = ""

    def __str__(self) -> str:
        """`file:line: key path: message; hint`, for a log."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        parts = [where, self.path, self.message] if self.path else [where, self.message]
        return ": ".join(parts) + (f"; {self.hint}" if self.hint else "")


class ConfigErrors(Exception):
    """A configuration cannot be used. Holds every error that was found, in the file's order."""

    def __init__(self, errors: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.errors)))


class Report:
    """Collects the problems of one file and finds their places."""

    def __init__(
        self,
        file: str,
        lines: list[str],
        positions: Mapping[Path, Position],
        document: Mapping[str, Any],
    ) -> None:
        self._file = file
        self._lines = lines
        self._positions = positions
        self._document = document
        self._errors: list[Problem] = []
        self._warnings: list[Problem] = []

    def error(self, path: Path, message: str, hint: str = "", *, secret: bool = False) -> None:
        self._errors.append(self._problem(path, message, hint, secret))

    def warn(self, path: Path, message: str, hint: str = "", *, secret: bool = False) -> None:
        self._warnings.append(self._problem(path, message, hint, secret))

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return _in_order(self._warnings)

    def raise_errors(self) -> None:
        """ConfigErrors, if there are any."""
        if self._errors:
            raise ConfigErrors(_in_order(self._errors), self.warnings)

    def written(self, path: Path) -> Any:
        """What the file says there, before the environment's values went in."""
        here: Any = self._document
        for step in path:
            here = _child(here, step)
        return here

    def _problem(self, path: Path, message: str, hint: str, secret: bool) -> Problem:
        line, column = self._position(path)
        source = self._lines[line - 1] if line and not secret else ""
        return Problem(self._file, line, column, self._label(path), message, hint, source)

    def _position(self, path: Path) -> Position:
        """Of the key, or of what should hold it where it is missing."""
        while path and path not in self._positions:
            path = path[:-1]
        return self._positions.get(path, (0, 0))

    def _label(self, path: Path) -> str:
        label = ""
        here: Any = self._document
        for step in path:
            here = _child(here, step)
            if isinstance(step, int):
                name = here.get("name") if isinstance(here, Mapping) else None
                label += f"[{name if isinstance(name, str) else step + 1}]"
            else:
                label += f".{step}" if label else step
        return label


@dataclass(frozen=True, slots=True)
class Place:
    """A key path of a file: where a value was read, and where to complain about it."""

    report: Report
    path: Path = ()
    secret: bool = False

    def at(self, *steps: str | int, secret: bool = False) -> Place:
        return Place(self.report, (*self.path, *steps), self.secret or secret)

    def error(self, message: str, hint: str = "") -> None:
        self.report.error(self.path, message, hint, secret=self.secret)

    @property
    def written(self) -> Any:
        return self.report.written(self.path)

    def warn(self, message: str, hint: str = "") -> None:
        self.report.warn(self.path, message, hint, secret=self.secret)


def nearest(name: str, known: Iterable[str]) -> str:
    """`did you mean "known"?`, or the empty string where nothing is near."""
    import difflib  # only in the error path: the daemon that starts well does not load it

    near = difflib.get_close_matches(name.lower(), sorted(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def _in_order(problems: list[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: (problem.line, problem.column)))


def _child(here: Any, step: str | int) -> Any:
    if isinstance(here, Mapping) and isinstance(step, str):
        return here.get(step)
    if isinstance(here, list) and isinstance(step, int) and step < len(here):
        return here[step]
    return None
