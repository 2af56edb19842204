"""Small changes of a module, one at a time, and putting one into the module as it is loaded."""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType

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
    ast.Mod: ast.Mult,
}
Change = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Mutant:
    """function: qualified, that of a method has its class; empty for what runs at the import.
    name: the same as long as the code at this place is."""

    file: Path
    function: str
    line: int
    name: str
    number: int


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


def _parse(file: Path) -> ast.Module:
    tree = Plain().visit(ast.parse(file.read_text("utf-8")))
    assert isinstance(tree, ast.Module)
    return tree


def mutants(file: Path) -> Iterator[Mutant]:
    for number, (function, node, what, _) in enumerate(_changes(_parse(file))):
        yield Mutant(file, function, node.lineno, f"{file.stem}.{function}: {what}", number)


def _changes(tree: ast.Module) -> Iterator[tuple[str, ast.expr | ast.stmt, str, Change]]:
    """What can be done, in an order that is the same each time; nothing is done yet."""
    for function, statement in _statements(tree, ""):
        if isinstance(statement, ast.Assert):
            continue  # for the type checker
        yield from _left_out(function, statement)
        for node in _own(statement):
            for what, change in _variants(node):
                yield function, node, f"{_text(node)} -> {what}", change


def _statements(parent: ast.AST, function: str) -> Iterator[tuple[str, ast.stmt]]:
    """With the function that each is in; statements of a class body run at the import."""
    for statement in ast.iter_child_nodes(parent):
        if isinstance(statement, ast.FunctionDef):
            inside = f"{function}.{statement.name}".lstrip(".")
            whole = inside if not isinstance(parent, ast.FunctionDef) else function
            yield from _statements(statement, whole)
        elif isinstance(statement, ast.ClassDef):
            if all(getattr(base, "id", "") != "Protocol" for base in statement.bases):
                for name, inner in _statements(statement, statement.name):
                    yield "" if name == statement.name else name, inner
        elif isinstance(statement, ast.stmt):
            yield function, statement
            yield from _statements(statement, function)
        elif isinstance(statement, ast.ExceptHandler | ast.match_case):
            yield from _statements(statement, function)


def _own(statement: ast.stmt) -> Iterator[ast.expr | ast.stmt]:
    """The statement and its expressions, without the statements in it."""
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop(0)
        if isinstance(node, ast.expr | ast.stmt):
            yield node
        inner = [n for n in ast.iter_child_nodes(node) if not isinstance(n, ast.stmt)]
        todo += [n for n in inner if not isinstance(n, ast.ExceptHandler | ast.match_case)]


def _text(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:90]


def _left_out(function: str, statement: ast.stmt) -> Iterator[tuple[str, ast.stmt, str, Change]]:
    """A call of which nothing is taken, a change of an object."""
    calls = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    changes = isinstance(statement, ast.AugAssign | ast.Delete) or (
        isinstance(statement, ast.Assign)
        and isinstance(statement.targets[0], ast.Attribute | ast.Subscript)
    )
    if function and (calls or changes):

        def change() -> None:
            # Still there for the compiler, which takes the variables of a closure from it.
            unreached = copy(statement)
            statement.__class__ = ast.If  # type: ignore[assignment]
            vars(statement).update(test=ast.Constant(False), body=[unreached], orelse=[])

        yield function, statement, f"{_text(statement)} -> left out", change


def _variants(node: ast.AST) -> Iterator[tuple[str, Change]]:
    match node:
        case ast.Compare(ops=[op, *_]) if type(op) in COMPARE:
            other = COMPARE[type(op)]
            yield other.__name__, lambda: node.ops.__setitem__(0, other())
        case ast.BinOp(op=op) if type(op) in OPERATE and not isinstance(node.left, ast.Constant):
            operator = OPERATE[type(op)]
            yield operator.__name__, lambda: setattr(node, "op", operator())
        case ast.AugAssign(op=op) if type(op) in OPERATE:
            operator = OPERATE[type(op)]
            yield operator.__name__, lambda: setattr(node, "op", operator())
        case ast.BoolOp(op=op):
            joined = ast.Or if isinstance(op, ast.And) else ast.And
            yield joined.__name__, lambda: setattr(node, "op", joined())
        case ast.Constant(value=bool() as flag):
            yield str(not flag), lambda: setattr(node, "value", not flag)
        case ast.Constant(value=int() as value):
            yield str(value + 1), lambda: setattr(node, "value", value + 1)
        case ast.If() | ast.While() | ast.IfExp():
            turned = ast.UnaryOp(ast.Not(), node.test)
            yield "the other way round", lambda: setattr(node, "test", turned)


def put_in(mutant: Mutant) -> bool:
    """Into the module as it is loaded, and wherever its functions and values were imported. False
    when the module cannot even be imported with it."""
    tree = _parse(mutant.file)
    *_, change = list(_changes(tree))[mutant.number]
    change()
    module = importlib.import_module(f"gateway.{mutant.file.stem}")
    code = compile(ast.fix_missing_locations(tree), str(mutant.file), "exec")
    new = ModuleType(module.__name__)
    new.__file__ = str(mutant.file)
    try:
        exec(code, new.__dict__)
    except (TypeError, ValueError):
        return False
    there = dict(_functions(module))
    for name, function in _functions(new):
        old = there[name]
        old.__code__ = function.__code__
        old.__defaults__ = function.__defaults__
        old.__kwdefaults__ = function.__kwdefaults__
    if not mutant.function:
        _put_values(module, new)
    return True


def _put_values(module: ModuleType, new: ModuleType) -> None:
    """Constants, also where another module has imported them."""
    for name, value in vars(new).items():
        old = getattr(module, name, None)
        if name.startswith("__") or isinstance(value, type | FunctionType | ModuleType):
            continue
        for other in list(sys.modules.values()):
            if getattr(other, name, module) is old:
                setattr(other, name, value)


def _functions(module: ModuleType) -> Iterator[tuple[str, FunctionType]]:
    for name, thing in vars(module).items():
        if getattr(thing, "__module__", "") != module.__name__:
            continue
        if isinstance(thing, type):
            for member, value in vars(thing).items():
                if (function := _plain(value)) is not None:
                    yield f"{name}.{member}", function
        elif (function := _plain(thing)) is not None:
            yield name, function


def _plain(thing: object) -> FunctionType | None:
    """The function that was written, under what wraps it."""
    if isinstance(thing, property):
        thing = thing.fget
    thing = getattr(thing, "__wrapped__", thing)
    return thing if isinstance(thing, FunctionType) else None
