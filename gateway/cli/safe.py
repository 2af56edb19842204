"""`tidegate safe`: the outputs' crash states, for when the gateway's process is dead."""

from __future__ import annotations

import argparse

from gateway import safe

HELP = "Put the outputs to their crash states when the gateway does not run."
EXAMPLES = """\
tidegate safe /var/lib/tidegate           # the directory that [gateway] state names"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="STATE", help="the gateway's state directory")


def run(args: argparse.Namespace) -> int:
    return safe.main(args.directory)
