"""`tidegate outbox verify`: is everything that is kept still readable? Nothing is written.

Beside a gateway that writes, a record may be half there; what is damaged stays damaged. So a
second look is taken before damage is told.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from gateway import records
from gateway.cli.layout import number, size
from gateway.cli.outbox_place import Action, Place, complain_of, place_of
from gateway.cli.problems import EX_CONFIG
from gateway.journal import JournalFault, JournalUsage
from gateway.journal_look import kept, look_at


@dataclass(slots=True)
class Finding:
    """What one look found. bad: what is wrong, in words. torn: writes that never completed."""

    usage: JournalUsage
    classes: Counter[str] = field(default_factory=Counter)
    epochs: set[int] = field(default_factory=set)
    bad: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "journal", nargs="?", metavar="PATH", help="a ring's directory or a journal.db, also a copy"
    )


def run(args: argparse.Namespace) -> int:
    """1 when something is damaged."""
    if args.journal:
        path = Path(args.journal)
        place: Place | None = Place(path.parent, path)
    else:
        place = place_of(args)
    if place is None:
        return EX_CONFIG
    try:
        finding = _look(place)
        if finding.bad:
            again = _look(place)
            again.bad = [text for text in again.bad if text in finding.bad]
            finding = again
    except JournalFault as fault:
        complain_of(fault)
        return 1
    print("\n".join(page(place, finding)))
    return 1 if finding.bad else 0


def _look(place: Place) -> Finding:
    """JournalFault."""
    journal = look_at(place.journal, place.size)
    try:
        finding = Finding(journal.usage())
        for record in kept(journal):
            finding.classes[record.klass.name.lower()] += 1
            finding.epochs.add(record.key.epoch)
            try:
                records.decode(record.payload)
            except records.RecordError as error:
                finding.bad.append(f"{record.key.epoch}-{record.key.seq}: {error}")
        for damage in journal.damages():
            (finding.torn if damage.torn else finding.bad).append(damage.text)
        return finding
    finally:
        journal.close()


def page(place: Place, finding: Finding) -> list[str]:
    epochs, usage = sorted(finding.epochs), finding.usage
    runs = f"   of runs {epochs[0]} to {epochs[-1]}" if epochs else ""
    lines = [
        f"{place.journal}",
        f"kept     {number(finding.classes.total())}{runs}",
        *(f"         {number(n)} {name}" for name, n in sorted(finding.classes.items())),
        f"disk     {size(usage.bytes_used)} of {size(usage.bytes_limit or None)}",
    ]
    lines += [f"torn     {text}" for text in finding.torn]
    lines += [f"DAMAGED  {text}" for text in finding.bad]
    return lines if finding.bad else [*lines, "all of it can be read"]


VERIFY = Action("Check that everything that is kept can be read.", configure, run)
