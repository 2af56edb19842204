"""`tidegate doctor`: what stands in the way of this configuration on this machine."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from gateway.cli.diagnosis import FAIL, OK, WARN, Finding, Machine, machine_findings
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain
from gateway.clock import SystemClock
from gateway.settings import Settings

HELP = "Check interfaces, rights, pins, clock, disk and broker; say what mends what is wrong."
EXAMPLES = """\
tidegate doctor                      # of /etc/tidegate/gateway.toml
tidegate doctor ./gateway.toml --offline
sudo -u tidegate tidegate doctor     # as the service's user"""


def configure(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--offline", action="store_true", help="do not ask the broker")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--root", default="/", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """0 without a FAIL, else 1."""
    loaded = load_or_explain(args.config)
    if loaded is None:
        return EX_CONFIG
    machine = Machine(Path(args.root), synchronised=lambda: SystemClock().stamp().synchronised)
    findings = []
    for finding in _all(loaded.settings, machine, args.offline):
        findings.append(finding)
        if not args.json:
            print(_row(finding), flush=True)  # the broker may take its time
    failed = sum(finding.level == FAIL for finding in findings)
    if args.json:
        rows = [asdict(finding) for finding in findings]
        print(json.dumps({"ok": not failed, "findings": rows}, ensure_ascii=False, indent=2))
    else:
        doubtful = sum(finding.level == WARN for finding in findings)
        print(f"\n{failed} to mend, {doubtful} to think about")
    return 1 if failed else 0


def _all(settings: Settings, machine: Machine, offline: bool) -> Iterator[Finding]:
    yield from machine_findings(settings, machine)
    if not offline:
        from gateway.cli.diagnosis_broker import broker_findings

        yield from broker_findings(settings)


def _row(finding: Finding) -> str:
    row = f"{finding.level:4}  {finding.what}"
    return f"{row}\n      mend: {finding.mend}" if finding.mend and finding.level != OK else row
