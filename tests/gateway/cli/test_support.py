"""The bundle for a bug report holds no secret, wherever it was said."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gateway.cli import support
from gateway.cli.main import main

TOKEN = "kR7-planted-Token-91"
CONFIG = f"""
[gateway]
id = "cellar"
state = "/var/lib/tidegate"
[upstream]
url = "mqtt://localhost"
username = "me"
password = "{TOKEN}"
"""


def test_a_planted_secret_is_in_no_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(CONFIG)
    logged = ["echo", f"refused: login me with {TOKEN}"]
    monkeypatch.setattr(support, "COMMANDS", {**support.COMMANDS, "journal.txt": logged})
    output = tmp_path / "bundle.tar.gz"
    assert main(["support", str(config), "--output", str(output)]) == 0
    with tarfile.open(output) as archive:
        names = archive.getnames()
        texts = []
        for member in archive:
            file = archive.extractfile(member)
            assert file is not None
            texts.append(file.read().decode("utf-8", "replace"))
    assert "tidegate-support/check.txt" in names
    assert not [text for text in texts if TOKEN in text]
    assert any(f'password = "{support.HIDDEN}"' in text for text in texts)
    assert any('username = "me"' in text for text in texts)


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=4), st.text())
def test_a_secret_is_removed_wherever_it_is(secret: str, around: str) -> None:
    assume(secret not in support.HIDDEN)
    assert secret not in support.without(f"{around}{secret}{around}", [secret])


@pytest.mark.parametrize("key", ["password", "api_token", "secret", "key", "passphrase", "my_key"])
def test_keys_that_are_secret(key: str) -> None:
    assert support.secrets(f'[a.b]\n{key} = "value-1"\nother = "value-2"') == ["value-1"]


def test_a_configuration_that_cannot_be_read_loses_every_text() -> None:
    assert support.secrets('password = "value-1"\nbroken') == ["value-1"]


def test_logins_in_addresses_go_too() -> None:
    assert "hunter" not in support.without("connecting to http://me:hunter@proxy:3128", [])


def test_no_configuration_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["support", str(tmp_path / "none.toml")]) == 1
    assert "No such file" in capsys.readouterr().err
