"""A state directory that cannot be had at the start, and can be later: the real daemon."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

from gateway.cli import local_page
from gateway.model import Outcome, Result, Stamp
from gateway.state import Store
from tests.brokers import Listener, Mosquitto, eventually
from tests.e2e.test_reload import House


def outcomes(listener: Listener, command: str) -> list[str]:
    said = [json.loads(payload) for payload in listener.of("tidegate/g/pump/result")]
    return [message["outcome"] for message in said if message["id"] == command]


def is_done(listener: Listener, command: str) -> bool:
    return outcomes(listener, command)[-1:] == ["done"]


def send(listener: Listener, command: str) -> None:
    envelope = {"id": command, "value": True}
    listener.publish("tidegate/g/pump/set", json.dumps(envelope))


def last_health(listener: Listener) -> dict[str, Any]:
    heard = listener.of("tidegate/g/health")
    return dict(json.loads(heard[-1])) if heard else {}


def test_it_recovers_while_it_runs_and_no_command_runs_twice(
    broker: Mosquitto, listener: Listener, tmp_path: Path
) -> None:
    """A file where the directory is to be: whoever runs the tests, nothing can be written there."""
    house, state = House(tmp_path, broker), tmp_path / "state"
    text = house.config.read_text().replace("[upstream]", 'health_every = "1s"\n[upstream]')
    house.config.write_text(text)
    state.touch()
    with house.starting() as process:
        eventually(lambda: last_health(listener).get("faults", {}).keys() == {"state", "socket"})
        epoch = last_health(listener)["epoch"]
        listener.wait_for("tidegate/g/pump/state")
        send(listener, "early")
        eventually(lambda: outcomes(listener, "early") == ["refused"])
        state.unlink()
        state.mkdir()
        eventually(lambda: last_health(listener).get("faults", {}) == {})
        eventually(lambda: last_health(listener)["outbox"]["storage"] == "ok")
        assert local_page.status(state / "status.sock", timeout=30)["epoch"] == epoch
        for command in ("early", "late"):
            send(listener, command)
            eventually(partial(is_done, listener, command))
        assert (state / "safe-states").exists()
    assert process.returncode == 0
    assert process.stderr is not None
    said = process.stderr.read()
    for words in ("commands are refused", "can be kept again", "storage fails", "asked again"):
        assert said.count(words) == 1, said
    store = Store(state / "state.db")
    for command in ("early", "late"):
        known = store.known("pump", command, Stamp(0.0, 0.0, "", synchronised=False))
        assert isinstance(known, Result)
        assert known.outcome is Outcome.DONE
    assert store.next_epoch() == epoch + 1
    store.close()
