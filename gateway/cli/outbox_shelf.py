"""`tidegate outbox shelf`: entries that the broker refused for good, and what is to become of them.

A wish is a new name for the entry's file (`gateway/shelf.py`); the gateway finds it within seconds,
or when it starts.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from gateway.cli.layout import clean, cut
from gateway.cli.outbox_place import Action, complain, complain_of, place_of
from gateway.cli.problems import EX_CONFIG
from gateway.cli.tables import table
from gateway.model import Key
from gateway.shelf import DISCARD, KEPT, RETRY, Shelf

WISHES = {"retry": RETRY, "discard": DISCARD}
WORDS = {KEPT: "", RETRY: "to be sent again", DISCARD: "to be discarded"}
REASON = 60
"""Characters of a reason in the table."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("wish", nargs="?", choices=("list", *WISHES), default="list")
    parser.add_argument("entries", nargs="*", metavar="ENTRY", help="as listed, such as 7-12345")
    parser.add_argument("--all", action="store_true", help="every entry on the shelf")


def run(args: argparse.Namespace) -> int:
    place = place_of(args)
    if place is None:
        return EX_CONFIG
    shelf = Shelf(place.shelf)
    try:
        if args.entries and (args.all or args.wish == "list"):
            raise ValueError("name entries to retry or discard, or say --all: not both")
        if not place.state.is_dir():
            raise ValueError(f"{place.state}: there is no such directory")
        if args.wish == "list":
            return _list(shelf)
        return _wish(shelf, args.wish, list(shelf.keys()) if args.all else _keys(args.entries))
    except OSError as error:
        complain_of(error)
        return 1
    except ValueError as error:
        complain(str(error))
        return 1


def _keys(entries: Sequence[str]) -> list[Key]:
    """ValueError."""
    if not entries:
        raise ValueError("which entries? name them as `tidegate outbox shelf` does, or --all")
    keys = []
    for text in entries:
        epoch, _, seq = text.partition("-")
        if not (epoch.isdecimal() and seq.isdecimal()):
            raise ValueError(f"{text!r} is no entry: they are named like 7-12345")
        keys.append(Key(int(epoch), int(seq)))
    return keys


def _list(shelf: Shelf) -> int:
    rows = [("ENTRY", "DEVICE", "REASON", "")]
    for key, wish in shelf.keys().items():
        name = f"{key.epoch}-{key.seq}"
        try:
            entry = shelf.get(key)
        except KeyError:
            continue  # the gateway took it off meanwhile
        except ValueError as error:
            rows.append((name, "?", cut(clean(str(error)), REASON), WORDS[wish]))
            continue
        reason = cut(clean(entry.reason), REASON)
        rows.append((name, clean(entry.record.device), reason, WORDS[wish]))
    print(table(rows) if len(rows) > 1 else "the shelf is empty")
    return 0


def _wish(shelf: Shelf, wish: str, keys: Sequence[Key]) -> int:
    """Each that is there; 1 if one is not."""
    missing = 0
    for key in keys:
        try:
            shelf.wish(key, WISHES[wish])
        except (KeyError, FileNotFoundError):
            complain(f"{key.epoch}-{key.seq} is not on the shelf")
            missing += 1
    count = len(keys) - missing
    if count:
        print(f"{count} {WORDS[WISHES[wish]]}: the gateway looks every 5 s, and at its start")
    return 1 if missing else 0


SHELF = Action("List what the broker refused for good; retry or discard it.", configure, run)
