"""Where the queue of a gateway lies, and how its verbs find it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.problems import add_config, load_or_explain, plainly
from gateway.journal import JournalFault
from gateway.journal_look import Look, look_at


@dataclass(frozen=True, slots=True)
class Action:
    """One word behind `tidegate outbox`."""

    help: str
    configure: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


@dataclass(frozen=True, slots=True)
class Place:
    """size: bytes that the journal may have, 0 where only the directory is known."""

    state: Path
    journal: Path
    size: int = 0
    socket: str = ""

    @property
    def shelf(self) -> Path:
        return self.state / "shelf"


def add_place(parser: argparse.ArgumentParser) -> None:
    add_config(parser, "-c", "--config")
    parser.add_argument("--state", metavar="DIR", help="a state directory, instead of --config")


def place_of(args: argparse.Namespace) -> Place | None:
    """None after it was said what is wrong with the configuration: the exit code is 78 then."""
    if args.state:
        state = Path(args.state)
        ring = state / "journal"
        return Place(state, ring if ring.is_dir() else state / "journal.db")
    loaded = load_or_explain(args.config)
    if loaded is None:
        return None
    gateway, outbox = loaded.settings.gateway, loaded.settings.outbox
    state = Path(gateway.state)
    journal = state / ("journal" if outbox.store == "ring" else "journal.db")
    return Place(state, journal, outbox.size, gateway.socket)


def look(place: Place) -> Look | None:
    """None after it was said why there is none: the exit code is 1 then."""
    try:
        return look_at(place.journal, place.size)
    except JournalFault as fault:
        complain_of(fault)
        return None


def complain_of(error: OSError) -> None:
    """What failed; and who may do it, where that is the matter."""
    denied = isinstance(error, PermissionError) or isinstance(error.__cause__, PermissionError)
    text = plainly(error)
    complain(f"{text}; run it as root or as the gateway's user" if denied else text)


def complain(text: str) -> None:
    print(f"tidegate outbox: {text}", file=sys.stderr)
