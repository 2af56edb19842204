"""`tidegate notify`: alarms to people, as messages on their phones.

A process of its own, so that the gateway stays small and does not wait for the internet. It runs on
the Pi or anywhere else that reaches the broker, for any number of gateways.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from gateway import service
from gateway.cli import alerts, push
from gateway.cli.alerts import Alert, Outbound
from gateway.cli.consumer import Arrived, Connected, Consumer, Gone, Unreachable
from gateway.cli.login import Login
from gateway.cli.notify_config import BrokerSettings, NotifySettings, load
from gateway.cli.problems import EX_CONFIG, plainly
from gateway.codecs import sniff
from gateway.config_report import ConfigErrors
from gateway.link.endpoint import parse_endpoint
from gateway.link.tls import TlsFiles

HELP = "Push the gateways' alarms to people: ntfy, Gotify, e-mail and whatever else apprise knows."
EXAMPLES = """\
tidegate notify notify.toml              # until Ctrl-C; docs/notify.md has the file
tidegate notify notify.toml --check      # is the file good
tidegate notify notify.toml --test       # one message to everybody who is named"""

log = logging.getLogger("tidegate.notify")

IDLE = 30.0
"""Seconds between two turns without work."""
DEFAULT_STATE = "/var/lib/tidegate-notify/told.json"
Deliver = Callable[[str, Alert], str]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG")
    parser.add_argument("--state", default=DEFAULT_STATE, metavar="FILE", help="what was told")
    parser.add_argument("--check", action="store_true", help="check the file, and no more")
    parser.add_argument("--test", action="store_true", help="send one message everywhere")


def run(args: argparse.Namespace) -> int:
    try:
        settings = load(args.config)
    except ConfigErrors as errors:
        print(errors, file=sys.stderr)
        return EX_CONFIG
    if args.check:
        return _check(settings)
    if args.test:
        return _test(settings)
    service.set_up_logging("info")
    broker = settings.broker
    try:
        consumer = Consumer(login(broker), [f"{broker.root}/+/alarm/+"], broker.client_id)
        consumer.connect()
    except (Unreachable, ValueError, OSError) as error:
        print(f"tidegate notify: {plainly(error)}", file=sys.stderr)
        return 1
    notifier = Notifier(settings, Path(args.state))
    try:
        while True:
            notifier.turn(consumer)
    finally:
        consumer.close()


def login(broker: BrokerSettings) -> Login:
    """ValueError, OSError."""
    password = ""
    if broker.password_file:
        password = (Path(broker.password_file).read_text("utf-8").splitlines() or [""])[0]
    files = TlsFiles(broker.ca_file, broker.cert_file, broker.key_file)
    endpoint = parse_endpoint(broker.url, broker.insecure)
    return Login(endpoint, broker.username, password, files, broker.protocol)


class Notifier:
    """state: a file with what was told, so that a restart tells nothing twice."""

    def __init__(
        self, settings: NotifySettings, state: Path, deliver: Deliver = push.deliver
    ) -> None:
        self._root = settings.broker.root
        self._state = state
        self._deliver = deliver
        self._saved = _read_state(state)
        self._outbound = Outbound(settings.pushes, self._saved)

    def turn(self, consumer: Consumer, longest: float = IDLE) -> None:
        """Waits for a message or until a push is due, and does what there is to do."""
        wait = min(longest, self._outbound.next() - time.monotonic())
        for event in consumer.events(max(0.01, wait)):
            match event:
                case Arrived():
                    self._take(event)
                    break
                case Gone(reason):
                    log.warning("%s", reason)
                case Connected():
                    log.info("connected")
        self._push()
        self._save()

    def _take(self, message: Arrived) -> None:
        try:
            alert = alerts.read(message.topic, self._root, sniff.loads(message.payload))
        except (ValueError, RecursionError):
            alert = None
        if alert is None:
            log.debug("%r on %s is no alarm", message.payload[:80], message.topic)
            return
        self._outbound.arrived(alert, time.monotonic())

    def _push(self) -> None:
        for job in self._outbound.due(time.monotonic()):
            error = self._deliver(job.push.url, job.alert)
            if not error:
                log.info("%s: told %s", job.push.name, job.alert.title)
            elif self._outbound.failed(job, time.monotonic()):
                log.warning("%s: %s; it is tried again", job.push.name, error)
            else:
                log.error("%s: %s; given up: %s", job.push.name, error, job.alert.title)

    def _save(self) -> None:
        settled = self._outbound.settled()
        if settled == self._saved:
            return
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._state.with_name(self._state.name + ".new")
            fresh.write_text(json.dumps(settled), "utf-8")
            os.replace(fresh, self._state)
            self._saved = settled
        except OSError as error:
            log.error("%s: %s; after a restart alarms may be told again", self._state, error)


def _read_state(file: Path) -> dict[str, alerts.Key]:
    try:
        found = json.loads(file.read_text("utf-8"))
        return {str(topic): (int(epoch), int(seq)) for topic, (epoch, seq) in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        log.warning("%s: %s; standing alarms are told again", file, error)
        return {}


def _check(settings: NotifySettings) -> int:
    wrong = {one.name: push.check(one.url) for one in settings.pushes}
    for name, error in wrong.items():
        print(f"{name}: {error or 'ok'}")
    return 1 if any(wrong.values()) else 0


def _test(settings: NotifySettings) -> int:
    time_ = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    alert = Alert("", "test", "tidegate notify", "raised", "This is only a test.", time_, (0, 0))
    failures = 0
    for one in settings.pushes:
        error = push.deliver(one.url, alert)
        print(f"{one.name}: {error or 'delivered'}")
        failures += bool(error)
    return 1 if failures else 0
