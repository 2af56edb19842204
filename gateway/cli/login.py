"""How a verb reaches a broker: the options on its command line."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

from gateway.link.endpoint import Endpoint, parse_endpoint
from gateway.link.tls import TlsFiles

DEFAULT_URL = "mqtt://127.0.0.1:1883"


@dataclass(frozen=True, slots=True)
class Login:
    """protocol: auto (5, else 3.1.1), 5 or 3.1.1."""

    endpoint: Endpoint
    username: str = ""
    password: str = ""
    files: TlsFiles = field(default_factory=TlsFiles)
    protocol: str = "auto"


def configure(parser: argparse.ArgumentParser) -> None:
    """The options that `login` reads, and --root."""
    group = parser.add_argument_group("broker")
    url = os.environ.get("TIDEGATE_URL", DEFAULT_URL)
    group.add_argument(
        "--url", default=url, help="mqtt://, mqtts://, ws://, wss:// or unix:// (now %(default)s)"
    )
    group.add_argument("--username", default="", metavar="NAME")
    group.add_argument("--password-file", default="", metavar="FILE", help="first line is used")
    group.add_argument("--ca-file", default="", metavar="FILE", help="trusted CAs, PEM")
    group.add_argument("--cert-file", default="", metavar="FILE", help="own certificate, PEM")
    group.add_argument("--key-file", default="", metavar="FILE", help="its private key, PEM")
    group.add_argument(
        "--insecure", action="store_true", help="allow plain text to another machine"
    )
    group.add_argument("--protocol", choices=("auto", "5", "3.1.1"), default="auto")
    group.add_argument("--root", default="tidegate", help="first level of the topics")


def login(args: argparse.Namespace) -> Login:
    """ValueError for a URL, OSError for a file that cannot be used; the message says which."""
    password = ""
    if args.password_file:
        password = (Path(args.password_file).read_text("utf-8").splitlines() or [""])[0]
    return Login(
        parse_endpoint(args.url, args.insecure),
        args.username,
        password,
        TlsFiles(args.ca_file, args.cert_file, args.key_file),
        args.protocol,
    )
