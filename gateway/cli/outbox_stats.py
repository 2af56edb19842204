"""`tidegate outbox stats`: how much waits, how old it is, and where that is going."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

from gateway.cli import local_page
from gateway.cli.layout import number, size, span
from gateway.cli.outbox_place import Action, Place, look, place_of
from gateway.cli.problems import EX_CONFIG
from gateway.shelf import Shelf

FIELDS = (
    *("kept", "bytes_used", "bytes_limit", "fill", "oldest_age", "time_to_full", "time_to_drain"),
    *("written_today", "shelved", "storage"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print it as JSON")


def run(args: argparse.Namespace) -> int:
    place = place_of(args)
    if place is None:
        return EX_CONFIG
    stats = _told(place) or _found(place)
    if stats is None:
        return 1
    print(json.dumps(stats, indent=2) if args.json else "\n".join(page(stats)))
    return 0


def _told(place: Place) -> Mapping[str, Any] | None:
    """By the gateway itself, which alone knows how fast things go; None when it does not run."""
    for path in local_page.candidates(place.socket, str(place.state)):
        try:
            outbox = local_page.status(path)["outbox"]
        except (local_page.NoAnswer, KeyError):
            continue
        return {name: outbox.get(name) for name in FIELDS} | {"running": True}
    return None


def _found(place: Place) -> Mapping[str, Any] | None:
    """In the files. None after it was said why not."""
    journal = look(place)
    if journal is None:
        return None
    usage = journal.usage()
    journal.close()
    age = None if usage.oldest is None else max(0.0, time.time() - usage.oldest)
    return dict.fromkeys(FIELDS) | {
        "kept": usage.kept,
        "bytes_used": usage.bytes_used,
        "bytes_limit": usage.bytes_limit or None,
        "oldest_age": age,
        "shelved": len(Shelf(place.shelf).keys()),
        "running": False,
    }


def page(stats: Mapping[str, Any]) -> list[str]:
    lines = [
        f"queue    {number(stats['kept'])} kept   oldest {span(stats['oldest_age'])}",
        f"disk     {size(stats['bytes_used'])} of {size(stats['bytes_limit'])}"
        f"   written today {size(stats['written_today'])}",
        f"full in  {span(stats['time_to_full'])}   drained in {span(stats['time_to_drain'])}",
        f"shelf    {number(stats['shelved'])} refused",
    ]
    if not stats["running"]:
        lines.append("no gateway answers here: this is what lies on the disk")
    elif stats["storage"] != "ok":
        lines.append(f"STORAGE  {stats['storage']}")
    return lines


STATS = Action("How much is kept, how old it is, when it is full or drained.", configure, run)
