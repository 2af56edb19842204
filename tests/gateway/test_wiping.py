"""Orders that reach further: wipe, locate with a position, diagnostics."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import daemon, wiping
from gateway.build_orders import Position, make_handlers
from gateway.codecs.base import Publication
from gateway.config import parse
from gateway.model import Quality, Reading, Sample
from gateway.orders import Done
from gateway.settings import Settings
from tests.brokers import eventually
from tests.gateway.fake_clock import FakeClock
from tests.gateway.test_control import Bench


def settings(tmp_path: Path) -> Settings:
    (tmp_path / "password").write_text("secret")
    text = f"""
    gateway = {{id = "house", state = "{tmp_path}/state"}}
    upstream.url = "mqtt://localhost"
    upstream.username = "me"
    upstream.password_file = "{tmp_path}/password"
    """
    (tmp_path / "state").mkdir()
    return parse(text, "x.toml").settings


class Board:
    def __init__(self) -> None:
        self.told: list[Publication] = []

    def notice(self, publication: Publication) -> None:
        self.told.append(publication)


def handlers(tmp_path: Path, board: Board | None = None, position: Position | None = None) -> Any:
    found = board or Board()
    stats: Any = lambda: SimpleNamespace(kept=0)  # noqa: E731
    return make_handlers(
        settings(tmp_path), position or Position(), stats, lambda: found, tmp_path / "leds"
    )


def test_a_wipe_has_to_name_the_gateway(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="to be sure: write `wipe house`"):
        handlers(tmp_path)["wipe"]("barn")
    assert not wiping.is_asked(tmp_path / "state")


def test_a_wipe_is_noted_answered_and_then_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = threading.Event()
    monkeypatch.setattr("os.kill", lambda pid, number: killed.set())
    done = handlers(tmp_path)["wipe"]("house")
    assert wiping.is_asked(tmp_path / "state")
    assert not killed.is_set()
    assert done.then is not None
    done.then()
    assert killed.wait(30)


def test_the_answer_says_what_cannot_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    assert "by hand: " in handlers(tmp_path)["wipe"]("house").text


def test_everything_goes_but_the_word_that_it_went(tmp_path: Path) -> None:
    values = settings(tmp_path)
    state = tmp_path / "state"
    (state / "shelf").mkdir()
    for name in ("state.db", "journal.db", "shelf/1", daemon.IN_USE):
        (state / name).write_text("x")
    wiping.ask(state)
    assert wiping.carry_out(state, wiping.secrets_of(values, "")) == []
    assert [path.name for path in state.iterdir()] == [wiping.WIPED]
    assert not (tmp_path / "password").exists()
    assert (wiping.is_asked(state), wiping.is_wiped(state)) == (False, True)


def test_what_cannot_be_deleted_is_told_and_the_rest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    values = settings(tmp_path)
    (state / "state.db").write_text("x")
    really = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == "password":
            raise PermissionError(13, "Permission denied")
        really(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    wrong = wiping.carry_out(state, wiping.secrets_of(values, ""))
    assert wrong == [f"{tmp_path}/password: Permission denied"]
    assert not (state / "state.db").exists()


@pytest.mark.parametrize(
    ("mark", "said"), [(wiping.ASKED, ""), (wiping.WIPED, "was wiped; to use it again: rm ")]
)
def test_a_gateway_that_is_wiped_does_not_start(
    tmp_path: Path, mark: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where a power cut came between the order and the deed."""
    state = tmp_path / "state"
    state.mkdir()
    (state / mark).touch()
    (state / "state.db").touch()
    config = tmp_path / "gateway.toml"
    config.write_text(
        f'gateway = {{id = "g", state = "{state}"}}\nupstream.url = "mqtt://localhost"\n'
    )
    assert daemon.main(str(config)) == daemon.EX_CONFIG
    assert said in capsys.readouterr().err
    assert (state / "state.db").exists() == (mark == wiping.WIPED)


def test_a_wipe_puts_the_outputs_off_first(tmp_path: Path) -> None:
    bench = Bench(
        tmp_path / "state.db", more={"wipe": lambda argument: Done("gone")}, allowed=("wipe",)
    )
    bench.find(False)
    bench.send(bench.command())
    assert bench.order("wipe g").reason == "gone"
    assert [(a.value, a.cause) for a in bench.acts] == [(True, "a1"), (False, "lock")]
    bench.store.close()


def sample(latitude: float, quality: Quality = Quality.GOOD) -> Sample:
    readings = (Reading("latitude", latitude, quality), Reading("longitude", 9.5, quality))
    return Sample("gps", FakeClock().stamp(), readings)


def test_locate_tells_the_last_good_position(tmp_path: Path) -> None:
    position = Position()
    passed: list[Sample] = []
    append = position.watch(passed.append)
    locate = handlers(tmp_path, position=position)["locate"]
    with pytest.raises(OSError, match="no LED"):
        locate("")
    append(sample(48.1))
    append(sample(11.1, Quality.BAD))
    assert len(passed) == 2
    assert locate("").text.endswith("latitude 48.100000, longitude 9.500000")


def test_a_bundle_is_collected_and_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = Board()
    monkeypatch.setattr("subprocess.run", lambda command, **_: Path(command[5]).write_bytes(b"tgz"))
    done = handlers(tmp_path, board)["diagnostics"]("")
    assert "tidegate/house/diagnostics" in done.text
    eventually(lambda: bool(board.told))
    (publication,) = board.told
    assert (publication.topic, publication.payload) == ("tidegate/house/diagnostics", b"tgz")
