"""What health tells of buses that free themselves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway.clock import SystemClock
from gateway.codecs.base import LinkStatus, Publication
from gateway.codecs.json_ import dialect
from gateway.model import OutboxStats
from gateway.reporter import Reporter
from gateway.state import Store
from tests.gateway.test_metrics import STATS


@dataclass
class Bus:
    held: str = ""
    counts: Mapping[str, int] = field(default_factory=lambda: {"i2c_stuck": 2, "i2c_freed": 1})


class Board:
    """Keeps what is put up; also the books."""

    def __init__(self) -> None:
        self.up: list[Publication] = []

    def notice(self, publication: Publication) -> None:
        self.up.append(publication)

    def status(self) -> LinkStatus:
        return LinkStatus(True, 1000.0, "mqtt://h", "5")

    def stats(self) -> OutboxStats:
        return STATS


def test_health_names_the_held_buses_and_adds_up_what_befell_all(tmp_path: Path) -> None:
    board, store = Board(), Store(tmp_path / "state.db")
    garden = Bus("SDA")
    buses, trouble = {"garden": garden, "house": Bus()}, ["read-only"]
    reporter = Reporter(
        dialect=dialect(root="tidegate", gateway="g", qos={}, restamp=lambda stamp: stamp),
        board=board, books=board, clock=SystemClock(), store=store, anchors={}, state=tmp_path,
        devices=(), recovering=buses, faults={"state": lambda: trouble[0]},
        epoch=1, gateway="g", version="0",
    )  # fmt: skip
    reporter.health()
    said = json.loads(board.up[-1].payload)
    assert said["buses_held"] == ["garden"]
    assert said["faults"] == {"state": "read-only"}
    assert said["events"]["i2c_stuck"] == 4
    assert said["events"]["i2c_freed"] == 2
    garden.held = trouble[0] = ""
    reporter.health()
    assert not {"buses_held", "faults"} & json.loads(board.up[-1].payload).keys()
    assert b"i2c_freed" in reporter.metrics_page().body
    store.close()
