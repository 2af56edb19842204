"""`tidegate broker-acl`: what the broker must allow, in the broker's own files."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from gateway.cli import access_brokers
from gateway.cli.access import Role, Unusable, logins, roles
from gateway.cli.problems import EX_CONFIG, load_or_explain, plainly
from gateway.settings import Settings

HELP = "Write what the broker must allow: gateways and people, each no more than they need."
EXAMPLES = """\
tidegate broker-acl gateway.toml                           # mosquitto's files, into this directory
tidegate broker-acl shed.toml barn.toml --out /etc/mosquitto/tidegate
tidegate broker-acl gateway.toml --passwords people.txt    # lines of name:password, hashed
tidegate broker-acl gateway.toml --broker rabbitmq         # definitions.json for rabbitmqctl
tidegate broker-acl gateway.toml --broker dynsec           # commands for mosquitto's plug-in"""

ABOUT = """\
Every gateway may publish its own topics and hear the commands to itself. Groups of people stand in
the configuration as [[people]], with their members, what they may read and what they may command;
a group of the same name in several files is one group. A password is written as a hash only: a
gateway's is that of its configuration, people's come from --passwords. Who is in a file already
keeps the hash there until another password is given."""

ACL, PASSWORD_FILE = "acl", "passwords"
COMMANDS, DEFINITIONS = "dynsec.json", "definitions.json"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.description = f"{HELP}\n\n{ABOUT}"
    parser.add_argument("config", nargs="+", metavar="CONFIG")
    parser.add_argument(
        "--broker", choices=("mosquitto", "dynsec", "rabbitmq"), default="mosquitto"
    )
    parser.add_argument("--out", default=".", metavar="DIR", help="where to write (default: here)")
    parser.add_argument(
        "--passwords", default="", metavar="FILE", help="lines of name:password, for hashing"
    )
    parser.add_argument("--vhost", default="/", help="RabbitMQ's virtual host (default: /)")


def run(args: argparse.Namespace) -> int:
    loaded = [load_or_explain(path) for path in args.config]
    gateways = [one.settings for one in loaded if one is not None]
    if len(gateways) < len(loaded):
        return EX_CONFIG
    try:
        known = _gateway_passwords(gateways) | _given_passwords(args.passwords)
        found = roles(gateways)
        _WRITERS[args.broker](Path(args.out), found, known, args.vhost)
    except (Unusable, OSError, ValueError, KeyError, TypeError) as error:
        print(f"tidegate broker-acl: {plainly(error)}", file=sys.stderr)
        return 1
    return 0


def _gateway_passwords(gateways: Sequence[Settings]) -> dict[str, str]:
    found = {}
    for upstream in (settings.upstream for settings in gateways):
        if upstream.password_file:
            found[upstream.username] = _first_line(Path(upstream.password_file))
        elif upstream.password:
            found[upstream.username] = upstream.password
    return found


def _first_line(path: Path) -> str:
    return (path.read_text("utf-8").splitlines() or [""])[0]


def _given_passwords(path: str) -> dict[str, str]:
    """Lines of name:password; empty lines and those that begin with # count for nothing."""
    found = {}
    lines = Path(path).read_text("utf-8").splitlines() if path else []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, password = line.partition(":")
        if not (colon and name and password):
            raise ValueError(f"{path}:{number}: write name:password")
        found[name] = password
    return found


def _mosquitto(out: Path, found: Sequence[Role], known: Mapping[str, str], vhost: str) -> None:
    passwords = access_brokers.mosquitto_passwords(found, known, _read(out / PASSWORD_FILE))
    _write(out / ACL, access_brokers.mosquitto_acl(found))
    _write(out / PASSWORD_FILE, passwords)
    for login in logins(found):
        if f"\n{login}:" not in f"\n{passwords}":
            print(f"{login} has no password yet: mosquitto_passwd {out / PASSWORD_FILE} {login}")
    print("Both have to belong to the broker's user. In mosquitto.conf:\n")
    print("    allow_anonymous false")
    print(f"    acl_file {(out / ACL).resolve()}")
    print(f"    password_file {(out / PASSWORD_FILE).resolve()}")


def _dynsec(out: Path, found: Sequence[Role], known: Mapping[str, str], vhost: str) -> None:
    _write(out / COMMANDS, access_brokers.dynamic_security(found))
    print("Send it as the plug-in's admin, then set the passwords (you are asked for them):\n")
    topic = "'$CONTROL/dynamic-security/v1'"
    print(f"    mosquitto_pub -u ADMIN -P ... -q 1 -t {topic} -f {out / COMMANDS}")
    for login in sorted(logins(found)):
        print(f"    mosquitto_ctrl -u ADMIN dynsec setClientPassword {login}")


def _rabbitmq(out: Path, found: Sequence[Role], known: Mapping[str, str], vhost: str) -> None:
    path = out / DEFINITIONS
    text = access_brokers.rabbitmq_definitions(found, known, _read(path), vhost)
    _write(path, text)
    for login in logins(found):
        if f'"user": "{login}"' not in text:
            print(f"{login} is left out: no password is known, give it with --passwords")
    print(f"Then: rabbitmqctl import_definitions {path}")
    print("In a cluster of RabbitMQ 3, so that a session outlives its node (docs/brokers.md):\n")
    policy = shlex.join(access_brokers.RABBITMQ_MIRRORS)
    print(f"    rabbitmqctl set_policy -p {shlex.quote(vhost)} {policy}")


_WRITERS = {"mosquitto": _mosquitto, "dynsec": _dynsec, "rabbitmq": _rabbitmq}


def _read(path: Path) -> str:
    return path.read_text("utf-8") if path.exists() else ""


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and for its owner's eyes alone; who owned it before, owns it after."""
    path.parent.mkdir(parents=True, exist_ok=True)
    before = path.stat() if path.exists() else None
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(text)
    if before is not None and (before.st_uid, before.st_gid) != (os.getuid(), os.getgid()):
        os.chown(new, before.st_uid, before.st_gid)
    new.replace(path)
    print(f"written: {path}")
