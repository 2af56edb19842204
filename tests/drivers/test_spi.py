"""MCP3008, MAX31855, MAX31865: data sheet tables, frames, faults, and the drivers of others."""

import errno
import importlib
import random
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault, BusMissing, CorruptData, OptionError, Quality
from drivers.simulated import spi as chips
from drivers.spi import max31855, max31865, mcp3008
from drivers.spi.max31855 import Max31855
from drivers.spi.max31865 import Max31865, celsius_of
from drivers.spi.mcp3008 import Input, Mcp3008
from drivers.spi_bus import LinuxSPI
from tests.fakes import FakeClock, finish, started_and_read, values


class ScriptedSPI:
    """Expects exactly these transfers; an exception is raised instead of an answer."""

    def __init__(self, *script: tuple[str, str | Exception]) -> None:
        self.script = list(script)

    def transfer(self, data: bytes, *, mode: int, hertz: int) -> bytes:
        wanted, answer = self.script.pop(0)
        assert data.hex() == wanted
        if isinstance(answer, Exception):
            raise answer
        return bytes.fromhex(answer)


class BlinkaSPI:
    """busio.SPI and its chip select, as Adafruit's drivers use them, in front of a chip."""

    def __init__(self, chip: Any) -> None:
        self._chip, self._out = chip, b""

    def try_lock(self) -> bool:
        return True

    def unlock(self) -> None:
        if self._out:
            self._chip.transfer(self._out, mode=1, hertz=1)
        self._out = b""

    def configure(self, **settings: Any) -> None: ...

    def write(self, data: Any, *, start: int = 0, end: int | None = None) -> None:
        self._out += bytes(data)[start:end]

    def readinto(
        self, data: bytearray, *, start: int = 0, end: int | None = None, **_: Any
    ) -> None:
        end = len(data) if end is None else end
        sent = self._out + bytes(end - start)
        data[start:end] = self._chip.transfer(sent, mode=1, hertz=1)[len(self._out) :]
        self._out = b""

    def write_readinto(self, out: Any, into: bytearray, **_: Any) -> None:
        into[:] = self._chip.transfer(bytes(out), mode=0, hertz=1_000_000)


def other(module: str, cls: str, chip: Any, **options: Any) -> Any:
    select = SimpleNamespace(switch_to_output=lambda **_: None, value=True)
    return getattr(importlib.import_module(module), cls)(BlinkaSPI(chip), select, **options)


def test_mcp3008_frames() -> None:
    """DS21295D, figure 6-1: start bit, single-ended, channel; the code in the last ten bits."""
    assert mcp3008.request(10, "0", 8).hex() == "018000"
    assert mcp3008.request(10, "7", 8).hex() == "01f000"
    assert mcp3008.request(10, "1-0", 8).hex() == "011000"
    assert mcp3008.request(12, "5", 8).hex() == "074000"  # DS21298E, figure 6-1
    assert mcp3008.code_of(bytes.fromhex("f80155"), 10) == 0x155
    with pytest.raises(CorruptData, match="null bit"):
        mcp3008.code_of(b"\xff\xff\xff", 10)


@pytest.mark.parametrize("pins", ["8", "", "a", "0-2", "0-0", "3-4"])
def test_mcp3008_inputs_that_are_not(pins: str) -> None:
    with pytest.raises(OptionError, match="pins"):
        Mcp3008(chips.Mcp3008(), inputs={"x": Input(pins=pins)})


@pytest.mark.parametrize(("chip", "bits"), [("mcp3008", 10), ("mcp3208", 12)])
def test_mcp3008_reads_the_simulated_chip(chip: Any, bits: int) -> None:
    bus = chips.Mcp3008(0.0, 1.0, 2.5, 3.3, bits=bits)
    inputs = {
        "a": Input(pins="1"),
        "b": Input(pins="2-3"),
        "c": Input(pins="3-2"),
        "d": Input(pins="3"),
    }
    adc = Mcp3008(bus, inputs=inputs, chip=chip)
    adc.start()
    got = values(adc.read())
    assert got["a"] == pytest.approx(1, abs=0.004)
    assert (got["b"], got["d"]) == (0, None)
    assert got["c"] == pytest.approx(0.8, abs=0.004)


@pytest.mark.parametrize(
    ("data", "celsius"),
    [  # 19-5793, tables 4 and 5: the same codes, in their places
        ("6400 7f00", (1600, 127)), ("3e80 6490", (1000, 100.5625)), ("0190 1900", (25, 25)),
        ("0000 0010", (0, 0.0625)), ("fffc ffF0", (-0.25, -0.0625)), ("f060 c900", (-250, -55)),
    ],
)  # fmt: skip
def test_max31855_data_sheet_table(data: str, celsius: tuple[float, float]) -> None:
    hot, cold = max31855.decode(bytes.fromhex(data))
    assert (hot.value, cold.value) == celsius
    assert hot.quality is Quality.GOOD


@pytest.mark.parametrize("fault", [1, 2, 4])
def test_max31855_faults_leave_the_cold_junction(fault: int) -> None:
    hot, cold = Max31855(chips.Max31855(300.0, 21.5, fault)).read()
    assert (hot.value, hot.quality, cold.value) == (None, Quality.BAD, 21.5)


@pytest.mark.parametrize("data", ["00000000", "ffffffff", "01920008"])
def test_max31855_without_an_answer(data: str) -> None:
    with pytest.raises(CorruptData, match="is the chip there"):
        max31855.decode(bytes.fromhex(data))


@pytest.mark.parametrize(
    ("celsius", "ohm"),
    [(-200, 18.520), (-100, 60.256), (0, 100), (100, 138.506), (400, 247.092), (850, 390.481)],
)
def test_pt100_by_iec_60751(celsius: float, ohm: float) -> None:
    """IEC 60751:2008, table 1."""
    assert celsius_of(ohm / 100) == pytest.approx(celsius, abs=0.01)


@given(st.floats(-200, 850))
def test_pt100_inverts_its_own_formula(celsius: float) -> None:
    ratio = 1 + max31865.A * celsius + max31865.B * celsius**2
    if celsius < 0:
        ratio += max31865.C * (celsius - 100) * celsius**3
    assert celsius_of(ratio) == pytest.approx(celsius, abs=1e-6)


@pytest.mark.parametrize("ohm", [60.256, 100.0, 138.5])
def test_max31865_reads_the_simulated_chip(ohm: float) -> None:
    clock = FakeClock()
    sensor = Max31865(chips.Max31865(ohm, clock=clock), wires=3)
    got = values(finish(started_and_read(sensor), clock))
    assert got["resistance"] == pytest.approx(ohm, abs=0.01)
    assert got["temperature"] == pytest.approx(celsius_of(ohm / 100), abs=0.05)


def test_max31865_faults_and_a_chip_that_is_not_there() -> None:
    clock = FakeClock()
    chip = chips.Max31865(100.0, clock=clock)
    chip.fault = 0x20
    readings = finish(started_and_read(Max31865(chip)), clock)
    assert [(r.value, r.quality) for r in readings] == [(None, Quality.BAD)] * 2
    for floating in ("ff", "00"):
        with pytest.raises(CorruptData, match="is the chip there"):
            Max31865(ScriptedSPI(("0300000000", "00" + floating * 4))).start()
    steps = Max31865(chip).read()
    clock.now += next(steps)
    clock.now += next(steps)
    chip.memory[0] = 0
    with pytest.raises(CorruptData, match="reset"):
        finish(steps, clock)


def test_max31865_speaks_these_bytes_and_no_others() -> None:
    bus = ScriptedSPI(
        ("8093", ""), ("80b1", BusFault("once")),
        ("8093", ""), ("80b1", ""), ("0000", "0091"), ("010000", "004000"), ("8011", ""),
    )  # fmt: skip
    sensor = Max31865(bus, wires=3)
    with pytest.raises(BusFault):
        finish(sensor.read())
    assert values(finish(sensor.read()))["resistance"] == pytest.approx(107.5)
    assert not bus.script


def test_against_the_drivers_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("adafruit_max31855")
    pytest.importorskip("adafruit_max31865")
    rng, clock = random.Random(7), FakeClock()
    monkeypatch.setattr(time, "sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    for _ in range(8):
        hot = chips.Max31855(rng.uniform(-200, 1300), rng.uniform(-20, 60))
        mine = values(Max31855(hot).read())
        theirs = other("adafruit_max31855", "MAX31855", hot)
        assert mine["temperature"] == theirs.temperature
        assert mine["cold_junction"] == theirs.reference_temperature
        chip = chips.Max31865(rng.uniform(20, 350), clock=clock)
        mine = values(finish(started_and_read(Max31865(chip)), clock))
        theirs = other("adafruit_max31865", "MAX31865", chip, polarity=1)
        assert mine["resistance"] == pytest.approx(theirs.resistance, abs=1e-6)
        assert mine["temperature"] == pytest.approx(theirs.temperature, abs=0.05)


def test_mcp3008_against_the_driver_of_others() -> None:
    pytest.importorskip("adafruit_mcp3xxx.mcp3008")
    rng = random.Random(11)
    volts = [rng.uniform(0, 3.3) for _ in range(8)]
    chip = chips.Mcp3008(*volts)
    theirs = other("adafruit_mcp3xxx.mcp3008", "MCP3008", chip)
    singles = {f"in{pin}": Input(pins=str(pin)) for pin in range(8)}
    mine = values(Mcp3008(chip, inputs=singles).read())
    for pin in range(8):
        assert mine[f"in{pin}"] == pytest.approx(theirs.read(pin) * 3.3 / 1024, abs=1e-9)
    for pair, code in (("0-1", 0), ("1-0", 1), ("6-7", 6)):
        mine = values(Mcp3008(chip, inputs={"x": Input(pins=pair)}).read())
        theirs_volts = theirs.read(code, is_differential=True) * 3.3 / 1024
        assert mine["x"] == pytest.approx(theirs_volts, abs=1e-9)


class SpiDev:
    mode = 0
    error: OSError | None = None

    def open(self, bus: int, select: int) -> None:
        self.opened = (bus, select)
        if SpiDev.error:
            raise SpiDev.error

    def xfer2(self, data: list[int], hertz: int) -> list[int]:
        return [byte ^ 0xFF for byte in data]

    def close(self) -> None: ...


def test_linux_spi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "spidev", SimpleNamespace(SpiDev=SpiDev))
    bus = LinuxSPI("/dev/spidev0.1")
    assert bus.transfer(b"\x01\x02", mode=1, hertz=1000) == b"\xfe\xfd"
    bus.close()
    SpiDev.error = FileNotFoundError(errno.ENOENT, "No such file")
    with pytest.raises(BusMissing, match="raspi-config nonint do_spi 0"):
        bus.transfer(b"\x01", mode=0, hertz=1000)
    monkeypatch.setattr("os.path.exists", lambda path: True)
    SpiDev.error = PermissionError(errno.EACCES, "Permission denied")
    with pytest.raises(BusFault, match="adduser USER spi"):
        bus.transfer(b"\x01", mode=0, hertz=1000)
    SpiDev.error = None
    monkeypatch.setitem(sys.modules, "spidev", None)
    with pytest.raises(BusMissing, match="python3-spidev"):
        bus.transfer(b"\x01", mode=0, hertz=1000)
