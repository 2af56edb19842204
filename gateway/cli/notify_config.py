"""The configuration of `tidegate notify`: a broker, and where alarms are pushed to."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from drivers.base import Option
from gateway.cli.alerts import STATES, Push
from gateway.config_lines import positions
from gateway.config_report import ConfigErrors, Place, Problem, Report
from gateway.config_values import INVALID, read_fields, refuse_unknown, substitute


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings:
    url: Annotated[str, Option("mqtts://host, mqtt://localhost, ...")]
    root: Annotated[str, Option("first level of the gateways' topics")] = "tidegate"
    client_id: Annotated[str, Option("unique at the broker, which keeps alarms for it")] = (
        "tidegate-notify"
    )
    username: Annotated[str, Option("login name, empty for none")] = ""
    password_file: Annotated[str, Option("file with the password on its first line")] = ""
    ca_file: Annotated[str, Option("PEM file of trusted CAs instead of the system's")] = ""
    cert_file: Annotated[str, Option("PEM client certificate")] = ""
    key_file: Annotated[str, Option("PEM private key")] = ""
    insecure: Annotated[bool, Option("allow plain text to another machine")] = False
    protocol: Annotated[str, Option("MQTT version", choices=("auto", "5", "3.1.1"))] = "auto"


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    name: Annotated[str, Option("for the log")]
    url: Annotated[str, Option("as apprise has it: ntfy://, gotify://, ...", secret=True)] = ""
    url_file: Annotated[str, Option("file with the URL on its first line")] = ""
    gateways: Annotated[tuple[str, ...], Option("which, as in a shell")] = ("*",)
    alarms: Annotated[tuple[str, ...], Option("which, as in a shell")] = ("*",)
    states: Annotated[tuple[str, ...], Option("of an alarm", choices=STATES)] = (
        "raised",
        "cleared",
    )


@dataclass(frozen=True, slots=True)
class NotifySettings:
    broker: BrokerSettings
    pushes: tuple[Push, ...]


def load(path: str, env: Mapping[str, str] = os.environ) -> NotifySettings:
    """ConfigErrors holds everything that is wrong."""
    try:
        text = Path(path).read_text("utf-8")
        raw = tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise ConfigErrors([Problem(path, 0, 0, "", str(error))]) from error
    report = Report(path, text.split("\n"), positions(text), raw)
    root = Place(report)
    document = substitute(raw, env, root)
    refuse_unknown(document, ("broker", "push"), root)
    broker = read_fields(BrokerSettings, document.get("broker", {}), root.at("broker"))
    tables = document.get("push", [])
    if not isinstance(tables, list) or not tables:
        root.at("push").error("is missing: nobody would be told", "add a [[push]] with a url")
        tables = []
    pushes = [_push(table, root.at("push", index)) for index, table in enumerate(tables)]
    report.raise_errors()
    return NotifySettings(broker, tuple(push for push in pushes if push is not None))


def _push(table: Any, place: Place) -> Push | None:
    settings = read_fields(PushSettings, table, place)
    if settings is INVALID:
        return None
    url = settings.url
    if bool(url) == bool(settings.url_file):
        place.error("needs either url or url_file")
    elif settings.url_file:
        try:
            url = (Path(settings.url_file).read_text("utf-8").splitlines() or [""])[0].strip()
        except (OSError, ValueError) as error:
            place.at("url_file").error(str(error))
    return Push(settings.name, url, settings.gateways, settings.alarms, settings.states)
