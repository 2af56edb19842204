"""The demo's parts, and the whole of it for a few seconds."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.cli.demo_broker import HOST, Gate, free_port
from gateway.cli.demo_house import CAPTURE, CONFIG
from gateway.cli.demo_player import NoTelegram, Player, telegrams
from gateway.cli.demo_summary import complete, obeyed, summary
from gateway.cli.statement import Missing, Report
from gateway.config import load
from tests.brokers import eventually

FULL = Report(
    gateway="demo",
    online=True,
    epoch=2,
    last_seq=0,
    numbered=1312,
    received=1312,
    earlier=0,
    history=48,
    duplicates=3,
    disordered=0,
    pending=0,
    explained={},
    missing=(),
    waiting=0,
    blind=0,
)


def report(**changes: object) -> Report:
    values = {name: getattr(FULL, name) for name in Report.__dataclass_fields__}
    return Report(**(values | changes))


def test_the_capture_holds_whole_telegrams_and_the_broken_last_one_is_left_out() -> None:
    capture = CAPTURE.read_bytes()
    found = telegrams(capture)
    assert [len(telegram) for telegram in found] == [384] * 10
    assert b"".join(found) == capture[: 10 * 384]
    with pytest.raises(NoTelegram):
        telegrams(capture[:100])


def test_the_player_plays_to_whoever_opens_the_port(tmp_path: Path) -> None:
    link = tmp_path / "meter"
    player = Player(CAPTURE, link)
    port = os.open(link, os.O_RDONLY | os.O_NOCTTY)
    try:
        heard = b""
        while len(heard) < 384:
            heard += os.read(port, 4096)
        assert heard[:384] == telegrams(CAPTURE.read_bytes())[0]
    finally:
        os.close(port)
        player.close()


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that says everything back; its port."""
    with socket.create_server((HOST, 0)) as server:
        command = "import socket, sys; s = socket.socket(fileno=int(sys.argv[1]))\n"
        command += "while True:\n c, _ = s.accept()\n while d := c.recv(99): c.sendall(d)\n"
        number = server.fileno()
        process = subprocess.Popen([sys.executable, "-c", command, str(number)], pass_fds=[number])
        yield server.getsockname()[1]
        process.kill()
        process.wait()


def test_the_gate_leads_through_while_open_and_refuses_and_cuts_when_shut(echo: int) -> None:
    gate = Gate()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, gate.port))
    for _ in range(2):
        gate.open(echo)
        with socket.create_connection((HOST, gate.port)) as client:
            client.sendall(b"hello")
            assert client.recv(99) == b"hello"
            gate.shut()
            client.settimeout(30)
            assert client.recv(99) == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((HOST, gate.port))


def test_a_gate_to_nowhere_hangs_up() -> None:
    gate = Gate()
    gate.open(free_port())
    with socket.create_connection((HOST, gate.port), timeout=30) as client:
        assert client.recv(99) == b""
    gate.shut()


def test_only_a_complete_account_is_called_complete() -> None:
    assert complete(FULL)
    assert not complete(report(received=1311, pending=1))
    assert not complete(report(received=1311, explained={"oldest": 1}))
    assert not complete(report(numbered=0, received=0))


def test_the_summary_says_what_is_missing_and_why() -> None:
    absent = report(received=1309, explained={"oldest": 1}, missing=(Missing(1, 7, 8),))
    text = summary(absent, {"a": "done", "b": ""}, seconds=20, stops=1, first_reading=0.9)
    assert (
        "missing                     3   1 oldest, 2 without explanation (epoch 1: 7 to 8)" in text
    )
    assert "NOT every reading" in text and "NOT every command" in text
    assert not obeyed({"b": ""})


def test_the_configuration_is_right(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TIDEGATE_DEMO_DIR", str(tmp_path))
    monkeypatch.setenv("TIDEGATE_DEMO_URL", "mqtt://127.0.0.1:1883")
    settings, warnings = load(str(CONFIG))
    assert warnings == ()
    assert settings.gateway.id == "demo"


def test_the_whole_demo_misses_nothing() -> None:
    command = [sys.executable, "-m", "gateway", "demo", "--for", "8"]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every reading recorded is at the consumer." in done.stdout
    assert "cooler  " in done.stdout
    assert "broker stopped once" in done.stdout and "2 done" in done.stdout
    assert time.monotonic() > began + 8


def test_a_demo_that_is_interrupted_settles_and_leaves_nothing_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "gateway", "demo", "--for", "60"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    eventually(lambda: any(tmp_path.glob("tidegate-demo-*/state/*")), "the gateway has begun")
    process.send_signal(2)
    output, _ = process.communicate(timeout=300)
    assert "settling the account" in output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "words", "status"),
    [(["--for", "1"], "at least 5", 2), ([], "no terminal here", 2)],
)
def test_wrong_use_is_answered(arguments: list[str], words: str, status: int) -> None:
    command = [sys.executable, "-m", "gateway", "demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert (done.returncode, words in done.stderr) == (status, True)
