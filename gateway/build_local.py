"""The part of the composition root for those on this machine: the status socket and its pages."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from pathlib import Path

from gateway.local import Local, LocalError, Pages, listen_tcp, listen_unix, socket_path
from gateway.reporter import Reporter
from gateway.settings import GatewaySettings

log = logging.getLogger(__name__)


def make_local(gateway: GatewaySettings, reporter: Reporter) -> Local | None:
    """None where nothing can be listened on: said once, and the readings flow all the same."""
    pages: Pages = {"/status": reporter.status_page, "/metrics": reporter.metrics_page}
    path = socket_path(gateway.socket, Path(gateway.state))
    doors = [(door, pages) for door in _opened(lambda: listen_unix(path))]
    if gateway.metrics:
        host, _, port = gateway.metrics.rpartition(":")
        address = (host.strip("[]"), int(port))
        shown: Pages = {"/metrics": reporter.metrics_page}
        doors += [(door, shown) for door in _opened(lambda: listen_tcp(*address))]
    return Local(doors) if doors else None


def _opened(listen: Callable[[], socket.socket]) -> list[socket.socket]:
    try:
        return [listen()]
    except LocalError as error:
        log.error("%s; going on without", error)
        return []
