"""A state that could not be kept at the start, and can be later."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gateway.desk import LEDGER, WHOLE
from gateway.lock import hold
from gateway.mending import Mender
from gateway.state import Store


class Gateway:
    """A gateway whose state directory is a file for now; and what it says."""

    def __init__(self, folder: Path) -> None:
        self.directory = folder / "state"
        self.directory.touch()
        self.store = Store(self.directory / "state.db")
        self.epoch = self.store.next_epoch()
        self.alarms: list[tuple[str, bool, str]] = []
        self.mender = Mender(
            self.store,
            self.directory,
            False,
            self.leave,
            lambda *alarm: self.alarms.append(alarm),
        )

    def leave(self) -> None:
        (self.directory / "safe-states").write_text("x")

    def comes(self) -> None:
        self.directory.unlink()
        self.directory.mkdir()


@pytest.fixture
def gateway(tmp_path: Path) -> Gateway:
    return Gateway(tmp_path)


def test_it_is_tried_again_and_told_once(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        gateway.mender.look()
    assert gateway.store.volatile
    gateway.comes()
    for _ in range(3):
        gateway.mender.look()
    assert gateway.store.volatile == ""
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert gateway.alarms == [(LEDGER, False, WHOLE)]
    assert (gateway.directory / "safe-states").read_text() == "x"
    gateway.store.close()
    assert Store(gateway.directory / "state.db").next_epoch() == gateway.epoch + 1


def test_what_needs_a_restart_is_told_once_and_left_alone(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.comes()
    other = Store(gateway.directory / "state.db")
    epoch = other.next_epoch()
    other.close()
    for _ in range(3):
        gateway.mender.look()
    (said,) = caplog.records
    assert "systemctl restart" in said.message
    assert gateway.alarms == [(LEDGER, True, gateway.store.volatile)]
    assert not (gateway.directory / "safe-states").exists()
    assert Store(gateway.directory / "state.db").last_epoch() == epoch


def test_a_directory_that_another_gateway_has_is_left_to_it(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.comes()
    hold(gateway.directory)  # flock(2): another description of the same file is another holder
    for _ in range(3):
        gateway.mender.look()
    (said,) = caplog.records
    assert "another gateway" in said.message
    assert gateway.store.volatile
    assert not (gateway.directory / "state.db").exists()


def test_a_disk_that_takes_the_state_alone_is_told(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    gateway.comes()
    (gateway.directory / "safe-states").mkdir()
    gateway.mender.look()
    assert gateway.store.volatile == ""
    assert "no states for after a crash" in caplog.records[-1].message
