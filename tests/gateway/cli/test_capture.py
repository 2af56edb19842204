"""`tidegate capture`, `replay` and `monitor`: on pseudo-terminals, with captured telegrams."""

from __future__ import annotations

import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from drivers.base import LineSettings
from drivers.ports import TtyPort
from gateway.cli import monitor, probes
from gateway.cli.guess import LINES, Guess, Listener, proposal, remarks
from gateway.cli.main import main
from gateway.cli.recording import HEAD, NoRecording, Said, both, heard, parsed, written
from gateway.config import parse
from tests.drivers.serial.mbus_encode import Bus, Meter, variable
from tests.drivers.serial.samples import MODBUS, SAMPLES, modbus_frame, sml_telegram
from tests.drivers.serial.streams import FakePort

GENEROUS_S = 30.0
CONFIG = """\
[gateway]
id = "gw"
[upstream]
url = "mqtt://localhost"
[[bus]]
name = "port"
kind = "serial"
device = "{name}"
[[device]]
name = "meter"
driver = "{driver}"
bus = "port"
interval = 0.1
{more}
"""


@contextmanager
def terminal(say: Callable[[bytes], bytes] | None = None, repeat: bytes = b"") -> Iterator[str]:
    """A terminal whose far end answers each request by `say`, or says `repeat` again and again."""
    far, near = os.openpty()
    tty.setraw(near)
    stop, wake = os.pipe()

    def run() -> None:
        while True:
            ready = select.select([far, stop], [], [], 0.02 if repeat else None)[0]
            if stop in ready:
                return
            if far in ready:
                asked = os.read(far, 4096)
                answer = say(asked) if say else b""
                if answer:
                    os.write(far, answer)
            elif repeat:
                os.write(far, repeat)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield os.ttyname(near)
    finally:
        os.write(wake, b"x")
        thread.join(GENEROUS_S)
        for descriptor in (far, near, stop, wake):
            os.close(descriptor)


def configured(
    tmp_path: Path, name: str, driver: str, device: str = "meter", more: str = ""
) -> str:
    file = tmp_path / "gateway.toml"
    file.write_text(CONFIG.format(name=name, driver=driver, device=device, more=more))
    return f"{file}"


def test_a_recording_reads_back() -> None:
    said = [Said(0.0, "<", b"\x1b\x01"), Said(1.25, ">", b"/?!\r\n"), Said(1.5, "<", b"x")]
    text = "\n".join([HEAD, "# driver d0", "", *map(written, said)])
    assert list(parsed(text)) == said
    assert (heard(said), both(said)) == (b"\x1b\x01x", b"\x1b\x01/?!\r\nx")
    with pytest.raises(NoRecording, match="line 3 is not SECONDS"):
        list(parsed(f"{HEAD}\n0.000 < 00\n0.1 < 0\n"))


def test_a_stream_is_captured_and_decoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "sml.capture"
    with terminal(repeat=sml_telegram()) as name:
        config = configured(tmp_path, name, "sml")
        assert main(["capture", "meter", "-c", config, "-o", f"{file}", "--for", "3"]) == 0
    assert file.read_text().startswith(f"{HEAD}\n# driver sml\n0.")
    capsys.readouterr()
    assert main(["decode", "sml", f"{file}"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert {"power", "energy_import"} <= {row["channel"] for row in rows}


def test_a_device_that_is_asked_is_captured_with_the_questions(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request, answer = MODBUS[:8], MODBUS[8:]
    file = tmp_path / "modbus.capture"
    with terminal(lambda asked: answer if asked == request else b"") as name:
        config = configured(tmp_path, name, "modbus", more='map = "xy_md02"')
        assert main(["capture", "meter", "-c", config, "-o", f"{file}", "--for", "2"]) == 0
    said = list(parsed(file.read_text()))
    assert said[0].direction == ">" and said[0].data == request
    capsys.readouterr()
    assert main(["decode", "modbus", f"{file}", "-o", "map=xy_md02"]) == 0
    rows = [json.loads(row) for row in capsys.readouterr().out.splitlines()]
    assert (rows[0]["channel"], rows[0]["value"], rows[1]["value"]) == ("temperature", 21.5, 50.5)


def test_what_cannot_be_captured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configured(tmp_path, "/dev/none", "sml")
    assert main(["capture", "other", "-c", config]) == 1
    assert "no [[device]]" in capsys.readouterr().err
    assert main(["capture", "meter", "-c", config, "--for", "0.1"]) == 1
    assert "/dev/none does not exist" in capsys.readouterr().err
    file = tmp_path / "host.toml"
    file.write_text(
        '[gateway]\nid="gw"\n[upstream]\nurl="mqtt://localhost"\n'
        '[[device]]\nname="host"\ndriver="host"\n'
    )
    assert main(["capture", "host", "-c", f"{file}"]) == 1
    assert "is on no serial port" in capsys.readouterr().err


@contextmanager
def replaying(file: Path, *arguments: str) -> Iterator[str]:
    command = [sys.executable, "-m", "gateway", "replay", f"{file}", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        match = re.fullmatch(r"plays on (\S+)\n", process.stdout.readline())
        assert match is not None
        try:
            yield match[1]
        finally:
            process.terminate()
            process.wait(GENEROUS_S)


def test_a_capture_is_played_and_answers_requests(tmp_path: Path) -> None:
    file = tmp_path / "x.capture"
    said = [Said(0.0, ">", b"ask"), Said(5.0, "<", b"hello"), Said(9.0, "<", b"answer")]
    file.write_text("\n".join([HEAD, *map(written, said)]))
    with replaying(file, "--speed", "100") as name:
        port = TtyPort(name)
        port.open(LineSettings(9600))
        port.write(b"ask")
        assert port.read(11, GENEROUS_S) == b"helloanswer"
        port.close()


def test_what_cannot_be_played(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.capture"
    file.write_text(f"{HEAD}\n")
    assert main(["replay", f"{file}"]) == 1
    assert capsys.readouterr().err == "nothing to play\n"
    file.write_text("0.0 < 0\n")
    assert main(["replay", f"{file}"]) == 1
    assert "line 1 is not" in capsys.readouterr().err
    assert main(["replay", f"{tmp_path}/none"]) == 1


@pytest.mark.parametrize(
    ("driver", "line"),
    [(driver, line) for line, drivers in LINES.items() for driver in drivers],
)
def test_each_guess_leads_to_a_block_that_loads(driver: str, line: str) -> None:
    telegram = SAMPLES[driver][1] if driver in SAMPLES else SAMPLES["p1"][1]
    found = Listener(line).feed(b"\0\xff" + telegram)
    assert found is not None and found.readings
    block = proposal(Guess(driver, line, found.readings), "/dev/ttyUSB0")
    head = 'gateway.id = "gw"\nupstream.url = "mqtt://localhost"\n'
    (device,) = parse(head + block, "x").settings.device
    assert device.driver == driver


def test_monitor_recognises_a_meter(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x.capture"
    with terminal(repeat=sml_telegram()) as name:
        assert main(["monitor", name, "--save", f"{file}", "--patience", "30"]) == 0
    out, err = capsys.readouterr()
    assert "1b 1b 1b 1b 01 01 01 01" in out
    assert 'driver = "sml"' in out and f'device = "{name}"' in out
    assert "This is `sml` at 9600 8N1" in err and "power = 168" in err
    assert main(["decode", "sml", f"{file}"]) == 0


def test_monitor_says_what_it_can_of_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["monitor", "/dev/none"]) == 1
    assert "does not exist" in capsys.readouterr().err
    assert main(["monitor", "/dev/none", "--line", "fast"]) == 2
    assert "'fast': a line is written like 9600 8N1" in capsys.readouterr().err
    assert remarks([]) == remarks([("9600 8N1", b"")])
    text = b"T=21.5 H=50\r\nT=21.6 H=51\r\n"
    assert "text, such as 'T=21.6 H=51'" in remarks([("9600 8N1", text)])[0]
    assert remarks([("9600 8N1", b"\0\1")]) == ["9600 8N1: 2 bytes that no decoder understands"]


def test_monitor_asks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(monitor, "LINES", {"9600 8N1": ()})
    request = modbus_frame("02 04 0000 0002")
    answer = modbus_frame("02 84 02")
    with terminal(lambda asked: answer if asked == request else b"") as name:
        monkeypatch.setattr(monitor, "ANSWER", 3.0)
        wanted = [probe for probe in probes.PROBES if probe.request in (request, MODBUS[:8])]
        monkeypatch.setattr(probes, "PROBES", tuple(wanted))
        assert main(["monitor", name, "--ask", "--patience", "0.1"]) == 0
    out, err = capsys.readouterr()
    assert 'driver = "modbus"' in out and "unit = 2" in out
    assert "asks modbus at 9600 8N1" in err


def test_monitor_lists_the_meters_of_an_mbus(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    port = FakePort(answer=Bus([mbus_meter("1234567824400107"), mbus_meter("1234567924400107")]))
    assert monitor._list_mbus(port, "38400 8E1", "/dev/ttyUSB0") == 0
    block = capsys.readouterr().out
    head = 'gateway.id = "gw"\nupstream.url = "mqtt://localhost"\n'
    devices = parse(head + block, "x").settings.device
    assert [device.name for device in devices] == ["meter-12345678", "meter-12345679"]
    assert devices[1].options == {"secondary": "1234567924400107", "line": "38400 8E1"}
    assert monitor._list_mbus(FakePort(), "38400 8E1", "/dev/ttyUSB0") == 1
    assert capsys.readouterr().err.endswith("no meter answered\n")


def mbus_meter(address: str) -> Meter:
    octets = bytes.fromhex(address)
    header = octets[3::-1] + octets[5:3:-1] + octets[6:] + bytes(4)
    return Meter([variable(b"\x04\x13\x01\x00\x00\x00", header=header)], 1, address)


def test_answers_and_echoes() -> None:
    by_driver = {probe.driver: probe for probe in probes.PROBES}
    good = {
        "d0": b"/EMH5\\@201LZQJL0014F\r\n",
        "mbus": SAMPLES["mbus"][1],
        "mhz19": SAMPLES["mhz19"][1],
        "modbus": modbus_frame("f7 03 04 0001 0002"),
    }
    for driver, answer in good.items():
        probe = by_driver[driver]
        assert probes.answers(probe, answer)
        assert probes.answers(probe, probe.request + answer)
        assert not probes.answers(probe, probe.request)
        assert not probes.answers(probe, b"\0\xff\0")
