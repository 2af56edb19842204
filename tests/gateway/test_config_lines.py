"""The scanner finds every key that tomllib finds, on its line."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config_lines import positions
from gateway.config_report import Path


def paths(value: Any, path: Path = ()) -> set[Path]:
    """Every key path of a document, tables and list items among them."""
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, item in value.items():
            found |= paths(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            found |= paths(item, (*path, index))
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb = 2", {("a",): (1, 1), ("b",): (2, 1)}),
        ("# comment = 1\n\n  a = 1 # b = 2", {("a",): (3, 3)}),
        ("[t]\na = 1", {("t",): (1, 1), ("t", "a"): (2, 1)}),
        ("[ t . u ]\na = 1", {("t", "u"): (1, 1), ("t", "u", "a"): (2, 1)}),
        ("[[d]]\na = 1\n[[d]]\na = 2", {("d",): (1, 1), ("d", 0, "a"): (2, 1), ("d", 1): (3, 1)}),
        (
            "[[d]]\n[d.f.x]\nlow = 1\n[[d]]\n[d.f.x]\nlow = 2",
            {("d", 0, "f", "x", "low"): (3, 1), ("d", 1, "f", "x", "low"): (6, 1)},
        ),
        ("[[d]]\n[[d.e]]\n[[d.e]]\na = 1", {("d", 0, "e", 1, "a"): (4, 1)}),
        ("a.b.c = 1", {("a", "b"): (1, 1), ("a", "b", "c"): (1, 1)}),
        ("\"a b\" . 'c' = 1", {("a b", "c"): (1, 1)}),
        (r'"\u00e9\"" = 1', {('é"',): (1, 1)}),
        ("a = { b = 1, c = { d = 2 } }", {("a", "b"): (1, 7), ("a", "c", "d"): (1, 20)}),
        ("a = [\n 1, # one\n [2, 3],\n]\nb = 1", {("a", 1, 1): (3, 6), ("b",): (5, 1)}),
        ('a = """\nb = 1\n""""\nc = 2', {("c",): (4, 1)}),
        ("a = '''x''''\nc = 2", {("c",): (2, 1)}),
        ('a = """"""\nc = 2', {("c",): (2, 1)}),
        ('a = "\\"]"\nc = 2', {("c",): (2, 1)}),
        ("a = '#'\nc = 1979-05-27 07:32:00\nd = -inf", {("c",): (2, 1), ("d",): (3, 1)}),
        ("a = [{b = 1}, {b = 2}]", {("a", 1, "b"): (1, 16)}),
    ],
)
def test_places(text: str, expected: dict[Path, tuple[int, int]]) -> None:
    found = positions(text)
    assert {path: found.get(path) for path in expected} == expected
    assert paths(tomllib.loads(text)) <= set(found)


keys = st.text("abc_-.é \"'#=[]", min_size=1, max_size=4)
scalars = (
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.text("ab\"'#[]{}=,\n\\é", max_size=8)
    | st.floats(width=32)
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)


def quoted(text: str) -> str:
    # JSON's escapes are TOML's, but that TOML knows no surrogate pairs and escapes DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def written(value: Any, newline: str) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(k)} = {written(v, '')}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{newline}{f',{newline}'.join(written(v, newline) for v in value)}{newline}]"
    if isinstance(value, str):
        return quoted(value)
    return json.dumps(value).replace("NaN", "nan").replace("Infinity", "inf")


@given(
    document=st.dictionaries(keys, values, max_size=4),
    tables=st.lists(st.dictionaries(keys, values, max_size=3), max_size=3),
    newline=st.sampled_from(["", "\n", " # [x = 1]\n\t"]),
)
def test_every_key_of_any_document(
    document: dict[str, Any], tables: list[dict[str, Any]], newline: str
) -> None:
    rows = [f"{quoted(key)} = {written(value, newline)}" for key, value in document.items()]
    for table in tables:
        rows += ["[[table]]", *(f"{quoted(k)} = {written(v, newline)}" for k, v in table.items())]
    text = "\n".join(rows)
    found = positions(text)
    assert set(found) == paths(tomllib.loads(text))
    lines = text.split("\n")
    for path, (line, column) in found.items():
        if len(path) == 1 and path[0] in document:
            assert lines[line - 1][column - 1 :].startswith(f"{quoted(str(path[0]))} = ")
