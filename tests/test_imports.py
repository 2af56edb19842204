"""Who may know whom (docs/architecture.md), what owns which library, and how big a file may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from drivers.quantities import QUANTITIES
from gateway.catalog import Driver, everything
from gateway.cli.examples import channels

ROOT = Path(__file__).parent.parent
FILES = [p for room in ("gateway", "drivers") for p in sorted((ROOT / room).rglob("*.py"))]

OWNERS = {
    # library: the modules that may import it
    "smbus2": ["drivers.buses"],
    "serial": ["drivers.ports"],
    "spidev": ["drivers.spi_bus"],
    "gpiozero": ["drivers.gpio"],
    "lgpio": ["drivers.gpio"],
    "paho": ["gateway.link", "gateway.cli"],
    "sqlite3": [
        "gateway.state",
        "gateway.store_sqlite",
        "gateway.store_sqlite_look",
        "gateway.journal_open",
        "gateway.state_copy",
        "gateway.state_file",
        "gateway.cli.backup",
        "gateway.cli.restore",
    ],
    "apprise": ["gateway.cli.push"],
    "nacl": ["gateway.signatures"],
    "argparse": ["gateway.cli"],
}
SEES_DRIVERS = ["gateway.catalog", "gateway.build_devices", "gateway.cli"]
"""Of drivers, all others know only the contracts and the table of quantities."""
CONTRACTS = ["drivers.base", "drivers.quantities"]
SHARED = ["drivers.scaling", "drivers.words"]
"""Pure, and of use to drivers of several families."""
PURE = [
    *(
        "model",
        "schedule",
        "filters",
        "rising",
        "records",
        "appliances",
        "limits",
        "gate",
        "codecs",
    ),
    *(
        "rules",
        "rules_model",
        "rules_remote",
        "conditions",
        "conditions_joined",
        "timetable",
        "sun",
    ),
]
NO_IO = {"socket", "sqlite3", "threading", "subprocess", "os", "paho", "queue", "select"}
LINES = 300


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its head or in a function."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import hides its direction"
            # `from gateway.cli import login` imports the module gateway.cli.login.
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module: str, rooms: list[str]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_point_one_way(path: Path) -> None:
    module = module_of(path)
    for imported in imports(path):
        where = f"{module} imports {imported}"
        top = imported.partition(".")[0]
        assert within(module, OWNERS.get(top, [module])), f"{where}: it has another owner"
        if within(module, ["drivers"]):
            assert top != "gateway", where
            own = [*CONTRACTS, *SHARED, ".".join(module.split(".")[:2])]
            if within(module, ["drivers.simulated"]):
                own.append("drivers.i2c")  # a chip answers with the checksum that its driver checks
            assert top != "drivers" or within(imported, own), f"{where}: of another family"
        elif not within(module, ["gateway.cli", "gateway.__main__"]):
            assert not within(imported, ["gateway.cli"]), where
            if not within(module, SEES_DRIVERS):
                assert top != "drivers" or within(imported, CONTRACTS), where
        if within(module, [f"gateway.{name}" for name in PURE]):
            assert top not in NO_IO, f"{where}: it is pure"


def test_there_is_no_circle_of_imports() -> None:
    """At the head of files, in functions and for types alike."""
    modules = {module_of(path): path for path in FILES}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for module, path in modules.items():
        names = {name for node in ast.walk(ast.parse(path.read_text())) for name in _loaded(node)}
        sorter.add(module, *(name for name in names if name in modules and name != module))
    sorter.prepare()  # CycleError names the circle


def _loaded(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield str(node.module)
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_files_are_small(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LINES, f"{module_of(path)} has {lines} lines: split it by room"
    assert path.name != "__init__.py" or lines == 0, "a package's __init__ stays empty"


def test_the_command_line_is_the_only_way_to_its_verbs() -> None:
    head = ast.parse((ROOT / "gateway" / "__main__.py").read_text()).body
    names = [node.module for node in head if isinstance(node, ast.ImportFrom)]
    assert not [name for name in names if name and name.startswith("gateway")]


@pytest.mark.parametrize(("name", "driver"), list(everything()), ids=lambda value: str(value)[:20])
def test_drivers_keep_the_contract(name: str, driver: Driver) -> None:
    assert isinstance(driver, Driver), f"{driver}"
    assert driver.summary
    for option in driver.options.values():
        assert option.note.help, f"{name}.{option.name} has no Option"
    for channel in channels(driver) or ():
        assert channel.quantity in QUANTITIES, f"{name}: {channel.name}"
