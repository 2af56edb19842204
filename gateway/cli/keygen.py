"""`tidegate keygen`: a key for signing commands."""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path

from gateway.settings import NAME_PATTERN

HELP = "Make a key with which somebody signs commands, and print what the gateway has to know."
EXAMPLES = """\
tidegate keygen anna                          # writes anna.key, prints the [[commander]] block
tidegate send shed pump on --key anna.key     # a signed command"""
MISSING = "tidegate keygen: signatures need PyNaCl: pip install 'tidegate[signed]'"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="of the one who signs")
    parser.add_argument("--out", metavar="FILE", help="for the private key (NAME.key)")
    parser.add_argument(
        "--role", action="append", metavar="ROLE", help="may be given again (operator)"
    )


def run(args: argparse.Namespace) -> int:
    if not re.fullmatch(NAME_PATTERN, args.name):
        print("tidegate keygen: NAME has small letters, digits, - and _", file=sys.stderr)
        return 2
    try:
        from gateway.signatures import new_key
    except ImportError:
        print(MISSING, file=sys.stderr)
        return 1
    file = Path(args.out or f"{args.name}.key")
    private, public = new_key(args.name)
    try:
        # Never over another key, and from the start for its owner's eyes only.
        with open(file, "x", encoding="ascii", opener=_private) as stream:
            stream.write(private)
    except OSError as error:
        print(f"tidegate keygen: {file}: {error.strerror}", file=sys.stderr)
        return 1
    print(f"# The private key is in {file}: keep it where only {args.name} can read it.")
    print(block(args.name, public, args.role or ["operator"]), end="")
    return 0


def block(name: str, public: str, roles: list[str]) -> str:
    """For the gateway's configuration."""
    listed = ", ".join(f'"{role}"' for role in roles)
    return f'[[commander]]\nname = "{name}"\nkey = "{public}"\nroles = [{listed}]\n'


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
