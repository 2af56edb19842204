"""Link, broker and gateway fail at random, and the account at the far end closes.

A minute of it in the suite; `make soak` takes ten. What is not done to the broker is SIGKILL: what
mosquitto acknowledged and had not written is then gone, which no gateway can help (README, "what is
promised").
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.brokers import Mosquitto, eventually
from tests.e2e.house import Gateway, audit, configure
from tests.lines import Line

SECONDS = float(os.environ.get("TIDEGATE_SOAK", "60"))
SEED = int(os.environ.get("TIDEGATE_SOAK_SEED", "7"))
RATE = 20.0
COMMIT_WINDOW = 0.5
LINGER = 0.3 * (SEED % 2)
"""Seconds for which readings wait for others: with every second seed."""
WINDOW = 20


class Chaos:
    """One fault after the other, each mended before the next."""

    def __init__(
        self, line: Line, broker: Mosquitto, gateway: Gateway, dice: random.Random
    ) -> None:
        self._line, self._broker, self._gateway, self._dice = line, broker, gateway, dice
        self._began = time.monotonic()
        self._bag: list[Callable[[], None]] = []
        self.kills = 0

    def step(self) -> None:
        if not self._bag:
            self._bag = [
                self.cut,
                self.flap,
                self.swallow,
                self.stall,
                self.away,
                self.restart_broker,
                self.freeze_broker,
                self.kill_gateway,
                self.restart_gateway,
            ]
            self._dice.shuffle(self._bag)
        fault = self._bag.pop()
        print(f"{time.monotonic() - self._began:6.1f} s {fault.__name__}", flush=True)
        fault()
        self._rest(0.5, 4)

    def _rest(self, low: float, high: float) -> None:
        time.sleep(self._dice.uniform(low, high))

    def cut(self) -> None:
        self._line.cut()

    def flap(self) -> None:
        for _ in range(self._dice.randrange(2, 8)):
            self._line.cut()
            self._rest(0.0, 0.6)

    def swallow(self) -> None:
        self._line.swallowing = True
        self._rest(1, 6)
        self._line.swallowing = False
        self._line.cut()  # a stream with a hole in it is no stream

    def stall(self) -> None:
        self._line.flowing.clear()
        self._rest(1, 6)
        self._line.flowing.set()

    def away(self) -> None:
        self._line.down = True
        self._line.cut()
        self._rest(1, 5)
        self._line.down = False

    def restart_broker(self) -> None:
        self._broker.stop()
        self._rest(0, 4)
        self._broker.start()

    def freeze_broker(self) -> None:
        self._broker.freeze()
        self._rest(1, 8)
        self._broker.thaw()

    def kill_gateway(self) -> None:
        self.kills += 1
        self._gateway.end(signal.SIGKILL)
        self._start_gateway()

    def restart_gateway(self) -> None:
        assert self._gateway.end(signal.SIGTERM) == 0
        self._start_gateway()

    def _start_gateway(self) -> None:
        self._rest(0, 2)
        taken = self._line.taken
        self._gateway.start()
        # Not before it is up does it know what to do with a signal.
        eventually(lambda: self._line.taken > taken, "the gateway connects")


@pytest.fixture
def lasting(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that keeps sessions over its own restart."""
    options = ("persistence true", f"persistence_location {tmp_path}/", "max_queued_messages 0")
    mosquitto = Mosquitto(tmp_path, *options, "user root" if os.getuid() == 0 else "")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.mark.timeout(SECONDS + 600)
def test_soak(lasting: Mosquitto, tmp_path: Path) -> None:
    dice = random.Random(SEED)
    store, history = dice.choice(["sqlite", "ring"]), dice.choice(["batch", "same-topic"])
    print(
        f"\n{SECONDS:g} s, seed {SEED}, journal {store}, history {history}, linger {LINGER}",
        flush=True,
    )
    with Line(lasting.port) as line:
        config = configure(tmp_path, line.url, store=store, rate=RATE, commit_every=COMMIT_WINDOW)
        more = f'window = {WINDOW}\nhistory = "{history}"\nlinger = {LINGER}\n\n[outbox]'
        text = config.read_text().replace("[outbox]", more)
        config.write_text(text.replace('name = "attic"\n', 'name = "attic"\nqos = 2\n'))
        gateway = Gateway(config)
        gateway.start()
        try:
            eventually(lambda: line.taken > 0, "the gateway connects")
            status, before = audit(lasting, "--until-settled", "--for", "60")
            assert status == 0, before
            chaos = Chaos(line, lasting, gateway, dice)
            until = time.monotonic() + SECONDS
            while time.monotonic() < until:
                chaos.step()
                assert gateway.status is None, "the gateway ended by itself"
            status, after = audit(lasting, "--until-settled", "--for", "240")
        finally:
            gateway.kill()
    print(after, flush=True)
    assert status == 0, after
    assert after["missing"] == [], after
    explained = after["explained"]
    assert isinstance(explained, dict)
    # A kill takes what was not committed: a window's worth, with a margin for a busy machine.
    assert set(explained) <= {"crash"}, after
    assert sum(explained.values()) <= chaos.kills * RATE * COMMIT_WINDOW * 10, after
    received = after["received"]
    assert isinstance(received, int) and received > SECONDS * RATE / 10
    if history == "same-topic":
        doubles = after["duplicates"]
        assert isinstance(doubles, int) and doubles <= line.taken * WINDOW
