"""`tidegate unstick`: a chip in the middle of a byte, a shorted line, and pinctrl's words."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.i2c.unstick import PULSES, diagnosis, unstick
from gateway.cli import unstick as verb
from gateway.cli.main import main

SDA, SCL = 2, 3


class Bus:
    """Two lines with pull-ups, and a chip that holds SDA for so many more clocks.

    It is also pinctrl: `says` keeps what was asked.
    """

    def __init__(self, clocks: int, *, scl_held: bool = False) -> None:
        self.clocks = clocks
        self.driven = {SDA: False, SCL: False}
        self.functions = {SDA: "a0", SCL: "a0"}
        self.stops = 0
        self._scl_held = scl_held

    def low(self, gpio: int) -> None:
        self.driven[gpio] = True

    def release(self, gpio: int) -> None:
        if gpio == SCL and self.driven[SCL]:
            self.clocks = max(0, self.clocks - 1)
        if gpio == SDA and self.driven[SDA] and self.level(SCL):
            self.stops += 1
        self.driven[gpio] = False

    def level(self, gpio: int) -> bool:
        held = self.clocks > 0 if gpio == SDA else self._scl_held
        return not self.driven[gpio] and not held

    def pinctrl(self, arguments: Sequence[str]) -> str:
        what, gpio, *rest = [arguments[0], int(arguments[1]), *arguments[2:]]
        if what == "lev":
            return f"{int(self.level(gpio))}\n"
        if what == "get":
            return f" {gpio}: {self.functions[gpio]}    pu | hi // GPIO{gpio} = SDA1\n"
        self.functions[gpio] = str(rest[0])
        if rest == ["op", "dl"]:
            self.low(gpio)
        else:
            self.release(gpio)
        return ""


@given(st.integers(0, 20))
def test_it_takes_as_many_clocks_as_the_chip_wants(clocks: int) -> None:
    bus = Bus(clocks)
    assert unstick(bus, SDA, SCL) == (clocks if clocks <= PULSES else -1)
    assert bus.stops == (clocks <= PULSES)
    assert not any(bus.driven.values())


def test_diagnosis_looks_only() -> None:
    for bus, held in ((Bus(0), ""), (Bus(3), "SDA"), (Bus(3, scl_held=True), "SDA and SCL")):
        assert diagnosis(bus, SDA, SCL) == held
        assert not any(bus.driven.values())


@pytest.mark.parametrize(
    ("bus", "pulses", "code", "text"),
    [
        (Bus(0), True, 0, "the bus is free"), (Bus(4), False, 1, "--pulses"),
        (Bus(4), True, 0, "free after 4 pulses"), (Bus(99), True, 1, "stays low"),
        (Bus(0, scl_held=True), True, 1, "power alone"),
    ],
)  # fmt: skip
def test_the_verb(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    bus: Bus,
    pulses: bool,
    code: int,
    text: str,
) -> None:
    monkeypatch.setattr(verb, "_pinctrl", bus.pinctrl)
    assert main(["unstick", "/dev/i2c-1", *(["--pulses"] if pulses else [])]) == code
    assert text in capsys.readouterr().out
    assert bus.functions == {SDA: "a0", SCL: "a0"}


def test_the_pins_get_their_function_back_whatever_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    bus = Bus(5)
    real = bus.level

    def level(gpio: int) -> bool:
        if bus.functions[SCL] == "ip":
            raise OSError("pinctrl went away")
        return real(gpio)

    bus.level = level  # type: ignore[method-assign]
    monkeypatch.setattr(verb, "_pinctrl", bus.pinctrl)
    assert main(["unstick", "/dev/i2c-1", "--pulses"]) == 1
    assert bus.functions == {SDA: "a0", SCL: "a0"}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["/dev/i2c-3"], "say --pins"), (["/dev/i2c-3", "--pins", "2"], "two GPIO numbers"),
        (["/dev/i2c-1"], "raspi-utils"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    arguments: list[str],
    text: str,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["unstick", *arguments]) == 1
    assert text in capsys.readouterr().err


def test_a_pinctrl_that_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    program = tmp_path / "pinctrl"
    program.write_text("#!/bin/sh\necho no rights >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert main(["unstick", "/dev/i2c-1"]) == 1
    assert "no rights" in capsys.readouterr().err
