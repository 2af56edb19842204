"""Hardware pages: one form, configs that load, examples that match the driver, pictures in step."""

import importlib.util
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gateway import catalog, config
from gateway.cli.header import clashes, uses
from gateway.config_devices import BusNotThere

ROOT = Path(__file__).parents[2]
HARDWARE = ROOT / "hardware"
FOLDERS = ("i2c", "gpio", "host", "onewire", "spi", "iio")
UPSTREAM = '[gateway]\nid = "docs"\n[upstream]\nurl = "mqtt://127.0.0.1"\n'
WIRED = (
    "Pins", "Voltage and pull-ups", "Address", "Set up", "Config", "What it publishes", "Quirks",
    "Data sheet",
)  # fmt: skip
UNWIRED = ("Config", "What it publishes", "Quirks", "Data sheet")


def drivers() -> Iterator[str]:
    for folder in FOLDERS:
        for module in sorted((ROOT / "drivers" / folder).glob("*.py")):
            if re.search(r"^DRIVER = ", module.read_text(encoding="utf-8"), re.MULTILINE):
                yield module.stem


DRIVERS = list(drivers())


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("name", DRIVERS)
def test_each_driver_has_a_page_in_the_one_form(name: str) -> None:
    page = (HARDWARE / f"{name}.md").read_text(encoding="utf-8")
    sections = tuple(re.findall(r"^## (.*)$", page, re.MULTILINE))
    assert sections == (WIRED if "## Pins" in page else UNWIRED)
    assert f"`{name}`" in page
    assert ("## Pins" in page) == (f"![Wiring](wiring/{name}.svg)" in page)


NEEDS = {"sgp40": "sensirion_gas_index_algorithm"}
"""Drivers whose page uses an extra that needs a C compiler."""


def with_its_library(name: str) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])


@pytest.mark.parametrize("name", DRIVERS)
def test_the_config_of_a_page_loads_and_uses_its_driver(name: str) -> None:
    with_its_library(name)
    page = (HARDWARE / f"{name}.md").read_text(encoding="utf-8")
    (block,) = blocks(page, "toml")
    settings = config.parse(UPSTREAM + block, f"{name}.md").settings
    assert name in {device.driver for device in settings.device}


@pytest.mark.parametrize("name", DRIVERS)
def test_the_example_has_the_channels_of_the_driver(name: str) -> None:
    with_its_library(name)
    page = (HARDWARE / f"{name}.md").read_text(encoding="utf-8")
    settings = config.parse(UPSTREAM + blocks(page, "toml")[0], name).settings
    device = next(device for device in settings.device if device.driver == name)
    found = catalog.find(name)
    example = json.loads(blocks(page, "json")[0])
    if found.is_actuator:
        assert isinstance(example, bool | int | float)
    else:
        channels = {one.name for one in found.create(BusNotThere(), device.options).channels}
        assert set(example) - {"epoch", "seq", "time"} == channels


@pytest.mark.parametrize("page", sorted(HARDWARE.glob("build-*.md")), ids=lambda path: path.stem)
def test_a_build_is_complete_and_its_pins_do_not_clash(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    (block,) = blocks(text, "toml")
    settings = config.parse(block, page.name).settings
    assert clashes(uses(settings)) == []
    assert f"(wiring/header-{page.stem.removeprefix('build-')}.svg)" in text
    attached = {device.driver for device in settings.device}
    linked = set(re.findall(r"\]\((\w+)\.md\)", text))
    assert attached - {"host"} <= linked, "each driver's page is named beside its part"


def test_the_index_leads_to_every_page() -> None:
    index = (HARDWARE / "README.md").read_text(encoding="utf-8")
    missing = [page.name for page in HARDWARE.glob("*.md") if f"({page.name})" not in index]
    assert missing == ["README.md"]


def test_the_maps_know_every_chip() -> None:
    """Each I2C driver's address is in the map of addresses, with its page."""
    text = (HARDWARE / "i2c-addresses.md").read_text(encoding="utf-8")
    for module in sorted((ROOT / "drivers/i2c").glob("*.py")):
        if module.stem in DRIVERS and not module.stem.endswith("_output"):
            assert f"({module.stem}.md)" in text, module.stem


def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", HARDWARE / "draw.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules["draw"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_drawn_from_the_pages() -> None:
    stale = [
        path.name
        for path, picture in draw().pictures()
        if not path.exists() or path.read_text(encoding="utf-8") != picture
    ]
    assert not stale, "python hardware/draw.py"


SERIAL = sorted(
    path.stem
    for path in (ROOT / "drivers" / "serial").glob("*.py")
    if re.search(r"^DRIVER = ", path.read_text(encoding="utf-8"), re.MULTILINE)
)


@pytest.mark.parametrize("name", SERIAL)
def test_each_meter_has_a_page_with_a_block_that_loads(name: str) -> None:
    """Pages of meters are written by family, so their form is free."""
    used = [
        path.name
        for path in HARDWARE.glob("*.md")
        if not path.name.startswith("build-")  # whole configurations, with a test of their own
        for block in blocks(path.read_text(encoding="utf-8"), "toml")
        if f'driver = "{name}"' in block and config.parse(UPSTREAM + block, path.name)
    ]
    assert used, f"no page in hardware/ shows how {name} is configured"
