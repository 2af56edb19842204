"""The service on a real kernel under a real systemd: it works, and it comes back by itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from drivers.simulated.bme280 import Bme280
from tests.brokers import Listener, Mosquitto
from tests.rig.conftest import Board, BoardChip, install, play, rig_modules


@pytest.fixture(scope="module")
def board(package: Path, far_end: Mosquitto) -> Iterator[Board]:
    rig, i2cbus = rig_modules()
    chip = Bme280(temperature=lambda: 21.5)
    stopping = threading.Event()
    with i2cbus.I2CBus({0x76: BoardChip(chip, i2cbus.Nak)}) as bus, rig.Guest() as guest:
        meter = threading.Thread(target=play, args=(guest, stopping), daemon=True)
        meter.start()
        guest.plug_usb_device(bus.port)
        made = Board(guest, far_end, chip)
        install(made, package, "ring")
        yield made
        stopping.set()
        meter.join(10)


def test_readings_of_every_bus_arrive(board: Board, consumer: Listener) -> None:
    for device in ("climate", "meter", "machine"):
        consumer.wait_for(f"tidegate/rig/{device}/data", 2)
    assert b'"temperature":21.5' in consumer.of("tidegate/rig/climate/data")[-1]


def test_a_command_moves_the_line_and_is_read_back(board: Board, consumer: Listener) -> None:
    assert board.relay() == 0
    assert board.send("relay", "on")["outcome"] == "done"
    assert board.relay() == 1
    assert board.send("relay", "off")["state"] is False
    assert board.relay() == 0
