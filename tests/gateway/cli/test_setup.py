"""Setting a gateway up: what is written can be used, and nothing is changed that was not said."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.cli import interfaces, setup
from gateway.cli.interfaces import Step
from gateway.cli.main import main
from gateway.config import parse


def answers(**known: str) -> object:
    def ask(question: str, default: str) -> str:
        return next((known[word] for word in known if word in question.lower()), default)

    return ask


def dry(*options: str) -> int:
    return main(["setup", "--dry-run", "--yes", *options])


def test_what_it_writes_can_be_used(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    config = str(tmp_path / "gateway.toml")
    assert dry("--config", config, "--id", "cellar", "--url", "mqtts://b.example",
               "--username", "me", "--enable", "i2c,serial") == 0  # fmt: skip
    said = capsys.readouterr().out
    text = said.partition("would ")[0]
    settings = parse(text, "made.toml").settings
    assert settings.gateway.id == "cellar"
    assert settings.upstream.username == "me"
    assert settings.upstream.password_file == "/etc/tidegate/credentials/mqtt"
    for step in ("would enable i2c", "do_i2c 0", "do_serial_cons 1", "do_serial_hw 0",
                 "after a reboot", "systemctl restart tidegate"):  # fmt: skip
        assert step in said
    assert not Path(config).exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--id", "My Cellar"], "small letters"),
        (["--url", "http://b.example"], "mqtt://"),
        (["--url", "mqtt://b.example"], "insecure"),
        (["--enable", "i2c,wifi"], "wifi"),
        (["--username", "me", "--password-file", "/nowhere/pw"], "/nowhere/pw"),
    ],
)
def test_answers_that_cannot_be_used(
    options: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dry("--config", str(tmp_path / "gateway.toml"), *options) == 1
    assert words in capsys.readouterr().err


def test_a_configuration_of_ones_own_is_not_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text('[gateway]\nid = "shed"\n')
    assert dry("--config", str(config)) == 1
    assert "--force" in capsys.readouterr().err
    assert dry("--config", str(config), "--force") == 0


def test_the_packages_own_sample_is(tmp_path: Path) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text((Path(__file__).parents[3] / "deploy/gateway.toml").read_text())
    assert dry("--config", str(config)) == 0


def test_what_is_plugged_in_is_offered(tmp_path: Path) -> None:
    (tmp_path / "serial/by-id").mkdir(parents=True)
    for name in ("i2c-1", "serial/by-id/usb-FTDI_FT232R_USB_UART_A50285BI-if00-port0"):
        (tmp_path / name).touch()
    text = interfaces.buses(tmp_path).replace("#", "")
    head = '[gateway]\nid = "g"\n[upstream]\nurl = "mqtt://localhost"\n'
    made = parse(head + text.replace(str(tmp_path), "/dev"), "made.toml").settings
    assert [bus.kind for bus in made.bus] == ["i2c", "serial"]


def test_steps_are_carried_out_until_one_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "deep" / "file"
    steps = [
        Step("write", write=(file, "text", 0o600)),
        Step("fail", ("false",)),
        Step("never", write=(tmp_path / "never", "", 0o644)),
    ]
    assert interfaces.carry_out(steps, dry_run=False) == 1
    assert file.read_text() == "text"
    assert file.stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "never").exists()
    assert "fail" in capsys.readouterr().err


def test_a_machine_without_raspi_config_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interfaces.carry_out(interfaces.steps(["i2c"]), dry_run=False) == 1
    assert "hardware/" in capsys.readouterr().err


def test_without_a_terminal_it_does_not_ask(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "--dry-run"]) == 2
    assert "--yes" in capsys.readouterr().err


def test_questions_have_the_hosts_name_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "My.Host.local")
    assert setup._host_name() == "my"
