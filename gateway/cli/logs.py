"""`tidegate logs`: what the service has said, out of the journal."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys

HELP = "Show what the service has logged."
EXAMPLES = """\
tidegate logs                       # the last 100 lines
tidegate logs --follow
tidegate logs --since "1 hour ago" --severity warning"""

SEVERITIES = ("debug", "info", "warning", "err")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lines", type=int, default=100, metavar="N", help="(default: 100)")
    parser.add_argument("--follow", "-f", action="store_true", help="and what comes")
    parser.add_argument("--since", default="", metavar="TIME", help="as journalctl takes it")
    parser.add_argument("--severity", choices=SEVERITIES, default="", help="at least so severe")


def command(args: argparse.Namespace) -> list[str]:
    words = ["journalctl", "--unit=tidegate", "--no-pager", "--output=short"]
    words += [f"--since={args.since}"] if args.since else [f"--lines={args.lines}"]
    words += ["--follow"] if args.follow else []
    words += [f"--priority={args.severity}"] if args.severity else []
    return words


def run(args: argparse.Namespace) -> int:
    words = command(args)
    if shutil.which(words[0]) is None:
        print("tidegate logs: no systemd here; the gateway logs to stderr", file=sys.stderr)
        return 1
    return subprocess.call(words)
