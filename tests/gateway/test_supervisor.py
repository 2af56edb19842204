from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway import service
from gateway.health import host_health
from gateway.supervisor import Chore, Heartbeats, Part, Supervisor, threaded


@pytest.fixture(autouse=True)
def _signals_as_they_were() -> Iterator[None]:
    before = [(n, signal.getsignal(n)) for n in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]
    hook = threading.excepthook
    yield
    for number, handler in before:
        signal.signal(number, handler)
    threading.excepthook = hook


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """A notify socket like systemd's; gives what was told so far."""
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(path))
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(path))

        def told() -> list[str]:
            messages = []
            try:
                while True:
                    messages.append(sock.recv(4096).decode())
            except BlockingIOError:
                return messages

        yield told


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def part(name: str, log: list[str], start: Callable[[], None] = lambda: None) -> Part:
    def begin() -> None:
        log.append(f"start {name}")
        start()

    return Part(name, begin, lambda timeout: log.append(f"stop {name}"))


def test_parts_start_in_order_and_stop_in_reverse(systemd: Callable[[], list[str]]) -> None:
    log: list[str] = []
    parts = [part("outbox", log), part("link", log), part("worker", log)]
    status = Supervisor(parts, [Chore(60.0, terminate)], Heartbeats()).run()
    assert status == 0
    assert log == [
        *("start outbox", "start link", "start worker"),
        *("stop worker", "stop link", "stop outbox"),
    ]
    assert systemd() == ["READY=1", "STOPPING=1"]


SIGNALS = 300


@pytest.mark.timeout(180)
def test_no_signal_is_waited_for_by_the_one_it_interrupts() -> None:
    """Signals come while the main thread is anywhere in its loop, at whatever it holds."""
    heard, busy = 0, [Chore(0.0, lambda: None)]

    def reload() -> bool:
        nonlocal heard
        heard += 1
        return False

    def signals() -> None:
        while heard < SIGNALS:
            os.kill(os.getpid(), signal.SIGHUP)
            time.sleep(0)
        terminate()

    sender = threading.Thread(target=signals)
    parts = [Part("sender", sender.start, lambda _: None)]
    assert Supervisor(parts, busy, Heartbeats()).run(reload) == 0
    assert heard >= SIGNALS


def test_a_thread_that_dies_stops_the_rest_and_ends_with_an_error(
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: list[str] = []

    def bug() -> None:
        raise IndexError("a bug")

    parts = [part("outbox", log), threaded("bus i2c-1", bug, lambda: None)]
    assert Supervisor(parts, [], Heartbeats()).run() == 1
    assert log == ["start outbox", "stop outbox"]
    assert "bus i2c-1 died" in caplog.text
    assert "IndexError: a bug" in caplog.text


def test_a_part_that_cannot_start_stops_those_that_did() -> None:
    log: list[str] = []

    def fail() -> None:
        raise OSError("no")

    parts = [part("outbox", log), part("link", log, fail)]
    with pytest.raises(OSError, match="no"):
        Supervisor(parts, [], Heartbeats()).run()
    assert log == ["start outbox", "start link", "stop outbox"]


def test_the_watchdog_is_fed_only_while_every_part_makes_progress(
    systemd: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 34: a stuck part must not be covered by a lively main thread."""
    monkeypatch.setenv("WATCHDOG_USEC", "40000")
    now = [0.0]
    hearts = Heartbeats(lambda: now[0])
    beat = hearts.register("outbox", 10.0)
    fed: list[int] = []
    turns = [0]

    def turn() -> None:
        turns[0] += 1
        fed.append(systemd().count("WATCHDOG=1"))
        if turns[0] == 3:
            now[0] = 11.0
        elif turns[0] == 6:
            beat()
        elif turns[0] == 9:
            terminate()

    Supervisor([], [Chore(0.02, turn)], hearts).run()
    assert sum(fed[1:3]) > 0
    assert sum(fed[3:6]) <= 1
    assert sum(fed[7:]) + systemd().count("WATCHDOG=1") > 0


def test_a_stuck_part_is_named() -> None:
    now = [0.0]
    hearts = Heartbeats(lambda: now[0])
    hearts.register("link", 10.0)
    beat = hearts.register("outbox", 5.0)
    now[0] = 11.0
    beat()
    assert hearts.stuck() == ["link for 11 s"]


def test_a_part_at_one_piece_of_work_for_too_long_is_stuck() -> None:
    busy: list[float | None] = [None]
    hearts = Heartbeats(lambda: 100.0)
    hearts.watch("outbox", 30.0, lambda: busy[0])
    assert hearts.stuck() == []
    busy[0] = 71.0
    assert hearts.stuck() == []
    busy[0] = 60.0
    assert hearts.stuck() == ["outbox for 40 s"]


def test_systemd_that_is_gone_is_no_failure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert service.notify("READY=1", {"NOTIFY_SOCKET": str(tmp_path / "none")}) is False
    assert "systemd was not told" in caplog.text
    assert service.notify("READY=1", {}) is False


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_the_watchdogs_interval(environment: dict[str, str], seconds: float | None) -> None:
    assert service.watchdog_interval(environment) == seconds


def test_health_of_a_pi(tmp_path: Path) -> None:
    for name, text in {
        "proc/self/statm": "9000 5000 2000 1 0 3000 0\n",
        "proc/meminfo": "MemTotal: 500000 kB\nMemAvailable:  250000 kB\n",
        "proc/loadavg": "0.42 0.30 0.25 1/100 1234\n",
        "sys/class/thermal/thermal_zone0/temp": "48312\n",
        "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    health = host_health(tmp_path, tmp_path)
    assert health.memory_used == 5000 * os.sysconf("SC_PAGESIZE")
    assert health.memory_free == 256_000_000
    assert health.load == 0.42
    assert health.cpu_temperature == 48.312
    assert health.throttled is True
    assert health.disk_free is not None and health.disk_free > 0


def test_what_a_machine_cannot_tell_is_none(tmp_path: Path) -> None:
    health = host_health(tmp_path, tmp_path)
    assert (health.memory_used, health.memory_free, health.load) == (None, None, None)
    assert (health.cpu_temperature, health.throttled) == (None, None)


def test_a_state_directory_that_cannot_be_had_is_not_the_end(tmp_path: Path) -> None:
    """A disk that is read-only at the start, or not mounted: health says what else there is."""
    assert host_health(tmp_path / "state", tmp_path).disk_free is None
