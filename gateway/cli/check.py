"""`tidegate check`: is this configuration right? Says everything that is not."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

from gateway.cli.problems import EX_CONFIG, add_config, render
from gateway.config import ConfigErrors, Problem, load
from gateway.settings import Settings

HELP = "Check a configuration and print every error with its line and a hint."
EXAMPLES = """\
tidegate check ./gateway.toml
tidegate check --json            # for programs, of /etc/tidegate/gateway.toml"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    try:
        settings, warnings = load(args.config)
        errors: tuple[Problem, ...] = ()
    except ConfigErrors as found:
        settings, errors, warnings = None, found.errors, found.warnings
    if args.json:
        print(json.dumps(_as_object(errors, warnings), ensure_ascii=False, indent=2))
    else:
        _print(settings, errors, warnings)
    return EX_CONFIG if errors else 0


def _as_object(errors: Sequence[Problem], warnings: Sequence[Problem]) -> dict[str, Any]:
    return {
        "ok": not errors,
        "errors": [dataclasses.asdict(problem) for problem in errors],
        "warnings": [dataclasses.asdict(problem) for problem in warnings],
    }


def _print(
    settings: Settings | None, errors: Sequence[Problem], warnings: Sequence[Problem]
) -> None:
    for kind, problems in (("", errors), ("warning: ", warnings)):
        for problem in problems:
            print(render(problem, kind))
    found = f"{_counted(len(errors), 'error')}, {_counted(len(warnings), 'warning')}"
    if settings is not None:
        devices = _counted(len(settings.device), "device")
        found = f"gateway {settings.gateway.id} with {devices}: {found}"
    print(found)


def _counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
