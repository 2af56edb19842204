"""What the command line says is written is there after a power cut."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from gateway.cli.placing import place


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, list[str]]]:
    """Each file or folder that was synced, with what lay in its folder, or in it, by then."""
    calls: list[tuple[Path, list[str]]] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        calls.append((path, sorted(os.listdir(path if path.is_dir() else path.parent))))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    return calls


def test_the_text_is_synced_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, synced: list[tuple[Path, list[str]]]
) -> None:
    target = tmp_path / "tidegate.service.d" / "devices.conf"
    place(target, "[Service]\n", 0o600)
    assert target.read_text() == "[Service]\n"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert synced == [
        (target.with_name("devices.conf.new"), ["devices.conf.new"]),
        (target.parent, ["devices.conf"]),
        (tmp_path, ["tidegate.service.d"]),
    ]


def test_what_was_there_is_replaced_whole_and_a_rest_of_an_earlier_try_is_no_obstacle(
    tmp_path: Path,
) -> None:
    target = tmp_path / "gateway.toml"
    target.write_text("a longer text than the new one")
    target.with_name("gateway.toml.new").write_text("half of an earlier try, also longer")
    place(target, "new")
    assert target.read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["gateway.toml"]


def test_a_folder_that_cannot_be_made_is_the_caller_s_to_tell(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        place(tmp_path / "file" / "gateway.toml", "new")
