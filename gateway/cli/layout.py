"""The live table as lines of text for a given width. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.cli.board import Board, Cell, Device, Gateway
from gateway.cli.statement import Report

COLUMNS = ("device", "channel", "value", "unit", "age")
SHRINK = ((2, 12), (1, 14), (0, 10), (1, 6), (0, 6), (2, 6))
"""The columns that give way where a line is too long, in this order and down to so many
characters: long texts among the values first."""
GAP = "  "
PART = "   "
INDENT = " " * 10
NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Line:
    """style: "" or one of head, dim, bad, good."""

    text: str
    style: str = ""


def clean(text: str) -> str:
    """Text from outside, fit for a terminal: control characters become a dot each."""
    return "".join(c if c.isprintable() else "·" for c in text)


def span(seconds: float | None) -> str:
    """A length of time in the two digits that matter: `4 s`, `12 min`, `3.5 h`, `2 d`."""
    if seconds is None:
        return NOTHING
    if seconds < 100:
        return f"{seconds:.0f} s"
    for limit, size, unit in ((100, 60, "min"), (48, 3600, "h")):
        if seconds / size < limit:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def size(count: Any) -> str:
    """Bytes in the unit that fits: `512 B`, `4.0 MiB`."""
    if not isinstance(count, int | float):
        return NOTHING
    value = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            return f"{value:.0f} B" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    raise AssertionError("unreachable")


def number(count: Any) -> str:
    """A count with thin groups: 12 345."""
    return f"{count:,}".replace(",", " ") if isinstance(count, int) else NOTHING


def value_text(value: Any) -> str:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, float):
        return f"{value:.10g}"
    return clean(str(value))


def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"[:width]


def table(gateway: Gateway, width: int, now: float, wall: float) -> list[Line]:
    """A row for every channel that had a value; one for a device without.

    now, wall: seconds by the monotonic and by the system clock.
    """
    rows: list[tuple[tuple[str, ...], str]] = [(tuple(c.upper() for c in COLUMNS), "head")]
    for name, device in sorted(gateway.devices.items()):
        rows += _device(name, device, now, wall)
    widths = _widths([row for row, _ in rows], width)
    return [Line(_row(row, widths)[:width], style) for row, style in rows]


def _device(
    name: str, device: Device, now: float, wall: float
) -> list[tuple[tuple[str, ...], str]]:
    rows: list[tuple[tuple[str, ...], str]] = []
    shown = clean(name)
    for channel, cell in device.cells.items() or {"": Cell()}.items():
        style = "bad" if device.online is False or cell.quality == "bad" else ""
        text = value_text(cell.value)
        if device.online is False and cell.arrived is None:
            text = "offline"
        elif cell.quality:
            text = f"{text} ({clean(cell.quality)})"
        age = span(cell.age(now, wall))
        rows.append(
            ((shown, clean(channel), text, clean(device.units.get(channel, "")), age), style)
        )
        shown = ""
    if device.online is False:
        (first, *rest), style = rows[0]
        rows[0] = ((f"{first} (offline)", *rest), style)
    return rows


def _widths(rows: Sequence[tuple[str, ...]], width: int) -> list[int]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    excess = sum(widths) + len(GAP) * (len(COLUMNS) - 1) - width
    for column, narrowest in SHRINK:
        give = max(0, min(excess, widths[column] - narrowest))
        widths[column] -= give
        excess -= give
    return widths


def _row(row: tuple[str, ...], widths: Sequence[int]) -> str:
    cells = [cut(text, size) for text, size in zip(row, widths, strict=True)]
    aligned = (
        cells[0].ljust(widths[0]),
        cells[1].ljust(widths[1]),
        cells[2].rjust(widths[2]),
        cells[3].ljust(widths[3]),
        cells[4].rjust(widths[4]),
    )
    return GAP.join(aligned)


def books(gateway: Gateway, now: float) -> list[Line]:
    """The link, the queue and the gateway's own count, from status and health."""
    health = gateway.health or {}
    link, outbox = _part(health, "link"), _part(health, "outbox")
    state = {True: "online", False: "OFFLINE", None: "unknown"}[gateway.online]
    since = "" if gateway.since is None else f" for {span(now - gateway.since)}"
    about_link = [f"{state}{since}"]
    if link:
        about_link += [
            clean(str(link.get("url", ""))),
            f"MQTT {clean(str(link.get('protocol', '')))}",
            f"connects {number(link.get('connects'))}",
        ]
    lines = [Line(f"link      {'   '.join(about_link)}", "bad" if gateway.online is False else "")]
    if not outbox:
        return [*lines, Line("queue     unknown until the gateway's next health message", "dim")]
    age = outbox.get("oldest_age")
    stale = now - gateway.health_at
    told = f"   told {span(stale)} ago" if stale > 10 else ""
    storage = str(outbox.get("storage", "ok"))
    lines.append(
        Line(
            f"queue     {number(outbox.get('kept'))} kept   oldest "
            f"{span(age) if isinstance(age, int | float) else NOTHING}"
            f"{'' if storage == 'ok' else '   disk: ' + clean(storage)}{told}",
            "" if storage == "ok" else "bad",
        )
    )
    lines.append(
        Line(
            f"recorded  {number(outbox.get('recorded'))}"
            f"   at broker {number(outbox.get('accepted'))}"
            f"   dropped {number(_total(outbox.get('dropped')))}"
        )
    )
    return lines


def _part(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = fields.get(name)
    return part if isinstance(part, Mapping) else {}


def _total(counts: Any) -> int:
    if not isinstance(counts, Mapping):
        return 0
    return sum(count for count in counts.values() if isinstance(count, int))


def account(report: Report) -> Line:
    """What has come, in the words of the audit."""
    text = (
        f"here      {number(report.received)}   of the backlog {number(report.history)}"
        f"   duplicates {number(report.duplicates)}   on the way {number(report.pending)}"
        f"   missing {number(report.lost)}"
    )
    return Line(text, "bad" if report.lost else "")


def wrap(line: Line, width: int) -> list[Line]:
    """A line of the books in as many as it needs, broken between its parts."""
    rows = [""]
    for part in line.text.split(PART):
        longer = f"{rows[-1]}{PART}{part}" if rows[-1] else part
        if len(longer) <= width or not rows[-1]:
            rows[-1] = longer
        else:
            rows.append(INDENT + part)
    return [Line(cut(row, width), line.style) for row in rows]


def page(
    board: Board, size: tuple[int, int], now: float, wall: float, bottom: Sequence[Line] = ()
) -> list[Line]:
    """The gateways below each other. size: columns and rows; the table gives way, not the books of
    an only gateway, nor bottom."""
    width, height = size
    lines: list[Line] = []
    last: list[Line] = []
    for name, gateway in sorted(board.gateways.items()):
        lines += [*last, *([Line("")] if lines else [])]
        lines.append(Line(cut(f"gateway {clean(name)}", width), "head"))
        lines += table(gateway, width, now, wall)
        last = [Line(""), *(row for line in books(gateway, now) for row in wrap(line, width))]
    if board.unreadable:
        last.append(Line(cut(f"{board.unreadable} messages could not be read", width), "bad"))
    bottom = [row for line in bottom for row in wrap(line, width)]
    if len(board.gateways) > 1:
        lines, last = [*lines, *last], []
    shown = fit(lines, height, [*last, *bottom])
    return [Line(cut(line.text, width), line.style) for line in shown]


def fit(lines: Sequence[Line], height: int, bottom: Sequence[Line] = ()) -> list[Line]:
    """At most height lines: the bottom ones stay, of the others the first."""
    room = max(0, height - len(bottom))
    if len(lines) > room:
        more = Line(f"... {len(lines) - max(0, room - 1)} more lines: the window is too low", "dim")
        lines = [*lines[: max(0, room - 1)], more][:room]
    return [*lines, *bottom][-height:]
