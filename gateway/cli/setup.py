"""`tidegate setup`: from a fresh installation to a gateway that runs, by questions or options."""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from gateway.cli import interfaces
from gateway.cli.interfaces import CREDENTIALS, Step
from gateway.cli.problems import add_config, plainly, render
from gateway.config import ConfigErrors, parse
from gateway.link.endpoint import parse_endpoint
from gateway.settings import NAME_PATTERN

HELP = "Ask what is wired, write the configuration, enable the interfaces, start the service."
EXAMPLES = """\
tidegate setup                                # as root
tidegate setup --yes --id cellar --url mqtts://broker.example --username cellar \\
     --password-file /boot/firmware/mqtt --enable i2c,onewire
tidegate setup --dry-run --yes --url mqtts://broker.example   # only shows what it would do"""

TEMPLATE = """\
# Made by `tidegate setup`. Every option is in /usr/share/doc/tidegate/configuration.md, and
# `tidegate drivers` prints a block to copy for each sensor, meter and output.

[gateway]
id = "{id}"

[upstream]
url = "{url}"
{login}
[[device]]
name = "machine"
driver = "host"
interval = "1min"
{buses}"""
LOGIN = """\
username = "{username}"
password_file = "${{CREDENTIALS_DIRECTORY:-/etc/tidegate/credentials}}/mqtt"
"""


class Refused(Exception):
    """An answer cannot be used; the message says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--yes", action="store_true", help="ask nothing: take options and defaults")
    parser.add_argument("--dry-run", action="store_true", help="change nothing, show everything")
    parser.add_argument("--id", default="", help="the gateway's name (default: the host's)")
    parser.add_argument("--url", default="", help="the broker (default: mqtt://localhost)")
    parser.add_argument("--username", default="", metavar="NAME")
    parser.add_argument("--password-file", default="", metavar="FILE", help="its first line")
    parser.add_argument(
        "--enable", default="", metavar="LIST", help=f"of {', '.join(interfaces.KNOWN)}"
    )
    add_config(parser, "-c", "--config")
    parser.add_argument("--force", action="store_true", help="over a configuration of one's own")


def run(args: argparse.Namespace) -> int:
    if not args.dry_run and os.geteuid() != 0:
        print("tidegate setup: it changes the system: sudo tidegate setup", file=sys.stderr)
        return 1
    if not args.yes and not sys.stdin.isatty():
        print("tidegate setup: no terminal to ask on: add --yes", file=sys.stderr)
        return 2
    ask = default_answer if args.yes else asked
    try:
        text = configuration(args, ask)
        enabled = interfaces.chosen(args.enable, ask)
        _may_replace(Path(args.config), args.force)
        password = _password(args)
    except (Refused, ValueError, OSError) as error:
        print(f"tidegate setup: {plainly(error)}", file=sys.stderr)
        return 1
    steps = [
        *interfaces.steps(enabled),
        *password,
        Step(f"write {args.config}", write=(Path(args.config), text, 0o644)),
        Step("close the service to what the configuration needs",
             ("tidegate", "unit", "--write")),
        Step("start the service", ("systemctl", "daemon-reload")),
        Step("", ("systemctl", "enable", "tidegate")),
        Step("", ("systemctl", "restart", "tidegate")),
    ]  # fmt: skip
    if args.dry_run:
        print(text)
    return interfaces.carry_out(steps, args.dry_run)


def asked(question: str, default: str) -> str:
    answer = input(f"{question} [{default}]: " if default else f"{question}: ").strip()
    return answer or default


def default_answer(question: str, default: str) -> str:
    return default


def configuration(args: argparse.Namespace, ask: Callable[[str, str], str]) -> str:
    """The file's text, checked. Refused, ValueError."""
    name = args.id or ask("Name of this gateway", _host_name())
    if not re.fullmatch(NAME_PATTERN, name):
        raise Refused(f"--id {name!r}: small letters, digits, - and _")
    url = args.url or ask("Address of the broker", "mqtt://localhost")
    parse_endpoint(url)
    args.username = args.username or ask("Login name at the broker, empty for none", "")
    login = LOGIN.format(username=args.username) if args.username else ""
    text = TEMPLATE.format(id=name, url=url, login=login, buses=interfaces.buses())
    try:
        parse(text, args.config)
    except ConfigErrors as errors:
        raise Refused("\n".join(render(problem) for problem in errors.errors)) from errors
    return text


def _host_name() -> str:
    name = re.sub(r"[^a-z0-9_-]", "-", socket.gethostname().split(".")[0].lower()).strip("-")
    return name or "gateway"


def _may_replace(config: Path, force: bool) -> None:
    """A configuration that somebody wrote is worth more than one that is made. Refused."""
    if force or not config.exists():
        return
    text = config.read_text("utf-8", "replace")
    if "Made by `tidegate setup`" not in text and 'id = "gateway"' not in text:
        raise Refused(f"{config} is there already and was not made by setup: --force replaces it")


def _password(args: argparse.Namespace) -> list[Step]:
    """OSError. The password is in no command line and in no log."""
    if not args.username:
        return []
    if args.password_file:
        words = Path(args.password_file).read_text("utf-8").splitlines()
    elif args.yes:
        return []  # it may lie there already
    else:
        from getpass import getpass

        words = [getpass("Password: ")]
    target = CREDENTIALS / "mqtt"
    return [Step(f"put the password into {target}", write=(target, (words or [""])[0], 0o600))]
