"""The command line but for `run`'s fast way: one module a verb, and only the asked one is loaded.

A verb's module has HELP (one line), EXAMPLES (lines of `command  # what it does`, or empty),
`configure(parser)` and `run(args) -> int`, the exit code.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from types import ModuleType

from gateway.version import VERSION

VERBS = {
    "run": "gateway.cli.run",
    "check": "gateway.cli.check",
    "drivers": "gateway.cli.drivers",
    "scan": "gateway.cli.scan",
    "wiring": "gateway.cli.wiring",
    "doctor": "gateway.cli.doctor",
    "unstick": "gateway.cli.unstick",
    "read": "gateway.cli.read",
    "send": "gateway.cli.send",
    "keygen": "gateway.cli.keygen",
    "notify": "gateway.cli.notify",
    "safe": "gateway.cli.safe",
    "decode": "gateway.cli.decode",
    "monitor": "gateway.cli.monitor",
    "capture": "gateway.cli.capture",
    "replay": "gateway.cli.replay",
    "watch": "gateway.cli.watch",
    "status": "gateway.cli.status",
    "setup": "gateway.cli.setup",
    "outbox": "gateway.cli.outbox",
    "unit": "gateway.cli.unit",
    "logs": "gateway.cli.logs",
    "backup": "gateway.cli.backup",
    "restore": "gateway.cli.restore",
    "support": "gateway.cli.support",
    "demo": "gateway.cli.demo",
    "audit": "gateway.cli.audit",
    "simulate": "gateway.cli.simulate",
    "broker-acl": "gateway.cli.broker_acl",
    "schema": "gateway.cli.schema",
    "completion": "gateway.cli.completion",
}

DESCRIPTION = """\
Tidegate reads sensors and meters, sends every reading to an MQTT broker, and switches appliances
on command."""

EXIT_CODES = """\
exit codes:
  0    done
  1    failed: the reason is on stderr
  2    wrong usage of the command line
  78   the configuration cannot be used (`tidegate check` says why)
  130  interrupted by Ctrl-C"""


def main(arguments: list[str]) -> int:
    """Run one verb; the exit code as EXIT_CODES has it."""
    first = arguments[0] if arguments else ""
    parser = make_parser([first] if first in VERBS else [] if first == "--version" else list(VERBS))
    args = parser.parse_args(arguments)
    if args.verb is None:
        parser.print_help()
        return 2
    try:
        return int(args.run(args))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader (`head`) has gone. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def make_parser(verbs: list[str]) -> argparse.ArgumentParser:
    """The parser with these verbs; each one's module is imported."""
    parser = argparse.ArgumentParser(
        prog="tidegate",
        description=DESCRIPTION,
        epilog=f"`tidegate VERB --help` has examples.\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verb_parsers = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")
    for verb in verbs:
        _add_verb(verb_parsers, verb, importlib.import_module(VERBS[verb]))
    return parser


def _add_verb(
    verb_parsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str, module: ModuleType
) -> None:
    epilog = f"examples:\n{_indented(module.EXAMPLES)}\n\n{EXIT_CODES}"
    parser = verb_parsers.add_parser(
        verb,
        help=module.HELP,
        description=module.HELP,
        epilog=epilog if module.EXAMPLES else EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    parser.set_defaults(run=module.run)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *unused: object, **also: object) -> None:
        print(f"tidegate {VERSION}")
        parser.exit()
