"""The commands to the gateway itself that need more of the house than `control` has."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway import housekeeping, wiping
from gateway.codecs.base import Publication
from gateway.model import OutboxStats, Quality, Sample
from gateway.orders import Done, Handler
from gateway.settings import Settings

log = logging.getLogger(__name__)

SENT_WITHIN = 15.0
"""Seconds for the answer to a wipe to reach the broker, before all is deleted."""
BUNDLE_TIMEOUT = 120.0
LARGEST_BUNDLE = 512 * 1024
IN_USE = "config-in-use.toml"


class Board(Protocol):
    def notice(self, publication: Publication) -> None: ...


@dataclass(slots=True)
class Position:
    """Where the gateway is, by the last good reading of a device that knows."""

    latitude: float | None = None
    longitude: float | None = None

    def watch(self, append: Callable[[Sample], object]) -> Callable[[Sample], object]:
        """Passes samples on, and keeps a position that is in one."""

        def watching(sample: Sample) -> object:
            found = {r.channel: r.value for r in sample.readings if r.quality is Quality.GOOD}
            latitude, longitude = found.get("latitude"), found.get("longitude")
            if isinstance(latitude, float) and isinstance(longitude, float):
                self.latitude, self.longitude = latitude, longitude
            return append(sample)

        return watching

    def __str__(self) -> str:
        if self.latitude is None or self.longitude is None:
            return ""
        return f"latitude {self.latitude:.6f}, longitude {self.longitude:.6f}"


def make_handlers(
    settings: Settings,
    position: Position,
    stats: Callable[[], OutboxStats],
    board: Callable[[], Board],
    leds: Path = housekeeping.LEDS,
) -> dict[str, Handler]:
    """By the order's name. board: where a bundle is published, asked for only then."""
    state = Path(settings.gateway.state)

    def locate(argument: str) -> Done:
        try:
            text = housekeeping.locate(leds).text
        except OSError as error:
            if not str(position):
                raise
            text = str(error)
        return Done(f"{text}; {position}" if str(position) else text)

    def wipe(argument: str) -> Done:
        if argument != settings.gateway.id:
            raise ValueError(f"to be sure: write `wipe {settings.gateway.id}`")
        secrets = wiping.secrets_of(settings, "")
        staying = wiping.cannot_go(secrets)
        wiping.ask(state)
        left = f"; these have to be deleted by hand: {', '.join(map(str, staying))}"
        text = "outputs go off; then journal, ledger and keys are deleted"
        return Done(text + (left if staying else ""), lambda: _aside(lambda: _end_when_sent(stats)))

    def diagnostics(argument: str) -> Done:
        topic = f"{settings.upstream.root}/{settings.gateway.id}/diagnostics"
        _aside(lambda: _publish_bundle(state, topic, board()))
        return Done(f"collected now, and then published to {topic}")

    own = {"locate": locate, "wipe": wipe, "diagnostics": diagnostics}
    return {**housekeeping.handlers(leds), **own}


def _aside(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="order", daemon=True).start()


def _end_when_sent(stats: Callable[[], OutboxStats]) -> None:
    until = time.monotonic() + SENT_WITHIN
    while stats().kept and time.monotonic() < until:
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGTERM)


def _publish_bundle(state: Path, topic: str, board: Board) -> None:
    bundle = state / "support.tar.gz"
    command = [sys.executable, "-m", "gateway", "support", "--output", str(bundle)]
    try:
        subprocess.run(
            [*command, str(state / IN_USE)],
            capture_output=True,
            timeout=BUNDLE_TIMEOUT,
            check=True,
        )
        content = bundle.read_bytes()
    except (OSError, subprocess.SubprocessError) as error:
        log.error("no diagnostics: %s", error)
        return
    if len(content) > LARGEST_BUNDLE:
        log.error("diagnostics of %d bytes are too many to publish: %s", len(content), bundle)
        return
    board.notice(Publication(topic, content, content_type="application/gzip"))
