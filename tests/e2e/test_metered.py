"""The budget of a metered link's day, over restarts of the real daemon."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateway.cli import local_page
from gateway.metered import SHARE
from gateway.state import Store
from tests.brokers import Mosquitto, eventually
from tests.e2e.house import Gateway, configure

BUDGET = 1_000_000


@contextmanager
def running(config: Path, end: signal.Signals) -> Iterator[Path]:
    """The status socket of a gateway, which is connected and ended so."""
    gateway, socket = Gateway(config), config.parent / "state" / "status.sock"

    def connected() -> bool:
        try:
            return bool(local_page.status(socket)["link"]["connected"])
        except local_page.NoAnswer:
            return False

    gateway.start()
    try:
        eventually(connected)
        yield socket
        gateway.end(end)
    finally:
        gateway.kill()


def sent(socket: Path) -> int:
    return int(local_page.status(socket)["link"]["bytes_out"])


@pytest.mark.parametrize("budget", [BUDGET, 0])
def test_a_restart_and_a_crash_go_on_with_the_days_count(
    broker: Mosquitto, tmp_path: Path, budget: int
) -> None:
    config = configure(tmp_path, broker.url, store="ring", rate=10, commit_every=1)
    text = config.read_text().replace("[outbox]", f"daily_bytes = {budget}\n\n[outbox]")
    config.write_text(text)
    with running(config, signal.SIGTERM) as socket:
        eventually(lambda: sent(socket) > 10_000)
    state = Store(tmp_path / "state" / "state.db")
    noted = state.recall("link")
    state.close()
    if not budget:
        assert noted == {}
        return
    assert noted["day"][1] > 10_000
    assert noted["day"][3] == 0
    with running(config, signal.SIGKILL) as socket:
        assert sent(socket) > noted["day"][1]
    state = Store(tmp_path / "state" / "state.db")
    (_, out, _, assumed) = state.recall("link")["day"]
    state.close()
    assert out >= noted["day"][1]
    assert assumed == SHARE * budget
