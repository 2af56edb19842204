"""`tidegate run`: the daemon, in the foreground."""

from __future__ import annotations

import argparse

from gateway.cli.problems import add_config

HELP = "Run the gateway in the foreground until SIGTERM or Ctrl-C."
EXAMPLES = """\
tidegate run                     # with /etc/tidegate/gateway.toml
tidegate run ./gateway.toml      # with another configuration"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_config(parser)


def run(args: argparse.Namespace) -> int:
    from gateway import daemon

    return daemon.main(args.config)
