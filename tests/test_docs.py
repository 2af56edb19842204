"""Every TOML block of the documentation loads: marked ```toml it is a configuration, or a part."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import catalog
from gateway.config import parse

ROOT = Path(__file__).parent.parent
PAGES = [
    *ROOT.glob("*.md"),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("hardware/**/*.md")),
]
BLOCK = re.compile(r"^```toml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")

BUS_EXAMPLES = {
    "i2c": 'device = "/dev/i2c-1"',
    "serial": 'device = "/dev/ttyUSB0"',
}


def blocks() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        if page.exists():
            for match in BLOCK.finditer(text := page.read_text()):
                line = text.count("\n", 0, match.start()) + 2
                yield f"{page.relative_to(ROOT)}:{line}", match.group(1)


def completed(fragment: str) -> str:
    """A part of a configuration with the least that makes it whole."""
    document = tomllib.loads(fragment)
    parts = [fragment]
    if "gateway" not in document:
        parts.append('[gateway]\nid = "gateway"\n')
    if "upstream" not in document:
        parts.append('[upstream]\nurl = "mqtt://localhost"\n')
    named = {bus["name"] for bus in document.get("bus", [])}
    for device in document.get("device", []):
        if device.get("bus", "") not in {"", *named}:
            kind = catalog.find(device["driver"]).bus_kinds[0]
            named.add(device["bus"])
            parts.append(f'[[bus]]\nname = "{device["bus"]}"\nkind = "{kind}"\n')
            parts.append(BUS_EXAMPLES.get(kind, "") + "\n")
    return "\n".join(parts)


@pytest.mark.parametrize(("place", "fragment"), [pytest.param(*b, id=b[0]) for b in blocks()])
def test_configuration_in_the_documentation_loads(place: str, fragment: str) -> None:
    variables = re.findall(r"\$\{(\w+)\}", fragment)
    parse(completed(fragment), place, dict.fromkeys(variables, "x"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(page.read_text()):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"
