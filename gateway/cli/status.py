"""`tidegate status`: how the gateway on this machine is, with or without a broker."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from gateway.cli import local_page
from gateway.cli.layout import clean, number, size, span
from gateway.cli.problems import EX_CONFIG, add_config, load_or_explain
from gateway.fullness import RAISE

HELP = "Show how the gateway on this machine is: link, queue, disk, devices."
EXAMPLES = """\
tidegate status                          # of /etc/tidegate/gateway.toml
tidegate status my.toml
tidegate status --socket /run/tidegate/status.sock --json"""

INDENT = " " * 11


def configure(parser: argparse.ArgumentParser) -> None:
    add_config(parser)
    parser.add_argument("--socket", default="", metavar="PATH", help="instead of a configuration")
    parser.add_argument("--json", action="store_true", help="print the page as it comes")


def run(args: argparse.Namespace) -> int:
    """0 when it is well, 1 when it does not answer, or is offline or with something out."""
    chosen, state = args.socket, ""
    if not chosen:
        loaded = load_or_explain(args.config)
        if loaded is None:
            return EX_CONFIG
        chosen, state = loaded.settings.gateway.socket, loaded.settings.gateway.state
    document = _ask(chosen, state)
    if document is None:
        return 1
    if args.json:
        print(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        print("\n".join(page(document)))
    return 0 if well(document) else 1


def _ask(chosen: str, state: str) -> Mapping[str, Any] | None:
    said = []
    for path in local_page.candidates(chosen, state):
        try:
            return local_page.status(path)
        except local_page.NoAnswer as error:
            said.append(str(error))
    print(f"tidegate status: no gateway answers here: {'; '.join(said)}", file=sys.stderr)
    print("  is it running? systemctl status tidegate", file=sys.stderr)
    return None


def well(document: Mapping[str, Any]) -> bool:
    link, outbox = document.get("link", {}), document.get("outbox", {})
    return bool(
        link.get("connected")
        and outbox.get("storage") == "ok"
        and not document.get("devices_offline")
        and not document.get("faults")
    )


def page(document: Mapping[str, Any]) -> list[str]:
    """The page for people, as lines."""
    link, outbox, host = (document.get(name, {}) for name in ("link", "outbox", "host"))
    return [
        f"gateway    {clean(str(document.get('gateway')))}   {document.get('version')}   "
        f"up {span(document.get('uptime'))}   run {document.get('epoch')}",
        *_link(link),
        *_outbox(outbox),
        *_faults(document.get("faults", {})),
        *_host(host, str(document.get("clock"))),
        *_devices(document.get("devices", {})),
    ]


def _link(link: Mapping[str, Any]) -> list[str]:
    state = "online" if link.get("connected") else "OFFLINE"
    lines = [
        f"link       {state} since {link.get('since')}   {clean(str(link.get('url')))}"
        f"   MQTT {link.get('protocol')}",
        f"{INDENT}connects {number(link.get('connects'))}   drops {number(link.get('drops'))}"
        f"   today {size(link.get('bytes_out'))} out, {size(link.get('bytes_in'))} in",
    ]
    if link.get("reason"):
        lines.insert(1, f"{INDENT}{clean(str(link['reason']))}")
    if link.get("insecure"):
        lines.append(f"{INDENT}NOT ENCRYPTED: anybody on the way can read and command")
    return lines


def _outbox(box: Mapping[str, Any]) -> list[str]:
    dropped = {name: count for name, count in box.get("dropped", {}).items() if count}
    why = ", ".join(f"{name} {number(count)}" for name, count in sorted(dropped.items()))
    full = box.get("fill", 0.0)
    return [
        f"queue      {number(box.get('kept'))} kept   oldest {span(box.get('oldest_age'))}"
        f"   {size(box.get('bytes_used'))} of {size(box.get('bytes_limit'))}",
        f"{INDENT}full in {span(box.get('time_to_full'))}"
        f"   drained in {span(box.get('time_to_drain'))}",
        *([f"{INDENT}{full:.0%} FULL: when it is full, old readings go"] if full >= RAISE else []),
        f"readings   recorded {number(box.get('recorded'))}"
        f"   inherited {number(box.get('inherited'))}"
        f"   at broker {number(box.get('accepted'))}"
        f"   dropped {number(sum(dropped.values()))}"
        + (f" ({why})" if why else "")
        + f"   shelved {number(box.get('shelved'))}",
        f"disk       {clean(str(box.get('storage')))}"
        f"   written today {size(box.get('written_today'))}",
    ]


def _faults(faults: Mapping[str, Any]) -> list[str]:
    return [f"{clean(name):9}  OUT: {clean(str(why))}" for name, why in sorted(faults.items())]


def _host(host: Mapping[str, Any], clock: str) -> list[str]:
    parts = [f"clock {clock}", f"daemon {size(host.get('memory_used'))}"]
    parts.append(f"free {size(host.get('disk_free'))} disk, {size(host.get('memory_free'))} memory")
    if host.get("cpu_temperature") is not None:
        parts.append(f"CPU {host['cpu_temperature']:.0f} °C")
    if host.get("throttled"):
        parts.append("THROTTLED: check the power supply")
    return [f"machine    {'   '.join(parts)}"]


def _devices(devices: Mapping[str, Mapping[str, Any]]) -> list[str]:
    lines: list[str] = []
    width = max((len(name) for name in devices), default=0)
    for name, device in sorted(devices.items()):
        state = {True: "online", False: "OFFLINE", None: "waiting"}[device.get("online")]
        line = f"{clean(name):{width}}  {state:7}  read {number(device.get('looks'))}"
        if device.get("failures"):
            line += f"   failed {number(device['failures'])}"
        if device.get("corrupt"):
            line += f"   corrupt telegrams {number(device['corrupt'])}"
        if device.get("reason"):
            line += f"   {clean(str(device['reason']))}"
        lines.append((INDENT if lines else "devices    ") + line)
    return lines
