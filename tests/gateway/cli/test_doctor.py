"""`tidegate doctor` on machines that are made up, and against a broker."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from gateway.cli import diagnosis_broker
from gateway.cli.demo_broker import free_port
from gateway.cli.diagnosis import FAIL, OK, WARN, Finding, Machine, machine_findings
from gateway.cli.diagnosis_broker import broker_findings
from gateway.cli.main import main
from gateway.config import parse
from tests.brokers import Mosquitto, mosquitto_path
from tests.certificates import Authority

HEAD = '[gateway]\nid = "shed"\nstate = "/var/lib/tidegate"\n[upstream]\nurl = "mqtt://localhost"\n'
WIRED = """\
[outbox]
size = "8MiB"
[[bus]]
name = "i2c"
kind = "i2c"
device = "/dev/i2c-1"
[[bus]]
name = "spi"
kind = "spi"
device = "/dev/spidev0.0"
[[bus]]
name = "head"
kind = "gpio"
[[bus]]
name = "port"
kind = "serial"
device = "/dev/serial0"
[[bus]]
name = "w1"
kind = "onewire"
[[device]]
name = "room"
driver = "scd30"
bus = "i2c"
address = 0x61
[[device]]
name = "lamp"
driver = "relay"
bus = "head"
pin = 17
[[device]]
name = "boiler"
driver = "ds18b20"
bus = "w1"
address = "28-0316a2794cff"
"""
SETTINGS = parse(HEAD + WIRED, "shed.toml").settings


def found(
    root: Path, *, access: bool = True, libraries: bool = True, clock: bool = True
) -> list[Finding]:
    machine = Machine(
        root,
        access=lambda path, mode: access,
        has_library=lambda name: libraries,
        synchronised=lambda: clock,
    )
    return list(machine_findings(SETTINGS, machine))


def of(findings: Sequence[Finding], text: str) -> Finding:
    (finding,) = [finding for finding in findings if text in finding.what]
    return finding


@pytest.fixture
def well(tmp_path: Path) -> Path:
    for file in ("dev/i2c-1", "dev/spidev0.0", "dev/gpiochip0", "dev/serial0"):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).touch()
    for folder in (
        "sys/bus/w1/devices/28-0316a2794cff", "sys/class/rtc/rtc0", "var/lib/tidegate",
        "proc/device-tree", "sys/devices/platform/soc/soc:firmware",
    ):  # fmt: skip
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    (tmp_path / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text("0\n")
    return tmp_path


def test_a_machine_that_is_well(well: Path) -> None:
    assert {finding.level for finding in found(well)} == {OK}


def test_nothing_there_and_what_mends_it(tmp_path: Path) -> None:
    findings = found(tmp_path, libraries=False, clock=False)
    for text, mend in (
        ("/dev/i2c-1 does not exist", "do_i2c 0"), ("spidev0.0 does not exist", "do_spi 0"),
        ("needs the library spidev", "python3-spidev"), ("library lgpio", "python3-lgpio"),
        ("/dev/serial0 does not exist", "by-id"), ("1-Wire: the kernel", "dtoverlay=w1-gpio"),
        ("clock is not synchronised", "set-ntp true"), ("no battery clock", "ds3231"),
        ("this chip holds the clock", "dtoverlay=i2c-gpio"),
    ):  # fmt: skip
        assert mend in of(findings, text).mend, text
    assert of(findings, "clock is not").level == WARN


def test_rights(well: Path) -> None:
    findings = found(well, access=False)
    for text, mend in (
        ("/dev/i2c-1: no permission", "adduser $USER i2c"), ("gpiochip0: no", "adduser $USER gpio"),
        ("/dev/serial0: no", "dialout"), ("cannot be written", "chown $USER /var/lib/tidegate"),
    ):  # fmt: skip
        assert mend in of(findings, text).mend, text


def test_what_the_kernel_has_taken(well: Path) -> None:
    (well / "proc/cmdline").write_text("console=serial0,115200 root=/dev/mmcblk0p2")
    chip = well / "sys/bus/i2c/devices/1-0061"
    chip.mkdir(parents=True)
    (well / "sys/bus/i2c/drivers/scd30").mkdir(parents=True)
    (chip / "driver").symlink_to("../../drivers/scd30")
    (well / "sys/bus/w1/devices/28-0316a2794cff").rmdir()
    (well / "sys/devices/platform/soc/soc:firmware/get_throttled").write_text("50000\n")
    findings = found(well)
    assert "do_serial_cons 1" in of(findings, "the kernel's console").mend
    assert of(findings, "the kernel's driver scd30 has 0x61").level == FAIL
    assert of(findings, "28-0316a2794cff is not on").mend == "tidegate scan"
    assert of(findings, "too low since the start").level == WARN


def test_a_pin_that_two_want(well: Path) -> None:
    text = HEAD + WIRED.replace("pin = 17", "pin = 3")
    findings = list(machine_findings(parse(text, "x").settings, Machine(well)))
    assert of(findings, "GPIO3 (pin 5) is wanted twice").level == FAIL


def test_a_disk_without_room(well: Path) -> None:
    text = HEAD + '[outbox]\nsize = "900000GB"\n'
    findings = list(machine_findings(parse(text, "x").settings, Machine(well)))
    assert of(findings, "MiB are free for the journal").level == FAIL


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(diagnosis_broker, "TIMEOUT", 45.0)


def asked(url: str, more: str = "") -> list[Finding]:
    text = f'[gateway]\nid = "shed"\n[upstream]\nurl = "{url}"\n{more}'
    return list(broker_findings(parse(text, "x").settings))


def test_a_broker_that_lets_us(broker: str) -> None:
    findings = asked(broker)
    assert [finding.level for finding in findings] == [OK] * 3
    of(findings, "takes what we publish")
    assert [f.level for f in asked(broker, 'protocol = "3.1.1"\n')] == [OK, OK, WARN]


def test_a_broker_that_is_not_there() -> None:
    port = free_port()
    assert "nc -vz 127.0.0.1" in of(asked(f"mqtt://127.0.0.1:{port}"), "refused").mend


def test_login_and_acl(tmp_path: Path) -> None:
    passwords, rules = tmp_path / "passwords", tmp_path / "acl"
    program = (mosquitto_path() or "mosquitto").replace("sbin/mosquitto", "bin/mosquitto")
    if not Path(f"{program}_passwd").exists():
        pytest.skip("mosquitto_passwd is not installed")
    subprocess.run([f"{program}_passwd", "-b", "-c", passwords, "shed", "secret"], check=True)
    passwords.chmod(0o644)
    rules.write_text("user shed\ntopic read tidegate/shed/#\n")
    rules.chmod(0o644)
    tmp_path.chmod(0o755)
    broker = Mosquitto(
        tmp_path, "user root", f"password_file {passwords}", f"acl_file {rules}", anonymous=False
    )
    broker.start()
    try:
        wrong = asked(broker.url, 'username = "shed"\npassword = "wrong"\n')
        assert wrong[-1].level == FAIL and "broker-acl" in wrong[-1].mend
        findings = asked(broker.url, 'username = "shed"\npassword = "secret"\n')
        assert of(findings, "does not take what we publish").mend == "tidegate broker-acl"
        missing = asked(broker.url, 'username = "shed"\npassword_file = "/no/such/file"\n')
        assert missing[-1].level == FAIL and "/no/such/file" in missing[-1].what
    finally:
        broker.stop()


def test_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    pair = authority.issue("localhost")
    port = free_port()
    broker = Mosquitto(
        tmp_path,
        *("user root", f"listener {port} 127.0.0.1"),
        *(f"certfile {pair.cert}", f"keyfile {pair.key}", f"cafile {authority.cert}"),
    )
    broker.start()
    try:
        url = f"mqtts://localhost:{port}"
        findings = asked(url, f'ca_file = "{authority.cert}"\n')
        assert "its certificate is good for" in findings[0].what
        assert findings[-1].level == OK
        (stranger,) = asked(url)
        assert stranger.level == FAIL and "openssl s_client" in stranger.mend
    finally:
        broker.stop()


def test_certificates_that_cannot_be_used(tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("no certificate")
    findings = asked("mqtt://127.0.0.1:1", f'cert_file = "{file}"\nkey_file = "{file}"\n')
    assert "no PEM certificate" in findings[0].what


def test_the_verb(tmp_path: Path, capsys: pytest.CaptureFixture[str], well: Path) -> None:
    file = tmp_path / "shed.toml"
    file.write_text(HEAD + WIRED)
    code = main(["doctor", str(file), "--offline", "--root", str(well)])
    out = capsys.readouterr().out
    assert "ok    disk:" in out and "to mend" in out
    assert main(["doctor", str(file), "--offline", "--root", str(well), "--json"]) == code
    assert json.loads(capsys.readouterr().out)["ok"] is (code == 0)
    assert main(["doctor", str(tmp_path / "none.toml")]) == 78
