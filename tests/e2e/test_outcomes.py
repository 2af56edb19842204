"""Every answer that a command can get, over a real broker from a real daemon."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from tests.brokers import Listener, Mosquitto, eventually

LONG = 60.0
CONFIG = """
[gateway]
id = "g"
state = "{state}"
health_every = "1s"
[upstream]
url = "{url}"
[site]
battery_clock = true
[[bus]]
name = "pins"
kind = "gpio"
device = "mock"
[[bus]]
name = "nowhere"
kind = "gpio"
device = "/dev/gpiochip9"
[[device]]
name = "lamp"
driver = "relay"
bus = "pins"
pin = 4
interval = 1
[[device]]
name = "pump"
driver = "relay"
bus = "pins"
pin = 5
interval = 1
min_off = "1h"
[[device]]
name = "door"
driver = "relay"
bus = "pins"
pin = 6
pulse = 30
command_ttl = "5min"
[[device]]
name = "bell"
driver = "relay"
bus = "pins"
pin = 7
pulse = 6
[[device]]
name = "unplugged"
driver = "relay"
bus = "nowhere"
pin = 8
"""


class House:
    def __init__(self, folder: Path, broker: Mosquitto, listener: Listener) -> None:
        self._config = folder / "gateway.toml"
        self._config.write_text(CONFIG.format(state=folder / "state", url=broker.url), "utf-8")
        self._listener = listener
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        count = len(self._listener.of("tidegate/g/session"))
        command = [sys.executable, "-m", "gateway", "run", str(self._config)]
        self.process = subprocess.Popen(command)
        eventually(lambda: self._sessions() > count, "a session", LONG)

    def _sessions(self) -> int:
        return sum(b'"nonce":"' in told for told in self._listener.of("tidegate/g/session"))

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(LONG)

    def send(self, device: str, properties: Properties | None = None, **fields: object) -> None:
        payload = json.dumps({"value": True, **fields})
        self._listener.publish(f"tidegate/g/{device}/set", payload, properties=properties)

    def answers(self, device: str, command_id: str) -> list[dict[str, Any]]:
        told = [json.loads(one) for one in self._listener.of(f"tidegate/g/{device}/result")]
        return [one for one in told if one["id"] == command_id]

    def outcomes(self, device: str, command_id: str) -> list[str]:
        return [answer["outcome"] for answer in self.answers(device, command_id)]

    def answer(self, device: str, command_id: str, count: int = 1) -> dict[str, Any]:
        what = f"{count} answers to {command_id}"
        eventually(lambda: len(self.answers(device, command_id)) >= count, what, LONG)
        return self.answers(device, command_id)[count - 1]


@pytest.fixture
def house(tmp_path: Path, broker: Mosquitto, listener: Listener) -> Iterator[House]:
    made = House(tmp_path, broker, listener)
    made.start()
    yield made
    made.kill()


def test_done_refused_expired_failed(house: House, listener: Listener) -> None:
    given = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    given.ResponseTopic, given.CorrelationData = "tidegate/g/reply/me", b"42"
    house.send("lamp", given, id="a1")
    answer = house.answer("lamp", "a1")
    assert (answer["outcome"], answer["state"]) == ("done", True)
    [reply] = [json.loads(p) for p in listener.wait_for("tidegate/g/reply/me")]
    assert reply == answer
    state = json.loads(listener.of("tidegate/g/lamp/state")[-1])
    assert (state["value"], state["cause"]) == (True, "a1")

    house.send("pump", id="a2")
    answer = house.answer("pump", "a2")
    assert answer["outcome"] == "refused" and answer["reason"].startswith("min_off")

    house.send("lamp", id="a3", value=False, expires=time.time() - 60)
    answer = house.answer("lamp", "a3")
    assert answer["outcome"] == "expired" and re.search(r"\b\d\d s ago", answer["reason"])

    house.send("lamp", id="a4", nonce="0123456789abcdef")
    assert house.answer("lamp", "a4")["outcome"] == "expired"

    house.send("unplugged", id="a5")
    answer = house.answer("unplugged", "a5")
    assert answer["outcome"] == "failed" and answer["reason"]

    house.send("lamp", id="a6", value="dim")
    assert house.answer("lamp", "a6")["outcome"] == "refused"
    listener.publish("tidegate/g/lamp/set", "OFF", retain=True)
    eventually(lambda: b"retain" in listener.of("tidegate/g/lamp/result")[-1], "", LONG)
    house.send("nobody", id="a7")
    assert house.answer("nobody", "a7")["reason"] == "no such appliance"
    assert json.loads(listener.of("tidegate/g/lamp/state")[-1])["value"] is True, "only a1 acted"


def test_accepted_and_indeterminate(house: House, listener: Listener) -> None:
    house.send("bell", id="b1")
    assert house.answer("bell", "b1")["outcome"] == "accepted"
    assert house.answer("bell", "b1", 2)["outcome"] == "done"

    house.send("door", id="b2")
    assert house.answer("door", "b2")["outcome"] == "accepted"
    house.kill()  # while the door is being opened
    house.start()
    eventually(lambda: house.outcomes("door", "b2")[-1] == "indeterminate", "the answer", LONG)
    assert "not repeated" in house.answers("door", "b2")[-1]["reason"]
    # Sent again by whoever did not hear it: the same answer, and no second pulse.
    count = len(house.answers("door", "b2"))
    house.send("door", id="b2")
    house.answer("door", "b2", count + 1)
    assert set(house.outcomes("door", "b2")) == {"accepted", "indeterminate"}


def test_a_flood_is_answered_once_a_second_and_the_rest_works(
    house: House, listener: Listener
) -> None:
    """Case 46. 5 a second are taken, 20 at once; others are not disturbed."""
    began = time.monotonic()
    for number in range(400):
        listener.client.publish("tidegate/g/lamp/set", json.dumps({"id": f"f{number}", "value": 1}))
    house.send("bell", id="c1")
    assert house.answer("bell", "c1")["outcome"] in ("accepted", "done")
    eventually(lambda: b"too many" in b"".join(listener.of("tidegate/g/lamp/result")), "", LONG)
    house.send("bell", id="c2")
    house.answer("bell", "c2")
    told = [json.loads(one) for one in listener.of("tidegate/g/lamp/result")]
    seconds = time.monotonic() - began
    assert sum("too many" in one.get("reason", "") for one in told) <= seconds + 2
    assert sum(one["outcome"] == "done" for one in told) <= 20 + 5 * seconds + 2
