"""`tidegate audit`: has everything come that a gateway recorded?"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from gateway.cli import login
from gateway.cli.account import GRACE, Account
from gateway.cli.assembly import Assembler
from gateway.cli.consumer import Arrived, Connected, Consumer, Unreachable
from gateway.cli.layout import Line, clean, cut, fit, number
from gateway.cli.messages import Fact, Part, Unreadable
from gateway.cli.problems import plainly
from gateway.cli.screen import Screen
from gateway.cli.statement import Report

HELP = "Check that every entry a gateway numbered arrives once, in order, or is accounted for."
EXAMPLES = """\
tidegate audit                                   # all gateways, until Ctrl-C
tidegate audit --gateway shed --for 3600         # an hour; status 1 if anything is missing
tidegate audit --until-settled --for 120         # stop when nothing is on its way any more
tidegate audit --session cellar                  # the broker keeps what comes while we are away"""
EXIT = """\
Exit status 0: nothing is missing. 1: entries are missing without an explanation, or no live entry
was heard, or --until-settled ran out of time, or a gateway's numbers went back to an earlier epoch
or were given twice, so that nobody can tell."""

REDRAW = 0.5
QUIET_EVERY = 10.0
"""Seconds between two lines where there is no terminal."""
NO_NUMBERS = (
    "{} sends bare values without numbers (dialect plain needs MQTT 5 at both ends): not judged"
)
RENUMBERED = "its state was lost, or two gateways have this id: not judged over that"
SPANS = 20
"""So many spans of missing numbers are listed."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{HELP}\n\n{EXIT}"
    parser.add_argument("--gateway", default="+", metavar="ID", help="only this one (default: all)")
    parser.add_argument(
        "--for", dest="seconds", type=float, metavar="SECONDS", help="stop after so long"
    )
    parser.add_argument(
        "--until-settled", action="store_true", help="stop when nothing is on its way any more"
    )
    parser.add_argument(
        "--session", default="", metavar="NAME", help="durable session: may be stopped and resumed"
    )
    parser.add_argument("--json", action="store_true", help="the account as JSON lines")
    login.configure(parser)


def run(args: argparse.Namespace) -> int:
    client_id = f"tidegate-audit-{args.session}" if args.session else ""
    try:
        consumer = Consumer(login.login(args), [f"{args.root}/{args.gateway}/#"], client_id)
        consumer.connect()
    except (Unreachable, ValueError, OSError) as error:
        print(f"tidegate audit: {plainly(error)}", file=sys.stderr)
        return 1
    audit = Audit(consumer, args.root, args.until_settled)
    try:
        audit.listen(args.seconds, _shower(args.json))
    except KeyboardInterrupt:
        pass  # the usual end: the account follows
    finally:
        consumer.close()
    reports = audit.account.reports(time.monotonic(), final=True)
    reports = [report for report in reports if report.gateway not in audit.without_numbers]
    _print_account(reports, args.json)
    for gateway in sorted(audit.without_numbers):
        print(f"tidegate audit: {NO_NUMBERS.format(clean(gateway))}", file=sys.stderr)
    return 1 if audit.without_numbers else verdict(reports, args.until_settled)


def verdict(reports: Sequence[Report], until_settled: bool) -> int:
    """Of a gateway without live entries nothing can be said: that is no success either."""
    judged = [report for report in reports if report.epoch is not None]
    if not judged or any(report.lost or report.renumbered for report in reports):
        return 1
    return 1 if until_settled and not all(report.settled for report in reports) else 0


Show = Callable[[Sequence[Report], str], None]


class Audit:
    """Feeds an account from a consumer."""

    def __init__(self, consumer: Consumer, root: str, until_settled: bool) -> None:
        self.account = Account()
        self._consumer = consumer
        self._assembler = Assembler(root)
        self._until_settled = until_settled
        self._trouble = ""
        self._connects = 0
        self.without_numbers: set[str] = set()
        """Gateways whose values come without numbers: nobody can judge them."""

    def listen(self, seconds: float | None, screen: Callable[[], Screen | None]) -> None:
        """Until the time is over; if entries are on their way then, a little longer."""
        end = float("inf") if seconds is None else time.monotonic() + seconds
        shown = screen()
        if shown is None:
            self._loop(end, self._quiet())
            return
        with shown:
            self._loop(end, lambda reports: shown.draw(self._page(reports, shown.size)))

    def _loop(self, end: float, show: Callable[[Sequence[Report]], None]) -> None:
        extended = False
        while True:
            self._take(min(REDRAW, max(0.0, end - time.monotonic())))
            reports = self.account.reports(time.monotonic())
            show(reports)
            if self._until_settled and reports and all(report.settled for report in reports):
                return
            if time.monotonic() < end:
                continue
            if extended or not any(report.pending for report in reports):
                return
            end, extended = time.monotonic() + GRACE + 1, True

    def _take(self, seconds: float) -> None:
        for event in self._consumer.events(seconds):
            if isinstance(event, Arrived):
                for fact in self._assembler.read(event):
                    self._observe(fact, event.at)
            elif isinstance(event, Connected):
                self._connected(event)
            else:
                self._trouble = event.reason

    def _observe(self, fact: Fact, at: float) -> None:
        self.account.observe(fact, at)
        if isinstance(fact, Unreadable):
            self._trouble = f"{fact.topic}: {fact.reason}"
        elif isinstance(fact, Part):
            self.without_numbers.add(fact.gateway)
            self._trouble = NO_NUMBERS.format(fact.gateway)

    def _connected(self, event: Connected) -> None:
        self._connects += 1
        self._trouble = ""
        if self._connects > 1 and not event.resumed:
            self.account.blinded(time.monotonic())

    def _page(self, reports: Sequence[Report], size: tuple[int, int]) -> list[Line]:
        width, height = size
        lines = [line for report in reports for line in [*statement(report), Line("")]]
        lines = lines or [Line("no gateway has sent anything yet", "dim")]
        bottom = [Line(cut(clean(self._trouble), width), "bad")] if self._trouble else []
        bottom.append(Line("Ctrl-C: end and judge", "dim"))
        return fit([Line(cut(line.text, width), line.style) for line in lines], height, bottom)

    def _quiet(self) -> Callable[[Sequence[Report]], None]:
        """A line a gateway now and then, if something has changed."""
        last: tuple[float, Sequence[Report]] = (time.monotonic(), ())

        def show(reports: Sequence[Report]) -> None:
            nonlocal last
            if time.monotonic() - last[0] >= QUIET_EVERY and reports != last[1]:
                last = (time.monotonic(), reports)
                for report in reports:
                    print(f"{report.gateway}: {summary(report)}", file=sys.stderr, flush=True)

        return show


def _shower(as_json: bool) -> Callable[[], Screen | None]:
    return lambda: Screen() if sys.stdout.isatty() and not as_json else None


def summary(report: Report) -> str:
    """The account in a line."""
    parts = [
        f"epoch {report.epoch} to {number(report.last_seq)}",
        f"{number(report.received)} received",
        f"{number(report.history)} of the backlog",
        f"{number(report.duplicates)} duplicates",
        f"{number(report.disordered)} out of order",
        f"{number(sum(report.explained.values()))} accounted for",
        f"{number(report.pending)} on the way",
        f"{number(report.lost)} missing",
    ]
    if report.renumbered:
        parts.append(f"numbers went back {number(report.renumbered)} times")
    if report.epoch is None:
        parts = [f"nothing to judge yet, {number(report.earlier)} earlier entries"]
    return ", ".join(parts)


def statement(report: Report) -> list[Line]:
    """The account as a paragraph."""
    state = {True: "online", False: "OFFLINE", None: "status unknown"}[report.online]
    lines = [Line(f"gateway {clean(report.gateway)}  {state}", "head")]
    rows: list[tuple[str, str, str]] = [
        ("received", number(report.received), f"epoch {report.epoch} up to {report.last_seq}"),
        ("of the backlog", number(report.history), ""),
        ("earlier", number(report.earlier), "numbered before this account began"),
        ("duplicates", number(report.duplicates), "delivered again, as QoS 1 may"),
        ("out of order", number(report.disordered), "in a device and lane"),
        *((f"gone: {clean(r)}", number(n), "told") for r, n in sorted(report.explained.items())),
        ("on the way", number(report.pending), "not here yet, perhaps still kept"),
        ("NUMBERS WENT BACK", number(report.renumbered), RENUMBERED),
        ("blind spells", number(report.blind), "away without a session: not judged"),
    ]
    if report.epoch is None:
        rows[0] = ("received", "0", "waits for the first live entry")
    for what, count, note in rows:
        if count != "0" or what in ("received", "duplicates"):
            lines.append(Line(f"  {what:<18}{count:>12}  {note}"))
    lines.append(
        Line(f"  {'MISSING':<18}{number(report.lost):>12}", "bad" if report.lost else "good")
    )
    lines += [
        Line(f"    epoch {m.epoch}: {_span(m.first, m.last)}") for m in report.missing[:SPANS]
    ]
    if len(report.missing) > SPANS:
        lines.append(Line(f"    and {len(report.missing) - SPANS} more spans"))
    return lines


def _span(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def as_object(report: Report) -> dict[str, Any]:
    """For scripts."""
    found = dataclasses.asdict(report)
    return found | {"lost": report.lost, "settled": report.settled}


def _print_account(reports: Sequence[Report], as_json: bool) -> None:
    if not reports:
        print("tidegate audit: no gateway has sent anything", file=sys.stderr)
    for report in reports:
        if as_json:
            print(json.dumps(as_object(report), ensure_ascii=False))
        else:
            print("\n".join(line.text.rstrip() for line in statement(report)))
