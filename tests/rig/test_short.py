"""The whole way once, in a few minutes: installed, read, commanded, killed, plug pulled, accounted.

`make rig-short` runs this; every step that `make rig` takes more of is in test_service.py.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.simulated.bme280 import Bme280
from tests.brokers import Listener, Mosquitto
from tests.rig.conftest import Audit, Board, BoardChip, Meter, install, rig_modules

LONG = 600.0
"""Seconds that are waited at most for anything here: an emulated machine on two busy cores."""


@pytest.fixture
def board(package: Path, far_end: Mosquitto) -> Iterator[Board]:
    rig, i2cbus = rig_modules()
    chip = BoardChip(Bme280(temperature=lambda: 21.5), i2cbus.Nak)
    meter = Meter()
    with i2cbus.I2CBus({0x76: chip}) as bus, rig.Guest() as guest:
        board = Board(guest, bus, meter, far_end)
        board.wire()
        yield board
    meter.close()


@pytest.fixture
def audit(far_end: Mosquitto) -> Iterator[Audit]:
    audit = Audit(far_end)
    yield audit
    audit.kill()


def test_the_whole_way(
    board: Board, package: Path, audit: Audit, consumer: Listener, far_end: Mosquitto
) -> None:
    began = time.monotonic()

    def step(what: str) -> None:
        print(f"{time.monotonic() - began:5.0f} s  {what}", flush=True)

    def fresh() -> None:
        topic = "tidegate/rig/climate/data"
        known = len(consumer.of(topic))
        board.wait(lambda: len(consumer.of(topic)) > known, "a reading arrives", LONG)

    def switch_on() -> None:
        board.wait(lambda: done("on"), "the relay goes on", LONG)
        assert board.relay() == 1

    def done(value: str) -> bool:
        return board.send("relay", value).get("outcome") == "done"

    install(board, package, "ring")
    fresh()
    assert b'"temperature":21.5' in consumer.of("tidegate/rig/climate/data")[-1]
    step("installed; a reading of the I2C sensor is at the broker")

    switch_on()
    board.run("systemctl kill -s KILL tidegate")
    board.wait(lambda: board.relay() == 0, "the relay goes off", LONG)
    fresh()
    step("a command moved the line; killed, it went to its stop state, and the service is back")

    switch_on()
    board.cut_and_boot()
    assert board.relay() == 0
    fresh()
    assert board.show("ActiveState") == "active"
    step("the plug was pulled; booted, and readings arrive")

    board.wait(lambda: board.status().get("outbox", {}).get("kept") == 0, "all is sent", LONG)
    status, account = audit.end()
    assert status == 0, account
    step(f"the audit is at zero: {account}")
