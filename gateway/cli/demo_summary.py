"""The end of the demo in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.cli.layout import number
from gateway.cli.statement import Report

DONE = "done"


def complete(report: Report) -> bool:
    """Every entry that the gateway recorded is at the consumer: none lost, dropped or pending."""
    return report.numbered > 0 and report.received == report.numbered


def obeyed(commands: Mapping[str, str]) -> bool:
    return all(outcome == DONE for outcome in commands.values())


def summary(
    report: Report,
    commands: Mapping[str, str],
    *,
    seconds: float,
    stops: int,
    first_reading: float | None,
    coolings: int = 0,
) -> str:
    """seconds: how long it ran. stops: how often the broker was stopped.

    coolings: how often the rule started the cooler.
    """
    done = sum(outcome == DONE for outcome in commands.values())
    absent = report.numbered - report.received
    first = "none came" if first_reading is None else f"{first_reading:.1f} s"
    rows = [
        ("ran", f"{seconds:.0f} s", f"broker stopped {times(stops)}"),
        ("first reading after", first, "from the start of the gateway's process"),
        ("recorded", number(report.numbered), "by the gateway's own numbers"),
        ("at the consumer", number(report.received), f"{number(report.history)} by the backlog"),
        ("duplicates", number(report.duplicates), "sent again after the connection was cut"),
        ("missing", number(absent), _why(report)),
        ("commands", number(len(commands)), f"{number(done)} done"),
        ("cooler", times(coolings), "started by the rule at 30 °C"),
    ]
    lines = [f"  {what:<20}{value:>9}   {note}".rstrip() for what, value, note in rows]
    verdict = (
        "Every reading recorded is at the consumer."
        if complete(report)
        else "NOT every reading recorded is at the consumer."
    )
    if not obeyed(commands):
        verdict += "\nNOT every command was done."
    return "\n".join(["", *lines, "", verdict])


def times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _why(report: Report) -> str:
    told = [f"{number(n)} {reason}" for reason, n in sorted(report.explained.items())]
    if report.pending:
        told.append(f"{number(report.pending)} did not come in time")
    if report.lost:
        spans = ", ".join(f"{m.epoch}: {m.first} to {m.last}" for m in report.missing[:5])
        told.append(f"{number(report.lost)} without explanation (epoch {spans})")
    return ", ".join(told)
