"""What the daemon costs while little happens: memory, processor, wake-ups, disk, and its start.

    python bench/footprint.py memory          # TLS, SQLite and a driver of every family loaded
    python bench/footprint.py idle            # 20 devices at 10 s, plain MQTT on this machine
    python bench/footprint.py imports         # which modules of the daemon cost most

Needs mosquitto and openssl. Figures are of /proc, one JSON object a measurement.
"""

from __future__ import annotations

import argparse
import json
import os
import pty
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEAD = """
[gateway]
id = "bench"
state = "{folder}/state"
health_every = "60s"

[upstream]
url = "{url}"
ca_file = "{ca}"

[outbox]
size = "8MiB"
"""
SIMULATED = """
[[bus]]
name = "i2c{bus}"
kind = "simulated-i2c"
chips = [{chips}]
"""
CHIP = """
[[device]]
name = "{driver}-{bus}"
driver = "{driver}"
bus = "i2c{bus}"
address = {address}
interval = "10s"
"""
FAMILIES = """
[[device]]
name = "machine"
driver = "host"

[[bus]]
name = "pins"
kind = "gpio"
device = "mock"

[[device]]
name = "lamp"
driver = "relay"
bus = "pins"
pin = 17

[[bus]]
name = "head"
kind = "serial"
device = "{port}"

[[device]]
name = "meter"
driver = "sml"
bus = "head"

[[bus]]
name = "w1"
kind = "onewire"

[[device]]
name = "probe"
driver = "ds18b20"
bus = "w1"
address = "28-0316a2794cff"
"""
CHIPS = {"bme280": "0x76", "bmp280": "0x77", "sht3x": "0x45", "sht4x": "0x44", "aht20": "0x38"}
BUSES = 4


def devices(buses: int) -> str:
    """Five chips at 10 s on each simulated bus."""
    chips = ", ".join(f'"{driver}@{address}"' for driver, address in CHIPS.items())
    parts = []
    for bus in range(buses):
        parts.append(SIMULATED.format(bus=bus, chips=chips))
        parts += [CHIP.format(driver=d, bus=bus, address=a) for d, a in CHIPS.items()]
    return "".join(parts)


class Broker:
    """mosquitto on a free port, with TLS and a certificate made for the occasion if asked."""

    def __init__(self, folder: Path, tls: bool) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        lines = [f"listener {self.port} 127.0.0.1", "allow_anonymous true", "persistence false"]
        self.ca = ""
        if tls:
            key, self.ca = str(folder / "key.pem"), str(folder / "ca.pem")
            subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
            command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
            command += ["-keyout", key, "-out", self.ca, *subject]
            subprocess.run(command, check=True, capture_output=True)
            lines += [f"certfile {self.ca}", f"keyfile {key}", "user root"]
        self.url = f"{'mqtts' if tls else 'mqtt'}://localhost:{self.port}"
        (folder / "broker.conf").write_text("\n".join(lines) + "\n")
        path = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
        self.process = subprocess.Popen([path, "-c", str(folder / "broker.conf")])


def daemon(folder: Path, broker: Broker, body: str) -> subprocess.Popen[bytes]:
    config = folder / "gateway.toml"
    config.write_text(HEAD.format(folder=folder, url=broker.url, ca=broker.ca) + body)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "gateway", "run", str(config)]
    return subprocess.Popen(command, env=environment)


def status_of(pid: int, name: str) -> int:
    """A line of /proc/PID/status, a number."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise ValueError(name)


def sample(pid: int) -> dict[str, float]:
    """Since its start: CPU seconds, voluntary switches of all threads, bytes caused on disk."""
    cpu = switches = 0.0
    for task in Path(f"/proc/{pid}/task").iterdir():
        cpu += int((task / "schedstat").read_text().split()[0]) / 1e9
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                switches += int(line.split()[1])
    io = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return {"cpu": cpu, "switches": switches, "disk": float(io["write_bytes"])}


def first_publish(folder: Path, port: int, began: float) -> float:
    """Seconds from the start of the process to its first reading at the broker."""
    client = shutil.which("mosquitto_sub")
    if client is None:
        return float("nan")
    command = [client, "-p", str(port), "-t", "tidegate/bench/+/data", "-C", "1", "-W", "30"]
    subprocess.run(command, check=True, capture_output=True)
    return time.monotonic() - began


def memory(seconds: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder, tls=True)
        _, port = pty.openpty()
        gateway = daemon(folder, broker, devices(1) + FAMILIES.format(port=os.ttyname(port)))
        try:
            time.sleep(seconds)
            rollup = Path(f"/proc/{gateway.pid}/smaps_rollup").read_text()
            pss = next(int(line.split()[1]) for line in rollup.splitlines() if "Pss:" in line)
            rss = status_of(gateway.pid, "VmRSS")
            return {
                "memory": "TLS, SQLite, every family",
                "rss_mb": rss / 1024,
                "pss_mb": pss / 1024,
            }
        finally:
            end(gateway, broker)


def idle(seconds: float) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        broker = Broker(folder, tls=False)
        time.sleep(1.0)
        began = time.monotonic()
        gateway = daemon(folder, broker, devices(BUSES))
        try:
            started = first_publish(folder, broker.port, began)
            time.sleep(15.0)
            before = sample(gateway.pid)
            time.sleep(seconds)
            after = sample(gateway.pid)
            spent = {key: (after[key] - before[key]) / seconds for key in after}
            return {
                "idle": f"{BUSES * len(CHIPS)} devices at 10 s",
                "seconds": seconds,
                "cpu_s_per_hour": spent["cpu"] * 3600,
                "wakeups_per_s": spent["switches"],
                "disk_bytes_per_s": spent["disk"],
                "rss_mb": status_of(gateway.pid, "VmRSS") / 1024,
                "first_publish_s": started,
            }
        finally:
            end(gateway, broker)


def end(gateway: subprocess.Popen[bytes], broker: Broker) -> None:
    for process in (gateway, broker.process):
        process.terminate()
        process.wait(20)


PROBE = """
import sys
def rss():
    return int(open("/proc/self/statm").read().split()[1]) * 4
before = rss()
for name in sys.argv[1:]:
    __import__(name)
print(rss() - before)
"""
PARTS = (
    *(
        "gateway.config",
        "gateway.state",
        "gateway.outbox",
        "gateway.journal_open",
        "gateway.control",
    ),
    *("gateway.link.link", "gateway.codecs.json_", "gateway.build", "paho.mqtt.client", "ssl"),
    *("sqlite3", "logging", "dataclasses", "gpiozero", "serial", "orjson"),
)


def imports() -> dict[str, object]:
    """kB of resident memory that each adds to a bare interpreter, with all that it imports."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    cost = {}
    for name in PARTS:
        command = [sys.executable, "-c", PROBE, name]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        cost[name] = int(done.stdout) if done.returncode == 0 else None
    return {"imports_kb": cost}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("what", choices=("memory", "idle", "imports"))
    parser.add_argument("--seconds", type=float, default=60.0)
    options = parser.parse_args()
    if options.what == "imports":
        result = imports()
    else:
        result = (memory if options.what == "memory" else idle)(options.seconds)
    print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in result.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
