"""`tidegate outbox`: what the gateway on this machine keeps, and what is to become of it."""

from __future__ import annotations

import argparse

from gateway.cli import outbox_entries, outbox_shelf, outbox_stats, outbox_verify
from gateway.cli.outbox_place import add_place, complain_of

HELP = "Look at the queue on disk, copy it out, check it, deal with refused entries."
EXAMPLES = """\
tidegate outbox stats                    # how full, how old, how fast
tidegate outbox peek -n 20               # the oldest entries
tidegate outbox export > backlog.jsonl   # all of it, as JSON Lines
tidegate outbox shelf                    # what the broker refused for good
tidegate outbox shelf retry 7-12345      # send it again
tidegate outbox verify                   # is everything readable
tidegate outbox verify copy/journal      # the same, of a copy"""


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, action in (
        ("stats", outbox_stats.STATS),
        ("peek", outbox_entries.PEEK),
        ("export", outbox_entries.EXPORT),
        ("shelf", outbox_shelf.SHELF),
        ("verify", outbox_verify.VERIFY),
    ):
        sub = actions.add_parser(name, help=action.help, description=action.help)
        add_place(sub)
        action.configure(sub)
        sub.set_defaults(action_run=action.run, parser=sub)


def run(args: argparse.Namespace) -> int:
    """0 done, 1 nothing there, not readable or damaged, 78 no configuration."""
    try:
        code: int = args.action_run(args)
    except PermissionError as error:
        complain_of(error)
        return 1
    return code
