"""Every trap of docs/link.md is held by a test that names it."""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "link.md"


def docstrings() -> str:
    """Of the test functions in this folder."""
    trees = [ast.parse(file.read_text()) for file in HERE.glob("test_*.py")]
    functions = [node for tree in trees for node in ast.walk(tree)]
    return "\n".join(
        ast.get_docstring(node) or ""
        for node in functions
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def test_every_trap_has_a_test_that_names_it() -> None:
    listed = re.findall(r"^\| (P\d+) \|", PAGE.read_text(), re.MULTILINE)
    assert listed == [f"P{number}" for number in range(1, 29)]
    named = set(re.findall(r"P\d+", docstrings()))
    assert [trap for trap in listed if trap not in named] == []


def test_every_fault_case_of_the_link_has_a_test_that_names_it() -> None:
    """Cases 17 to 33: from a broker that is gone to a network thread that dies."""
    numbers = re.findall(r"[Cc]ases? (\d+)(?: and (\d+))?", docstrings())
    named = {int(number) for pair in numbers for number in pair if number}
    assert [case for case in range(17, 34) if case not in named] == []
