"""Draws the header with what hangs on it. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence

from gateway.cli.header import GPIO, POWER, Use

COLOURS = {
    "3V3": "#e8762c", "5V": "#d33", "GND": "#222", "i2c": "#27c", "spi": "#8444b8",
    "serial": "#d9a400", "onewire": "#7a4a21", "input": "#2a8a3e", "output": "#c2185b",
    "": "#b8c4bc",
}  # fmt: skip
LEGEND = (
    ("i2c", "I2C"), ("spi", "SPI"), ("serial", "serial"), ("onewire", "1-Wire"),
    ("input", "input"), ("output", "output"),
)  # fmt: skip

ROW, TOP, BOARD = 24, 70, 46
CHARACTER = 7.2
NARROWEST = 580


def draw(title: str, found: Sequence[Use]) -> str:
    """One SVG: pin 1 at the top left, as on the board with its card at the top."""
    labels = _labels(found)
    longest = max((len(text) for text, _ in labels.values()), default=8)
    side = 70 + longest * CHARACTER
    width, height = max(NARROWEST, round(2 * side + BOARD + 24)), TOP + 20 * ROW + 60
    left = width / 2 - BOARD / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="13">',
        f"<title>{html.escape(title)}: wiring</title>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(width / 2, 26, title, "middle", size=17, bold=True),
        _text(width / 2, 46, "40-pin header, SD card at the top", "middle", colour="#666"),
        f'<rect x="{left}" y="{TOP - 6}" width="{BOARD}" height="{20 * ROW + 12}" rx="5" '
        'fill="#5a8f6a"/>',
    ]
    for pin in range(1, 41):
        parts += _pin(pin, left, *labels.get(pin, ("", "")))
    return "\n".join([*parts, *_legend(width, height), "</svg>", ""])


def _labels(found: Sequence[Use]) -> dict[int, tuple[str, str]]:
    """Pin to its text and kind."""
    labels = {pin: (name, name) for pin, name in POWER.items()}
    for use in found:
        text = f"{use.who}: {use.what}"
        before = labels.get(GPIO[use.gpio])
        if before is not None and text not in before[0]:
            text = f"{before[0]}, {text}"
        labels[GPIO[use.gpio]] = (text, use.kind)
    return labels


def _pin(pin: int, left: float, text: str, kind: str) -> Iterator[str]:
    x = left + (13 if pin % 2 else BOARD - 13)
    y = TOP + ROW * ((pin - 1) // 2) + ROW / 2
    outer = left - 10 if pin % 2 else left + BOARD + 10
    anchor = "end" if pin % 2 else "start"
    colour = COLOURS[kind]
    shape = (
        f'<rect x="{x - 7}" y="{y - 7}" width="14" height="14"'
        if pin == 1
        else f'<circle cx="{x}" cy="{y}" r="7"'
    )
    yield f'{shape} fill="{colour}" stroke="#fff"/>'
    yield _text(x, y + 3.5, str(pin), "middle", size=8, colour="#fff" if kind else "#456")
    gpio = next((f"GPIO{number}" for number, its in GPIO.items() if its == pin), "")
    if gpio:
        yield _text(outer, y + 4, gpio, anchor, size=10, colour="#888")
        outer += -50 if pin % 2 else 50
    if text:
        yield _text(outer, y + 4.5, text, anchor, colour=colour, bold=kind not in POWER.values())


def _legend(width: float, height: float) -> Iterator[str]:
    x = width / 2 - 45 * len(LEGEND)
    for kind, name in LEGEND:
        yield f'<circle cx="{x}" cy="{height - 24}" r="6" fill="{COLOURS[kind]}"/>'
        yield _text(x + 11, height - 19.5, name, "start")
        x += 90


def _text(
    x: float, y: float, text: str, anchor: str, *, size: float = 13, colour: str = "#000",
    bold: bool = False,
) -> str:  # fmt: skip
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" font-size="{size:g}" '
        f'fill="{colour}"{weight}>{html.escape(text)}</text>'
    )
