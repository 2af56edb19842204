"""Mutation testing of the journal and of eviction: how many small faults the tests notice.

    python -m bench.mutation_journal                     # all of them: hours
    python -m bench.mutation_journal --sample 200        # at random, about half an hour
    python -m bench.mutation_journal --only eviction --sample 50

Each mutant is one change in one place: a comparison, an operator, a number, a condition negated, a
statement left out. It is killed when one of the tests named here fails or takes too long.
"""

from __future__ import annotations

import argparse
import ast
import copy
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
JOURNAL = [
    "tests/gateway/test_journal_ring.py",
    "tests/gateway/test_journal_faults.py",
    "tests/gateway/test_journal_open.py",
    "tests/gateway/test_journal_format.py",
    "tests/gateway/test_outbox_faults.py",
    "tests/gateway/test_outbox_cuts.py",
    "tests/gateway/test_journal_model.py",
]
TESTS = {"eviction.py": ["tests/gateway/test_eviction.py"]}
LIMIT = 180.0
"""Seconds; what takes longer is caught in a loop."""

COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATE: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.RShift: ast.LShift,
    ast.LShift: ast.RShift,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    file: Path
    line: int
    what: str
    source: str


class Plain(ast.NodeTransformer):
    """Annotations are no code that a test could notice."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        for argument in (*node.args.args, *node.args.kwonlyargs):
            argument.annotation = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Name("object", ast.Load())
        return self.generic_visit(node)


def mutants(file: Path) -> Iterator[Mutant]:
    tree = Plain().visit(ast.parse(file.read_text("utf-8")))
    count = sum(1 for _ in ast.walk(tree))
    for number in range(count):
        for variant in range(2):
            changed = copy.deepcopy(tree)
            node = list(ast.walk(changed))[number]
            what = mutate(node, variant)
            if what:
                line = getattr(node, "lineno", 0)
                yield Mutant(file, line, what, ast.unparse(ast.fix_missing_locations(changed)))


def mutate(node: ast.AST, variant: int) -> str:
    """Change the node in place; what was done, empty for nothing."""
    if variant:
        return _leave_out(node)
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARE:
            node.ops[0] = COMPARE[type(op)]()
            return f"{type(op).__name__} to {type(node.ops[0]).__name__}"
        case ast.BinOp(op=op) if type(op) in OPERATE and not isinstance(node.left, ast.Constant):
            node.op = OPERATE[type(op)]()
            return f"{type(op).__name__} to {type(node.op).__name__}"
        case ast.BoolOp():
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return "and for or" if isinstance(node.op, ast.And) else "or for and"
        case ast.Constant(value=bool() as value):
            node.value = not value
            return f"{value} to {node.value}"
        case ast.Constant(value=int() as value):
            node.value = value + 1
            return f"{value} to {value + 1}"
        case ast.If() | ast.While():
            node.test = ast.UnaryOp(ast.Not(), node.test)
            return "condition negated"
        case ast.UnaryOp(op=ast.Not()):
            node.op = ast.UAdd()
            node.operand = ast.Call(ast.Name("bool", ast.Load()), [node.operand], [])
            return "not left out"
    return ""


def _leave_out(node: ast.AST) -> str:
    """The first statement of a block that has others and can do without."""
    for field in ("body", "orelse", "finalbody"):
        block = getattr(node, field, None)
        if not isinstance(block, list):
            continue
        for at, statement in enumerate(block):
            is_call = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
            if is_call or isinstance(statement, ast.AugAssign):
                text = ast.unparse(statement)
                block[at] = ast.Pass()
                return f"left out: {text[:60]}"
    return ""


def is_killed(tree: Path, mutant: Mutant) -> bool:
    target = tree / mutant.file.relative_to(ROOT)
    original = target.read_text("utf-8")
    target.write_text(mutant.source, "utf-8")
    tests = [test for test in TESTS.get(mutant.file.name, JOURNAL) if (tree / test).exists()]
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    command += ["--deselect", f"{JOURNAL[1]}::test_every_byte_of_a_small_ring_may_flip"]
    try:
        done = subprocess.run(command, cwd=tree, capture_output=True, timeout=LIMIT, check=False)
        return done.returncode != 0
    except subprocess.TimeoutExpired:
        return True
    finally:
        target.write_text(original, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="so many at random (default: all)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", default="", help="files with this in their name")
    args = parser.parse_args()
    names = ["eviction.py", *(p.name for p in sorted((ROOT / "gateway").glob("journal_*.py")))]
    files = [ROOT / "gateway" / name for name in names if args.only in name]
    found = [mutant for file in files for mutant in mutants(file)]
    if args.sample:
        found = random.Random(args.seed).sample(found, min(args.sample, len(found)))
    killed = 0
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder)
        for name in ("gateway", "drivers", "tests"):
            shutil.copytree(ROOT / name, tree / name)
        shutil.copy(ROOT / "pyproject.toml", tree)
        for number, mutant in enumerate(found, 1):
            if is_killed(tree, mutant):
                killed += 1
            else:
                print(f"survived: {mutant.file.name}:{mutant.line} {mutant.what}", flush=True)
            if number % 25 == 0:
                print(f"{killed} of {number} killed", flush=True)
    print(f"{killed} of {len(found)} mutants killed, {100 * killed / max(1, len(found)):.0f} %")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
