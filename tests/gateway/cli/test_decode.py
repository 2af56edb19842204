"""`tidegate decode`: files of captured bytes through a meter's own decoder."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from drivers.base import Reading, Telegram
from drivers.serial.p1_decode import LUXEMBOURG_AUTHENTICATION_KEY
from gateway.cli.decode import _decoded
from gateway.cli.main import main
from tests.drivers.serial.cipher_encode import ciphered
from tests.drivers.serial.samples import MODBUS

CAPTURES = Path(__file__).parents[2] / "captures"
SML = CAPTURES / "sml" / "ISKRA_MT631-D1A52-K0z-H01_without_PIN.bin"


def decoded(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[Any], str]:
    status = main(["decode", *arguments])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err


def test_readings_of_a_capture(capsys: pytest.CaptureFixture[str]) -> None:
    status, rows, err = decoded(capsys, "sml", str(SML))
    assert (status, err) == (0, "")
    assert rows[0]["telegram"] == 0
    telegrams = [row["telegram"] for row in rows]
    assert telegrams == sorted(telegrams)
    assert set(telegrams) == set(range(telegrams[-1] + 1))
    (energy,) = [r for r in rows if r["telegram"] == 0 and r["code"] == "1-0:1.8.0*255"]
    assert (energy["channel"], energy["unit"]) == ("energy_import", "kWh")
    assert isinstance(energy["value"], int | float)
    assert all(list(row)[:5] == ["telegram", "channel", "value", "unit", "code"] for row in rows)


def test_hexadecimal_text_is_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = decoded(capsys, "sml", str(SML))
    text = SML.read_bytes().hex(" ", 1)
    for name, written in [("a.hex", text), ("b.txt", text.upper() + "\n")]:
        (tmp_path / name).write_text(written)
        assert decoded(capsys, "sml", str(tmp_path / name)) == plain
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(SML.read_bytes())))
    assert decoded(capsys, "sml", "-") == plain


def test_corrupt_pieces_are_told_and_the_rest_is_decoded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _, whole, _ = decoded(capsys, "sml", str(SML))
    damaged = bytearray(SML.read_bytes())
    damaged[40] ^= 0xFF
    file = tmp_path / "noise.bin"
    file.write_bytes(b"noise" + damaged + SML.read_bytes())
    status, rows, err = decoded(capsys, "sml", str(file))
    assert status == 0
    good = [{**row, "telegram": 0} for row in whole if row["telegram"] == 0]
    assert [{**row, "telegram": 0} for row in rows][-len(good) :] == good
    assert rows[0]["telegram"] == 0
    assert err.startswith("offset 0: 5 bytes: ")
    assert "\noffset 5: " in err


def test_nothing_to_decode_fails(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "empty.bin"
    file.write_bytes(b"")
    assert decoded(capsys, "sml", str(file)) == (1, [], "no telegram could be decoded\n")


def test_options_go_to_the_decoder(capsys: pytest.CaptureFixture[str]) -> None:
    assert decoded(capsys, "sml", str(SML), "-o", "signed_power=true")[0] == 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["smll", str(SML)], 'there is no driver "smll"; did you mean "sml"?'),
        (["host", str(SML)], 'driver "host" has no decoder: it is asked over its bus'),
        (["sml", "/nonexistent"], "/nonexistent: No such file or directory"),
        (["sml", str(SML), "-o", "signed_power"], "--option signed_power: must be NAME=VALUE"),
        (
            ["sml", str(SML), "-o", "signed_power=2"],
            "--option: signed_power: must be true or false, not 2",
        ),
        (
            ["sml", str(SML), "-o", "sign=true"],
            "--option: sign: unknown key; known: signed_power",
        ),
    ],
)
def test_what_cannot_be(
    capsys: pytest.CaptureFixture[str], arguments: list[str], error: str
) -> None:
    assert decoded(capsys, *arguments) == (1, [], f"{error}\n")


def test_a_hex_file_with_other_things_in_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "a.hex"
    file.write_text("68 xy")
    status, _, err = decoded(capsys, "sml", str(file))
    assert status == 1
    assert err.startswith(f"{file} is not hexadecimal text: ")


def test_the_end_of_the_file_is_told_to_the_decoder() -> None:
    class Ends:
        def feed(self, data: bytes) -> list[Telegram]:
            return []

        def close(self) -> list[Telegram]:
            return [Telegram(0, (Reading("a", 1),))]

    assert list(_decoded(Ends(), [b"x"])) == [Telegram(0, (Reading("a", 1),))]  # type: ignore[arg-type]


def test_hexadecimal_text_with_colons_and_wrapped_anywhere(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    plain = decoded(capsys, "sml", str(SML))
    digits = SML.read_bytes().hex()
    wrapped = "\n".join(digits[at : at + 77] for at in range(0, len(digits), 77))
    for written in (SML.read_bytes().hex(":"), wrapped):
        (tmp_path / "a.log").write_text(written)
        assert decoded(capsys, "sml", str(tmp_path / "a.log")) == plain


def test_an_encrypted_p1_telegram_with_its_key(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    key = bytes(range(16))
    plain = CAPTURES / "p1" / "telegram_v5.txt"
    file = tmp_path / "smarty.bin"
    file.write_bytes(ciphered(plain.read_bytes(), key, LUXEMBOURG_AUTHENTICATION_KEY))
    with_key = decoded(capsys, "p1", str(file), "-o", f"key={key.hex()}")
    assert with_key == decoded(capsys, "p1", str(plain))
    other = ciphered(plain.read_bytes(), key, bytes(16))
    file.write_bytes(other)
    assert decoded(capsys, "p1", str(file), "-o", f"key={key.hex()}")[0] == 1
    unchecked = ("-o", f"key={key.hex()}", "-o", "check_tag=false")
    assert decoded(capsys, "p1", str(file), *unchecked) == with_key


def test_units_by_the_options_of_the_decoder(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "boiler.hex"
    file.write_bytes(MODBUS.hex().encode())
    status, rows, _ = decoded(capsys, "modbus", str(file), "-o", "map=xy_md02")
    assert status == 0
    assert [(row["channel"], row["value"], row["unit"]) for row in rows] == [
        ("temperature", 21.5, "°C"),
        ("humidity", 50.5, "%"),
    ]
