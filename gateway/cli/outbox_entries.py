"""`tidegate outbox peek` and `export`: the entries that are kept, for people and for programs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

from gateway import records
from gateway.cli.layout import clean, cut, value_text
from gateway.cli.outbox_place import Action, complain, look, place_of
from gateway.cli.problems import EX_CONFIG, plainly
from gateway.cli.tables import table
from gateway.codecs import values
from gateway.codecs.json_ import dumps
from gateway.journal import JournalFault, Record
from gateway.journal_look import kept
from gateway.model import Entry

WIDTH = 60
"""Characters of an entry's content in the table."""
HEAD = ("epoch", "seq", "time", "clock")


def configure_peek(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", type=_count, default=10, metavar="COUNT", help="how many; default 10")


def _count(text: str) -> int:
    """ArgumentTypeError."""
    if not (text.isascii() and text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of entries")
    return int(text)


def configure_export(parser: argparse.ArgumentParser) -> None:
    del parser  # it has no options of its own


def peek(args: argparse.Namespace) -> int:
    place = place_of(args)
    if place is None:
        return EX_CONFIG
    journal = look(place)
    if journal is None:
        return 1
    rows = [("ENTRY", "TIME", "CLASS", "DEVICE", "CONTENT")]
    try:
        rows += [_row(record) for record in islice(kept(journal), args.n)]
    except JournalFault as fault:
        complain(str(fault))
        return 1
    finally:
        journal.close()
    print(table(rows) if len(rows) > 1 else "nothing is kept")
    return 0


def _row(record: Record) -> tuple[str, str, str, str, str]:
    key = f"{record.key.epoch}-{record.key.seq}"
    klass, device = record.klass.name.lower(), clean(record.device)
    try:
        fields = fields_of(record)
    except records.RecordError as error:
        return key, "-", klass, device, cut(clean(str(error)), WIDTH)
    body = "  ".join(f"{k} {value_text(v)}" for k, v in fields.items() if k not in HEAD)
    time = fields["time"] + ("?" if "clock" in fields else "")
    return key, time, klass, device, cut(clean(body), WIDTH)


def fields_of(record: Record) -> dict[str, Any]:
    """The entry as its message would have it. RecordError."""
    return values.recorded(Entry(record.key, record.klass, records.decode(record.payload)))


def export(args: argparse.Namespace) -> int:
    place = place_of(args)
    if place is None:
        return EX_CONFIG
    journal = look(place)
    if journal is None:
        return 1
    try:
        for line in _lines(kept(journal)):
            print(line)
        sys.stdout.flush()
    except JournalFault as fault:
        complain(str(fault))
        return 1
    except BrokenPipeError:
        raise
    except OSError as error:
        complain(f"the export is not complete: {plainly(error)}")
        return 1
    finally:
        journal.close()
    return 0


def _lines(found: Iterator[Record]) -> Iterator[str]:
    """What cannot be decoded is exported as it is, byte by byte: nothing is left out."""
    for record in found:
        head = {"device": record.device, "class": record.klass.name.lower()}
        try:
            yield dumps(head | fields_of(record)).decode()
        except records.RecordError:
            key = {"epoch": record.key.epoch, "seq": record.key.seq}
            yield json.dumps(
                head | key | {"record": record.payload.decode("utf-8", "surrogateescape")}
            )


PEEK = Action("The oldest entries that are kept.", configure_peek, peek)
EXPORT = Action("Everything that is kept, as JSON Lines.", configure_export, export)
