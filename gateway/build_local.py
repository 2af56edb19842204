"""The part of the composition root for those on this machine: the status socket and its pages."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from gateway.local import Door, Local, Pages, listen_tcp, listen_unix, socket_path
from gateway.reporter import Faults, Reporter
from gateway.settings import GatewaySettings


def make_local(gateway: GatewaySettings, reporter: Reporter, faults: Faults) -> Local:
    """Where nothing can be listened on that is said, and the readings flow all the same."""
    pages: Pages = {"/status": reporter.status_page, "/metrics": reporter.metrics_page}
    path = socket_path(gateway.socket, Path(gateway.state))
    doors = [Door(partial(listen_unix, path), pages)]
    if gateway.metrics:
        host, _, port = gateway.metrics.rpartition(":")
        shown: Pages = {"/metrics": reporter.metrics_page}
        doors.append(Door(partial(listen_tcp, host.strip("[]"), int(port)), shown))
    local = Local(doors)
    faults["socket"] = lambda: local.missing
    return local
