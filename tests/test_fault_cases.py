"""Every fault case that the outbox answers for is named by a test: `test_case_7_...`, or `Case 7`
in the docstring of one, which asserts something. The list is of storage, queue and clock; link and
outputs have theirs.

1 killed while sampling; 2 stopped in order; 3 power cut in a write, 4 in a recycle, 5 in the
recovery, 6 in the cursor; 7 a flipped bit; 8 a lost block; 9 a lost header; 10 nothing readable;
11 the ledger damaged; 12 disk full by others; 13 queue full; 14 one failed sync; 15 storage that
fails for good; 16 a slow card; 17 broker gone for days; 18 link that flaps; 36 clock set late, 37
set back; 48 a newer format; 50 a backlog of 100,000.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

JUDGES = {"judge", "raises"}
CASES = {*range(1, 19), 36, 37, 48, 50}
NAMED = re.compile(
    r"\b(?:test_)?cases?[ _](\d+(?:(?:, | and | to |_and_|_to_)\d+)*)", re.IGNORECASE
)


def numbers(text: str) -> set[int]:
    found: set[int] = set()
    for named in NAMED.findall(text):
        found.update(int(number) for number in re.findall(r"\d+", named))
        for first, last in re.findall(r"(\d+)(?: to |_to_)(\d+)", named):
            found.update(range(int(first), int(last) + 1))
    return found


def test_numbers_are_read_as_they_are_written() -> None:
    assert numbers("def test_case_7_a_flipped_bit") == {7}
    assert numbers("test_cases_3_to_6_power_cuts, Case 2: ends") == {2, 3, 4, 5, 6}
    assert numbers("(traps.md, cases 1, 17 and 18).") == {1, 17, 18}
    assert numbers("in case it fails; cases of 7") == set()


def judging(tree: ast.AST) -> Iterator[ast.FunctionDef]:
    """Those that assert something, by themselves or by a function of the tests that judges."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            inner = list(ast.walk(node))
            called = {ast.unparse(n.func).split(".")[-1] for n in inner if isinstance(n, ast.Call)}
            if called & JUDGES or any(isinstance(n, ast.Assert) for n in inner):
                yield node


def test_every_case_has_a_test_that_names_it() -> None:
    here = Path(__file__)
    named: set[int] = set()
    for path in here.parent.rglob("test_*.py"):
        if path != here:
            for test in judging(ast.parse(path.read_text("utf-8"))):
                named |= numbers(test.name) | numbers(ast.get_docstring(test) or "")
    assert CASES - named == set()
