"""`tidegate broker-acl` against mosquitto: what is allowed works, and what is not is refused."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from paho.mqtt.enums import MQTTProtocolVersion

from tests import rights
from tests.brokers import PATIENCE, Listener, Mosquitto, eventually
from tests.e2e.house import Gateway

PLUGIN = next(Path("/usr/lib").glob("*/mosquitto_dynamic_security.so"), None)
AS_ROOT = ("user root",) if os.getuid() == 0 else ()


@pytest.fixture
def acl_broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """With the files that `broker-acl` wrote from the gateway's configuration."""
    out = tmp_path / "rights"
    options = [f"acl_file {out}/acl", f"password_file {out}/passwords", *AS_ROOT]
    mosquitto = Mosquitto(tmp_path, *options, anonymous=False)
    config = rights.write_config(tmp_path, mosquitto.url)
    rights.write_rights(tmp_path, config, "mosquitto")
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


def send(
    broker: Mosquitto, folder: Path, login: str, device: str, patience: str
) -> subprocess.CompletedProcess[str]:
    password = folder / f"{login}.password"
    password.write_text(rights.LOGINS[login])
    command = [sys.executable, "-m", "gateway", "send", "shed", device, "true"]
    command += ["--timeout", patience]
    command += ["--url", broker.url, "--username", login, "--password-file", str(password)]
    return subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)


def test_acl_and_password_file(acl_broker: Mosquitto) -> None:
    company = rights.Company(acl_broker.port, MQTTProtocolVersion.MQTTv5)
    company.check()
    stranger = rights.Person(acl_broker.port, "anna", "wrong", MQTTProtocolVersion.MQTTv5)
    assert stranger.refused.wait(PATIENCE)
    stranger.close()


def test_a_gateway_needs_no_more_and_people_reach_it(acl_broker: Mosquitto, tmp_path: Path) -> None:
    gateway = Gateway(tmp_path / "gateway.toml")
    gateway.start()
    listener = Listener(acl_broker.port, f"{rights.BASE}/#", "anna", rights.LOGINS["anna"])
    listener.wait_for(f"{rights.BASE}/host/data", 3)
    listener.wait_for(f"{rights.BASE}/health")
    done = send(acl_broker, tmp_path, "bert", "pump", "60")
    assert done.stdout == "pump: done, now on\n", done.stderr
    refused = send(acl_broker, tmp_path, "bert", "valve", "4")
    assert refused.returncode == 7, refused.stdout  # no answer: nobody heard it
    assert gateway.end(signal.SIGTERM) == 0
    eventually(lambda: listener.of(f"{rights.BASE}/status")[-1:] == [b"offline"], "offline")
    listener.close()
    denied = [line for line in acl_broker.log.splitlines() if "Denied PUBLISH" in line]
    assert not [line for line in denied if "tidegate-shed" in line]
    states = listener.of(f"{rights.BASE}/valve/state")
    assert not [payload for payload in states if b'"value":true' in payload]


@pytest.mark.skipif(PLUGIN is None, reason="mosquitto has no dynamic security plug-in here")
def test_dynamic_security(tmp_path: Path) -> None:
    control = shutil.which("mosquitto_ctrl")
    if control is None:
        pytest.skip("mosquitto_ctrl is not installed: apt-get install mosquitto")
    state = tmp_path / "dynamic-security.json"
    subprocess.run([control, "dynsec", "init", str(state), "admin", "admin-pass"], check=True)
    options = [f"plugin {PLUGIN}", f"plugin_opt_config_file {state}", *AS_ROOT]
    broker = Mosquitto(tmp_path, *options, anonymous=False)
    config = rights.write_config(tmp_path, broker.url)
    out = rights.write_rights(tmp_path, config, "dynsec")
    broker.start()
    listener = Listener(broker.port, "$CONTROL/dynamic-security/v1/response", "admin", "admin-pass")
    for _ in range(2):  # again changes nothing
        listener.publish("$CONTROL/dynamic-security/v1", (out / "dynsec.json").read_text())
        listener.wait_for("$CONTROL/dynamic-security/v1/response")
    for login, password in rights.LOGINS.items():
        command = [control, "-h", "127.0.0.1", "-p", str(broker.port), "-u", "admin"]
        command += ["-P", "admin-pass", "dynsec", "setClientPassword", login, password]
        subprocess.run(command, check=True, timeout=30)
    rights.Company(broker.port, MQTTProtocolVersion.MQTTv5).check()
    listener.close()
    broker.stop()
