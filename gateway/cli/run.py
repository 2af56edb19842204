"""`tidegate run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse

from gateway.__main__ import DEFAULT_CONFIG

HELP = "Run the gateway in the foreground until SIGTERM or Ctrl-C."
EXAMPLES = """\
tidegate run                     # with /etc/tidegate/gateway.toml
tidegate run ./gateway.toml      # with another configuration"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", nargs="?", default=DEFAULT_CONFIG, metavar="CONFIG")


def run(args: argparse.Namespace) -> int:
    from gateway import daemon

    return daemon.main(args.config)
