"""Mutation testing of the decisions: `make mutation`, or `python -m tests.mutation MODULE...`.

One small change at a time (a comparison, `and` for `or`, a number, a condition turned round) is put
into a module's functions, in a child process, and the module's own tests have to fail. Prints those
that survive. Status 1 if fewer than 90 of 100 are killed.
"""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType, ModuleType

import pytest

TESTS = {
    "appliances": ["appliances", "limits", "control", "control_model", "command_steps"],
    "limits": ["limits", "appliances", "control", "control_model"],
    "rules": ["rules", "rule_desk", "rules_properties"],
    "conditions": ["rules", "rule_desk"],
    "conditions_joined": ["rules", "rule_desk"],
    "rules_remote": ["rules_remote"],
}
BAR = 0.9
PATIENCE = 120  # seconds for the tests of one mutant
NOTHING = ast.Constant(None)
SWAPS: dict[type[ast.AST], list[type[ast.AST]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
    ast.And: [ast.Or],
    ast.Or: [ast.And],
    ast.Add: [ast.Sub],
    ast.Sub: [ast.Add],
    ast.Mult: [ast.Div],
}


def changes(node: ast.AST) -> Iterator[Callable[[ast.AST], None]]:
    """What can be done to a node, in place."""
    if isinstance(node, ast.Compare):
        for swap in SWAPS.get(type(node.ops[0]), []):
            yield lambda n, swap=swap: n.ops.__setitem__(0, swap())  # type: ignore[misc]
    elif isinstance(node, ast.BoolOp | ast.BinOp):
        for swap in SWAPS.get(type(node.op), []):
            yield lambda n, swap=swap: setattr(n, "op", swap())  # type: ignore[misc]
    elif isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float):
        value = not node.value if isinstance(node.value, bool) else node.value + 1
        yield lambda n, value=value: setattr(n, "value", value)  # type: ignore[misc]
    elif isinstance(node, ast.If | ast.IfExp | ast.While):
        yield lambda n: setattr(n, "test", ast.UnaryOp(ast.Not(), n.test))  # type: ignore[attr-defined]
    elif isinstance(node, ast.Return) and ast.dump(node.value or NOTHING) != ast.dump(NOTHING):
        yield lambda n: setattr(n, "value", ast.Constant(None))


def mutants(source: str) -> Iterator[tuple[str, ast.Module]]:
    """Each with the line that is another one."""
    tree = ast.parse(source)
    inside = [
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for statement in function.body
        for node in ast.walk(statement)
    ]
    numbers = {id(node): n for n, node in enumerate(ast.walk(tree))}
    for node in dict.fromkeys(inside):
        for which, _ in enumerate(changes(node)):
            mutated = copy.deepcopy(tree)
            target = list(ast.walk(mutated))[numbers[id(node)]]
            list(changes(target))[which](target)
            ast.fix_missing_locations(mutated)
            line = getattr(node, "lineno", 0)
            shown = ast.unparse(target).splitlines()[0]
            yield f"{line}: {ast.unparse(node).splitlines()[0]}  ->  {shown}", mutated


def put_in(module: ModuleType, tree: ast.Module) -> None:
    """The functions that are there get the mutant's code: whoever imported them has it too."""
    assert module.__file__
    codes = dict(_codes(compile(tree, module.__file__, "exec")))
    for function in _functions(module):
        code = codes.get(function.__qualname__)
        if code is not None and code.co_freevars == function.__code__.co_freevars:
            function.__code__ = code


def _codes(code: CodeType) -> Iterator[tuple[str, CodeType]]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant.co_qualname, constant
            yield from _codes(constant)


def _functions(module: ModuleType) -> Iterator[FunctionType]:
    for thing in vars(module).values():
        if getattr(thing, "__module__", "") != module.__name__:
            continue
        if isinstance(thing, FunctionType):
            yield thing
        elif isinstance(thing, type):
            for member in vars(thing).values():
                inner = member.fget if isinstance(member, property) else member
                if isinstance(inner, FunctionType):
                    yield inner


def survives(module: ModuleType, tree: ast.Module, tests: list[str]) -> bool:
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)  # an endless loop is noticed too
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        put_in(module, tree)
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]) != 0))
    _, status = os.waitpid(child, 0)
    return status == 0


def main(names: list[str]) -> int:
    bad = False
    for name in names or list(TESTS):
        module = importlib.import_module(f"gateway.{name}")
        tests = [f"tests/gateway/test_{test}.py" for test in TESTS[name]]
        alive, count = [], 0
        for shown, tree in mutants(inspect.getsource(module)):
            count += 1
            if survives(module, tree, tests):
                alive.append(shown)
                print(f"{name}.py:{shown}", flush=True)
        killed = count - len(alive)
        print(f"{name}: {killed} of {count} killed, {killed / count:.1%}", flush=True)
        bad |= killed < BAR * count
    return int(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
