from __future__ import annotations

import logging
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway import housekeeping
from gateway.limits import Limits
from gateway.model import Value
from gateway.orders import ORDERS, Order, limits_of, parse


def test_an_order_is_a_word_and_perhaps_what_it_is_about() -> None:
    assert parse("lock", ORDERS) == Order("lock")
    assert parse(" acknowledge  too-hot ", ORDERS) == Order("acknowledge", "too-hot")


@pytest.mark.parametrize(
    ("value", "words"),
    [(True, "is a text"), ("", "no such command"), ("LOCK", "no such"), ("format", "no such")],
)
def test_what_is_no_order(value: Value, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(value, ORDERS)


def test_what_is_not_named_is_not_allowed() -> None:
    with pytest.raises(ValueError, match=r"reboot is not allowed; \[gateway\] allow"):
        parse("reboot", ("lock",))


def test_orders_must_be_fresh_but_for_an_acknowledgement() -> None:
    strict = {name for name in ORDERS if limits_of(Order(name)).fresh_only}
    assert strict == set(ORDERS) - {"acknowledge"}
    assert limits_of(Order("acknowledge")) == Limits()


@pytest.fixture
def root_level() -> Iterator[None]:
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


@pytest.mark.usefixtures("root_level")
def test_the_log_level_is_one_of_four() -> None:
    housekeeping.set_log_level("debug")
    assert logging.getLogger().level == logging.DEBUG
    with pytest.raises(ValueError, match="log_level and one of"):
        housekeeping.set_log_level("loud")


def test_the_led_blinks_and_is_as_before_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trigger = tmp_path / "ACT" / "trigger"
    trigger.parent.mkdir()
    trigger.write_text("none timer [mmc0] heartbeat\n")
    monkeypatch.setattr(housekeeping, "BLINK", 0.0)
    with monkeypatch.context() as patch:
        patch.setattr("threading.Timer.start", lambda timer: timer.run())
        assert "ACT" in housekeeping.locate(tmp_path).text
    assert trigger.read_text() == "mmc0"


def test_without_a_led_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no LED"):
        housekeeping.locate(tmp_path)


def test_restart_and_reboot_happen_after_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    killed: list[int] = []
    monkeypatch.setattr("os.kill", lambda pid, number: killed.append(number))
    ran: list[object] = []

    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        ran.append(command)
        return subprocess.CompletedProcess(command, 0, 's "yes"\n')

    handlers = housekeeping.handlers(run=run)
    done = [handlers[name]("") for name in ("restart", "reboot")]
    assert (killed, ran) == ([], [housekeeping.MAY_REBOOT])
    for item in done:
        assert item.then is not None
        item.then()
    assert (killed, ran) == ([signal.SIGTERM], [housekeeping.MAY_REBOOT, ("systemctl", "reboot")])


@pytest.mark.parametrize("said", ['s "no"\n', 's "challenge"\n', None])
def test_a_reboot_that_is_not_allowed_is_no_done(said: str | None) -> None:
    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        assert command == housekeeping.MAY_REBOOT
        if said is None:
            raise FileNotFoundError("busctl")
        return subprocess.CompletedProcess(command, 0, said)

    with pytest.raises(OSError, match="does not let the service reboot"):
        housekeeping.handlers(run=run)["reboot"]("")


def test_a_reboot_that_fails_after_all_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def run(command: tuple[str, ...], **_: object) -> subprocess.CompletedProcess[str]:
        if command != housekeeping.MAY_REBOOT:
            raise OSError("interactive authentication required")
        return subprocess.CompletedProcess(command, 0, 's "yes"\n')

    done = housekeeping.handlers(run=run)["reboot"]("")
    assert done.then is not None
    done.then()
    assert "authentication" in caplog.text
