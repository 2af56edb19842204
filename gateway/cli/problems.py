"""Problems of a configuration on a terminal, and the way in for verbs that need one."""

from __future__ import annotations

import argparse
import sys

from gateway.__main__ import DEFAULT_CONFIG
from gateway.config import ConfigErrors, Loaded, Problem, load

EX_CONFIG = 78
"""sysexits.h: something was found in an unconfigured or misconfigured state."""


def render(problem: Problem, kind: str = "") -> str:
    """The place, what is wrong, the line with a mark below the key, and the hint."""
    where = f"{problem.file}:{problem.line}" if problem.line else problem.file
    head = f"{where}: {problem.path}: " if problem.path else f"{where}: "
    rows = [f"{head}{kind}{problem.message}"]
    if problem.source.strip():
        number = f"{problem.line:5d}"
        # A tab stays a tab, so that the mark stands where the terminal shows the key.
        before = problem.source[: problem.column - 1]
        indent = "".join("\t" if character == "\t" else " " for character in before)
        rows += [f"{number} | {problem.source}", f"{' ' * len(number)} | {indent}^"]
    if problem.hint:
        rows.append(f"      hint: {problem.hint}")
    return "\n".join(rows)


def add_config(parser: argparse.ArgumentParser, *flags: str) -> None:
    """The argument CONFIG, or the option of these flags where a verb is about something else."""
    default = f"default {DEFAULT_CONFIG}"
    if flags:
        parser.add_argument(*flags, default=DEFAULT_CONFIG, metavar="CONFIG", help=default)
    else:
        parser.add_argument(
            "config", nargs="?", default=DEFAULT_CONFIG, metavar="CONFIG", help=default
        )


def plainly(error: Exception) -> str:
    """Without Python's `[Errno 2]`: the file and what the system says of it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)


def load_or_explain(path: str) -> Loaded | None:
    """The configuration; None after its errors were printed: the exit code is EX_CONFIG then."""
    try:
        return load(path)
    except ConfigErrors as errors:
        for problem in errors.errors:
            print(render(problem), file=sys.stderr)
        return None
