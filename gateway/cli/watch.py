"""`tidegate watch`: the live table of any gateway on any broker."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

from gateway.cli import layout, login
from gateway.cli.assembly import Assembler
from gateway.cli.board import HEAD, Board
from gateway.cli.consumer import Arrived, Connected, Consumer, Gone, Unreachable
from gateway.cli.messages import Fact, Notice, Numbered, Part, Status
from gateway.cli.problems import plainly
from gateway.cli.screen import Screen

HELP = "Show what gateways on a broker send, as a live table or as lines for a script."
EXAMPLES = """\
tidegate watch                                    # all gateways of the broker on this machine
tidegate watch --gateway shed --url mqtts://broker.example --username me --password-file pw
tidegate watch --once                             # the table as it is now, then stop
tidegate watch --json --for 60 | jq .             # one JSON object a message, for a minute"""

REDRAW = 0.5
"""Seconds between two pages."""
ONCE = 3.0
"""Seconds in which `--once` waits for the retained messages and what happens to come."""
KEYS = layout.Line("q: quit", "dim")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--gateway", default="+", metavar="ID", help="only this one (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object a message")
    how_long = parser.add_mutually_exclusive_group()
    how_long.add_argument(
        "--once", action="store_true", help=f"print the table after {ONCE:.0f} s and stop"
    )
    how_long.add_argument(
        "--for", dest="seconds", type=float, metavar="SECONDS", help="stop after so long"
    )
    login.configure(parser)


def run(args: argparse.Namespace) -> int:
    live = sys.stdout.isatty() and not args.json and not args.once
    if not (live or args.json or args.once or args.seconds):
        print("tidegate watch: no terminal here: add --once, --for or --json", file=sys.stderr)
        return 2
    try:
        consumer = Consumer(login.login(args), [f"{args.root}/{args.gateway}/#"])
        consumer.connect()
    except (Unreachable, ValueError, OSError) as error:
        print(f"tidegate watch: {plainly(error)}", file=sys.stderr)
        return 1
    until = ONCE if args.once else args.seconds
    end = float("inf") if until is None else time.monotonic() + until
    try:
        if args.json:
            return _lines(consumer, args.root, end)
        return _live(consumer, args.root, end) if live else _plain(consumer, args.root, end)
    finally:
        consumer.close()


def _lines(consumer: Consumer, root: str, end: float) -> int:
    board, assembler = Board(), Assembler(root)
    while time.monotonic() < end:
        for event in consumer.events(min(1.0, end - time.monotonic())):
            if isinstance(event, Gone):
                print(f"tidegate watch: {event.reason}", file=sys.stderr)
            if not isinstance(event, Arrived):
                continue
            for fact in assembler.read(event):
                board.observe(fact, event.at)
                print(json.dumps(as_object(fact, board), ensure_ascii=False), flush=True)
    return 0


def as_object(fact: Fact, board: Board) -> dict[str, Any]:
    """A fact for scripts; a sample's channels stand in `values`, their units in `units`."""
    if isinstance(fact, Numbered | Part):
        head: dict[str, Any]
        head = {"gateway": fact.gateway, "device": fact.device, "kind": fact.kind}
        lane = fact.lane if isinstance(fact, Numbered) else "live"
        head |= {"lane": lane, "retained": fact.retained}
        if fact.kind != "data":
            return head | dict(fact.fields)
        known = {name: fact.fields[name] for name in HEAD - {"device"} if name in fact.fields}
        values = {name: value for name, value in fact.fields.items() if name not in HEAD}
        units = {n: u for n in values if (u := board.unit(fact.gateway, fact.device, n))}
        return head | dict(sorted(known.items())) | {"values": values, "units": units}
    if isinstance(fact, Status):
        head = {"gateway": fact.gateway, "device": fact.device, "kind": "status"}
        return head | {"online": fact.online, "retained": fact.retained}
    if isinstance(fact, Notice):
        return {"gateway": fact.gateway, "kind": fact.topic} | dict(fact.fields)
    unreadable = {"gateway": fact.gateway, "kind": "unreadable"}
    return unreadable | {"topic": fact.topic, "reason": fact.reason}


def _take(board: Board, assembler: Assembler, arrived: Iterable[Arrived]) -> None:
    for event in arrived:
        for fact in assembler.read(event):
            board.observe(fact, event.at)


def _plain(consumer: Consumer, root: str, end: float) -> int:
    board = Board()
    events = consumer.events(end - time.monotonic())
    _take(board, Assembler(root), (event for event in events if isinstance(event, Arrived)))
    if not board.gateways:
        print("tidegate watch: no gateway has sent anything", file=sys.stderr)
        return 1
    for line in layout.page(board, (200, 10_000), time.monotonic(), time.time()):
        print(line.text.rstrip())
    return 0


def _live(consumer: Consumer, root: str, end: float) -> int:
    board, assembler, trouble = Board(), Assembler(root), ""
    with Screen() as screen:
        while time.monotonic() < end and screen.key() != "q":
            for event in consumer.events(REDRAW):
                if isinstance(event, Arrived):
                    _take(board, assembler, [event])
                else:
                    trouble = "" if isinstance(event, Connected) else event.reason
            bottom = [layout.Line(layout.clean(trouble), "bad")] if trouble else []
            if not board.gateways:
                bottom.append(layout.Line("no gateway has sent anything yet", "dim"))
            bottom = [layout.Line(""), *bottom, KEYS]
            screen.draw(layout.page(board, screen.size, time.monotonic(), time.time(), bottom))
    return 0
