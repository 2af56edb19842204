"""What the demo puts on: broker, gate, meter, gateway, consumer, and what can be done to them."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.cli import local_page
from gateway.cli.account import GatewayAccount
from gateway.cli.board import Board, Cell, Device, Gateway
from gateway.cli.consumer import Arrived, Consumer
from gateway.cli.demo_broker import HOST, Broker, Gate
from gateway.cli.demo_house import CAPTURE, House
from gateway.cli.demo_player import Player
from gateway.cli.demo_room import Room
from gateway.cli.login import Login
from gateway.cli.messages import Fact, Notice, Numbered, read
from gateway.cli.statement import Report
from gateway.link.endpoint import parse_endpoint

ROOT = "tidegate"
GATEWAY = "demo"
RELAY = "relay"
COOLER = "cooler"
RULE = "rule cool-the-room"
QUIET = 0.3
"""Seconds without a message after which the broker has handed over all it acknowledged."""
LOOK_EVERY = 0.5
"""Seconds between two looks at the gateway's own status, which shows its queue without a broker."""
DRAIN_TIMEOUT = 3.0
SETTLE_TIMEOUT = 10.0


class Stage:
    """say: told what happens, a line at a time."""

    def __init__(self, directory: Path, say: Callable[[str], None]) -> None:
        self.board = Board()
        self.account = GatewayAccount(GATEWAY, whole=True)
        self.commands: dict[str, str] = {}
        """Command id to outcome, empty while there is none."""
        self.stops = 0
        self.first_reading: float | None = None
        """Seconds from the gateway's start to the first reading at the consumer."""
        self.stopped_at: float | None = None
        """When the broker was stopped; None while it runs."""
        self.room = Room()
        self.coolings = 0
        """How often the rule has started the cooler."""
        self._heat = directory / "heat"
        self._warmed_at = time.monotonic()
        self._say = say
        self._nonce: str | None = None
        self._consumer: Consumer | None = None
        self._broker = Broker()
        self._gate = Gate()
        self._looked = 0.0
        self._player = Player(CAPTURE, directory / "meter")
        self.house = House(directory, f"mqtt://{HOST}:{self._gate.port}")

    def open(self) -> None:
        """BrokerFailed, Unreachable."""
        self.start_broker()
        self.house.start()
        self._say("the gateway starts, a process of its own")

    def start_broker(self) -> None:
        """The consumer subscribes before the gateway can send."""
        self._broker.start()
        endpoint = parse_endpoint(f"mqtt://{HOST}:{self._broker.port}")
        consumer = Consumer(Login(endpoint, protocol="3.1.1"), [f"{ROOT}/{GATEWAY}/#"])
        consumer.connect()
        self._consumer = consumer
        self._nonce = None
        self._gate.open(self._broker.port)
        self.stopped_at = None
        self._say("the broker runs")

    def stop_broker(self) -> None:
        """Cuts the gateway off, fetches what was acknowledged, and ends the broker."""
        self._gate.shut()
        self.drain()
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
        self._broker.stop()
        self.stops += 1
        self.stopped_at = time.monotonic()
        self._say("the broker is stopped; the gateway keeps what it records")

    def switch(self) -> None:
        """The relay to the other side, by an MQTT command with an absolute value."""
        if self._consumer is None or self._nonce is None:
            self._say("the gateway is not connected: no command")
            return
        wanted = self.relay is not True
        command = {"id": uuid.uuid4().hex[:8], "value": wanted, "nonce": self._nonce}
        self.commands[str(command["id"])] = ""
        self._consumer.publish(f"{ROOT}/{GATEWAY}/{RELAY}/set", json.dumps(command).encode())
        self._say(f"command: relay {'on' if wanted else 'off'}")

    def heat(self) -> None:
        """Switches the room's heater; what comes of it is the rule's."""
        self.room.heated = not self.room.heated
        self._say(f"heater: {'on' if self.room.heated else 'off'}")

    @property
    def reachable(self) -> bool:
        """Whether the gateway has a session on the broker that runs: a command would reach it."""
        return self._nonce is not None

    @property
    def relay(self) -> object:
        """The relay's state as last read back."""
        return self._state(RELAY)

    def _state(self, output: str) -> object:
        device = self.board.gateways.get(GATEWAY, Gateway()).devices.get(output, Device())
        return device.cells.get(device.output, Cell()).value

    def turn(self, seconds: float) -> None:
        """Takes in what comes within so many seconds. GatewayFailed."""
        self.house.check()
        self._listen(seconds)
        self._warm()
        self._look(time.monotonic())

    def _warm(self) -> None:
        """The room gets warmer or colder; the gateway's thermometer reads it from a file."""
        now, before = time.monotonic(), self._warmed_at
        self._warmed_at = now
        self.room.pass_time(now - before, self._state(COOLER) is True)
        part = self._heat.with_suffix(".part")
        part.write_text(f"{self.room.warmth:.2f}", "ascii")
        part.replace(self._heat)

    def _look(self, now: float) -> None:
        """At the gateway's status socket: how full its queue is while no broker tells."""
        if now - self._looked < LOOK_EVERY:
            return
        self._looked = now
        try:
            status = local_page.status(self.house.socket, LOOK_EVERY)
        except local_page.NoAnswer:
            return  # it starts or stops; what it said last stays, with its age
        self.board.observe(Notice(GATEWAY, "health", status), now)

    def _listen(self, seconds: float) -> int:
        if self._consumer is None:
            time.sleep(seconds)
            return 0
        count = 0
        for event in self._consumer.events(seconds):
            if isinstance(event, Arrived):
                count += 1
                for fact in read(ROOT, event.topic, event.payload, event.retained):
                    self._take(fact, event.at)
        return count

    def _take(self, fact: Fact, now: float) -> None:
        self.board.observe(fact, now)
        self.account.observe(fact, now)
        if isinstance(fact, Notice) and fact.topic == "session":
            self._nonce = fact.fields.get("nonce")
        if not isinstance(fact, Numbered):
            return
        if fact.kind == "data" and self.first_reading is None:
            self.first_reading = now - self.house.started
        if fact.kind == "result" and fact.fields.get("source") == RULE:
            self._ruled(fact.fields)
        if fact.kind == "result" and not self.commands.get(str(fact.fields.get("id")), "-"):
            self.commands[str(fact.fields["id"])] = str(fact.fields.get("outcome"))
            self._say(f"result: {fact.fields.get('outcome')}")

    def _ruled(self, fields: Mapping[str, Any]) -> None:
        if fields.get("outcome") == "done":
            on = fields.get("state") is True
            self.coolings += on
            self._say(f"rule: the cooler {'starts' if on else 'stops'}")

    def drain(self) -> None:
        """Until nothing comes any more."""
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while time.monotonic() < deadline and self._listen(QUIET):
            pass

    def settle(self) -> Report:
        """The end: stops the gateway, and has every number up to its last one accounted for.

        What a run recorded last is on its disk when it stops. So the gateway is started once more,
        without devices: it sends the rest, and its `about` says where the run before it ended.
        """
        if self.stopped_at is not None:
            self.start_broker()
        self._wait(lambda report: report.settled)
        self.house.stop()
        self._listen(QUIET)
        ended = self.account.report(time.monotonic()).epoch or 0
        self.house.start_emptying(GATEWAY)
        self._wait(lambda report: (report.epoch or 0) > ended and report.settled)
        self.house.stop()
        self.drain()
        return self.account.report(time.monotonic(), final=True)

    def _wait(self, done: Callable[[Report], bool]) -> None:
        deadline = time.monotonic() + SETTLE_TIMEOUT
        while time.monotonic() < deadline:
            self.turn(0.1)
            if done(self.account.report(time.monotonic())):
                return

    def close(self) -> None:
        """Everything ends, whatever happened before."""
        self.house.kill()
        self._gate.shut()
        if self._consumer is not None:
            self._consumer.close()
        self._broker.stop()
        self._player.close()
