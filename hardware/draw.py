"""Draws the wiring picture of each hardware page from the page's own pin table.

`.venv/bin/python hardware/draw.py` writes wiring/NAME.svg for every NAME.md here that has a section
"Pins", and wiring/header-NAME.svg for every build-NAME.md. The rows of the table of pins: Pi pin (1
to 40, or "out" for what is on the far side of the module), Pi name, pin of the module, colour of
the wire, and perhaps what sits in the wire.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent

COLOURS = {
    "red": "#d33", "black": "#222", "blue": "#27c", "yellow": "#d9a400", "green": "#2a8a3e",
    "orange": "#e8762c", "white": "#999", "brown": "#7a4a21", "violet": "#8444b8",
}  # fmt: skip

ROW, TOP = 15, 52
HEADER_X = 60
MODULE_X, MODULE_W, PIN_GAP = 400, 130, 34
FAR_X = 665
WIDTH, NARROW = 810, 560
CHARACTER = 7


@dataclass(frozen=True)
class Wire:
    pi: str
    name: str
    module: str
    colour: str
    part: str


def wires(page: str) -> list[Wire]:
    """The rows of the table under "## Pins"; empty where the page has none."""
    section = page.partition("\n## Pins\n")[2].partition("\n## ")[0]
    rows = [line.strip().strip("|") for line in section.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.split("|")] for row in rows[2:]]
    return [Wire(*row[:4], row[4] if len(row) > 4 else "") for row in cells]


def draw(title: str, rows: list[Wire]) -> str:
    """One SVG: the header on the left, the module, and what hangs on its far side."""
    near = [row for row in rows if row.pi != "out"]
    far = [row for row in rows if row.pi == "out"]
    height = max(TOP + 20 * ROW + 24, TOP + 60 + PIN_GAP * max(len(near), len(far)))
    longest = max((len(row.name) for row in far), default=0)
    width = max(WIDTH, FAR_X + 16 + CHARACTER * longest) if far else NARROW
    module_h = PIN_GAP * max(len(near), len(far)) + 10
    module_y = TOP + (height - TOP - 20 - module_h) // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">',
        f"<title>{html.escape(title)}: wiring</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        *_header({row.pi for row in near}),
        f'<rect x="{MODULE_X}" y="{module_y}" width="{MODULE_W}" height="{module_h}" rx="6" '
        'fill="#eef3f8" stroke="#456"/>',
        f'<text x="{MODULE_X + MODULE_W / 2}" y="{module_y - 10}" text-anchor="middle" '
        f'font-size="15" font-weight="bold">{html.escape(title)}</text>',
    ]
    for index, row in enumerate(_untangled(near)):
        parts += _near_wire(row, module_y + 22 + index * PIN_GAP, index, len(near))
    for index, row in enumerate(far):
        parts += _far_wire(row, module_y + 22 + index * PIN_GAP)
    parts += _numbers({row.pi for row in near})
    return "\n".join([*parts, "</svg>", ""])


def _untangled(rows: list[Wire]) -> list[Wire]:
    """In the order of the header's rows, so that few wires cross."""
    return sorted(rows, key=lambda row: int(row.pi))


def _spot(pin: int) -> tuple[int, int]:
    """Centre of a header pin; odd numbers are the left column."""
    return HEADER_X + (0 if pin % 2 else ROW), TOP + ROW * ((pin - 1) // 2) + 8


def _header(used: set[str]) -> Iterator[str]:
    yield f'<text x="{HEADER_X + 7}" y="{TOP - 30}" text-anchor="middle" font-size="15" font-weight="bold">Raspberry Pi</text>'  # noqa: E501
    yield f'<text x="{HEADER_X + 7}" y="{TOP - 14}" text-anchor="middle" fill="#666">SD card end</text>'  # noqa: E501
    yield f'<rect x="{HEADER_X - 10}" y="{TOP - 4}" width="35" height="{20 * ROW + 8}" rx="4" fill="#5a8f6a"/>'  # noqa: E501
    for pin in range(1, 41):
        x, y = _spot(pin)
        wanted = str(pin) in used
        shape = (
            f'<rect x="{x - 4.5}" y="{y - 4.5}" width="9" height="9"'
            if pin == 1
            else f'<circle cx="{x}" cy="{y}" r="4.5"'
        )
        yield f'{shape} fill="{"#ffd24a" if wanted else "#2d4a36"}"/>'


def _numbers(used: set[str]) -> Iterator[str]:
    """The pins' numbers, over the wires that pass beneath them."""
    for pin in range(1, 41):
        x, y = _spot(pin)
        wanted = str(pin) in used
        if wanted or pin in (1, 2, 39, 40):
            label_x, anchor = (x - 16, "end") if pin % 2 else (x + 13, "start")
            fill = "#000" if wanted else "#999"
            yield f'<text x="{label_x}" y="{y + 4}" text-anchor="{anchor}" fill="{fill}" stroke="#fff" stroke-width="4" paint-order="stroke">{pin}</text>'  # noqa: E501


def _near_wire(row: Wire, end_y: int, index: int, count: int) -> Iterator[str]:
    pin = int(row.pi)
    x, y = _spot(pin)
    colour = COLOURS[row.colour]
    # A pin of the left column leaves between two rows.
    start = f"M{x} {y} l7 -7.5 H120" if pin % 2 else f"M{x} {y} h32 L120 {y}"
    lane = 165 + (count - index if end_y > y else index) * 14
    from_y = y - 7.5 if pin % 2 else y
    path = f"{start} L{lane - 20} {from_y} C{lane + 30} {from_y} {lane} {end_y} {lane + 60} {end_y} H{MODULE_X}"  # noqa: E501
    yield f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>'
    yield f'<rect x="{MODULE_X - 5}" y="{end_y - 5}" width="10" height="10" fill="{colour}"/>'
    yield f'<text x="{MODULE_X + 12}" y="{end_y + 4}">{html.escape(row.module)}</text>'
    yield f'<text x="{MODULE_X - 12}" y="{end_y - 5}" text-anchor="end" fill="{colour}">{html.escape(row.name)}</text>'  # noqa: E501
    if row.part:
        yield f'<text x="{MODULE_X - 12}" y="{end_y + 14}" text-anchor="end" font-size="11" fill="#444">{html.escape(row.part)}</text>'  # noqa: E501


def _far_wire(row: Wire, y: int) -> Iterator[str]:
    colour = COLOURS[row.colour]
    right = MODULE_X + MODULE_W
    yield f'<path d="M{right} {y} H{FAR_X}" stroke="{colour}" stroke-width="2.5"/>'
    yield f'<rect x="{right - 5}" y="{y - 5}" width="10" height="10" fill="{colour}"/>'
    yield f'<text x="{right - 10}" y="{y + 4}" text-anchor="end">{html.escape(row.module)}</text>'
    yield f'<text x="{FAR_X + 6}" y="{y + 4}">{html.escape(row.name)}</text>'
    if row.part:
        yield f'<text x="{right + 12}" y="{y + 14}" font-size="11" fill="#444">{html.escape(row.part)}</text>'  # noqa: E501


def pictures() -> Iterator[tuple[Path, str]]:
    """The path and the content of every picture."""
    for page in sorted(HERE.glob("*.md")):
        text = page.read_text(encoding="utf-8")
        rows = wires(text)
        if rows:
            title = text.splitlines()[0].removeprefix("# ")
            yield HERE / "wiring" / f"{page.stem}.svg", draw(title, rows)
    yield from headers()


def headers() -> Iterator[tuple[Path, str]]:
    """The header of each build, drawn from the build's own configuration."""
    from gateway.cli.header import uses
    from gateway.cli.header_svg import draw as draw_header
    from gateway.config import parse

    for page in sorted(HERE.glob("build-*.md")):
        block = page.read_text(encoding="utf-8").partition("```toml\n")[2].partition("\n```")[0]
        settings = parse(block, page.name).settings
        picture = draw_header(settings.gateway.id, uses(settings))
        yield HERE / "wiring" / f"header-{page.stem.removeprefix('build-')}.svg", picture


if __name__ == "__main__":
    for path, picture in pictures():
        path.write_text(picture, encoding="utf-8")
