"""The command line but for `run`'s fast way: one module a verb, and only the asked one is loaded.

A verb's module has HELP (one line), EXAMPLES (lines of `command  # what it does`, or empty),
`configure(parser)` and `run(args) -> int`, the exit code.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from types import ModuleType

from gateway.config_report import nearest
from gateway.version import VERSION

GROUPS: dict[str, tuple[str, ...]] = {
    "set up": ("setup", "scan", "drivers", "wiring", "check", "doctor", "unit", "schema"),
    "the gateway": ("run", "status", "logs", "outbox", "safe", "backup", "restore", "support"),
    "sensors and meters": ("read", "monitor", "decode", "capture", "replay", "unstick"),
    "over MQTT": ("watch", "send", "audit", "notify", "keygen", "broker-acl"),
    "to try": ("demo", "simulate", "completion"),
}
VERBS = {
    verb: f"gateway.cli.{verb.replace('-', '_')}" for group in GROUPS.values() for verb in group
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
    if first and not first.startswith("-") and first not in VERBS:
        hint = nearest(first, VERBS) or "`tidegate --help` lists them"
        print(f'tidegate: there is no verb "{first}"; {hint}', file=sys.stderr)
        return 2
    parser = make_parser([first] if first in VERBS else [] if first == "--version" else list(VERBS))
    args, rest = parser.parse_known_args(arguments)
    if rest:  # argparse would show the usage of `tidegate`, which does not help
        (args.parser if args.verb else parser).error(f"unrecognized arguments: {' '.join(rest)}")
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
        usage="tidegate [-h] [--version] VERB ...",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    verb_parsers = parser.add_subparsers(
        dest="verb", metavar="VERB", prog="tidegate", help=argparse.SUPPRESS
    )
    modules = {verb: importlib.import_module(VERBS[verb]) for verb in verbs}
    for verb, module in modules.items():
        _add_verb(verb_parsers, verb, module)
    listed = _groups({verb: module.HELP for verb, module in modules.items()})
    parser.epilog = f"{listed}`tidegate VERB --help` has examples.\n\n{EXIT_CODES}"
    return parser


def _groups(helps: Mapping[str, str]) -> str:
    """What each verb does, group by group."""
    width = shutil.get_terminal_size().columns - 2
    wrapper = textwrap.TextWrapper(width, subsequent_indent=" " * 14)
    text = ""
    for title, verbs in GROUPS.items():
        shown = [verb for verb in verbs if verb in helps]
        rows = [wrapper.fill(f"  {verb:<12}{helps[verb]}") for verb in shown]
        text += f"{title}:\n" + "\n".join(rows) + "\n\n" if rows else ""
    return text


def _add_verb(
    verb_parsers: argparse._SubParsersAction[argparse.ArgumentParser], verb: str, module: ModuleType
) -> None:
    epilog = f"examples:\n{_indented(module.EXAMPLES)}\n\n{EXIT_CODES}"
    parser = verb_parsers.add_parser(
        verb,
        description=module.HELP,
        epilog=epilog if module.EXAMPLES else EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.configure(parser)
    parser.set_defaults(run=module.run, parser=parser)


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.strip().splitlines())


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *unused: object, **also: object) -> None:
        print(f"tidegate {VERSION}")
        parser.exit()
