"""How late a live value is while a backlog drains, and what the daemon's memory does meanwhile.

    python bench/live_in_drain.py [READINGS] [batch|same-topic]

mosquitto is stopped, so many readings are taken, and it comes back; from then on a live value is
taken every 50 ms. One JSON object: seconds of the drain, milliseconds from a live value's input to
a subscriber (median, most), readings in flight at most, resident memory in MB before the outage,
before the drain, and at most.
"""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

EVERY = 0.05
LINE = (
    b'gw/site1/s%02d/telemetry\t{"seq":%d,"ts":%d,"type":"bme280","temp_c":%.2f,"hum_pct":55.2,'
    b'"press_hpa":1013.2,"batt_v":3.712,"rssi_dbm":-67,"status":"ok","fw":"1.4.2","loc":"row-1"}\n'
)
HERE = Path(__file__).parent


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def connected(port: int) -> socket.socket:
    until = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def broker(port: int, folder: Path) -> subprocess.Popen[bytes]:
    conf = folder / "mosquitto.conf"
    conf.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n")
    process = subprocess.Popen(["mosquitto", "-c", conf], stderr=subprocess.DEVNULL)
    connected(port).close()
    return process


def resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 / 1e6


class Feed:
    """The line protocol; `accepted` counts what the gateway says is safe."""

    def __init__(self, port: int) -> None:
        self._socket = connected(port)
        self.accepted = 0
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        rest = b""
        while data := self._socket.recv(4096):
            *lines, rest = (rest + data).split(b"\n")
            self.accepted = int(lines[-1]) if lines else self.accepted

    def put(self, number: int) -> None:
        line = LINE % (number % 20, number, time.time_ns(), 20 + number % 100 / 100)
        self._socket.sendall(line)


def live_values(port: int, first: int, seen: dict[int, float]) -> subprocess.Popen[str]:
    """Notes in `seen` how late each live value came, in milliseconds. Subscribed on return."""
    command = ["mosquitto_sub", "-p", str(port), "-q", "1", "-t", "gw/site1/+/data", "-F", "%U %p"]
    command += ["-t", "ready", "-i", "live-in-drain", "-c"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = threading.Event()

    def read() -> None:
        for line in process.stdout or ():
            when, payload = line.split(" ", 1)
            if payload.startswith("{"):
                fields = json.loads(payload)
                if fields["number"] >= first:
                    seen[fields["number"]] = float(when) * 1e3 - fields["due"] / 1e6
            else:
                ready.set()

    threading.Thread(target=read, daemon=True).start()
    while not ready.wait(0.2):
        subprocess.run(["mosquitto_pub", "-p", str(port), "-t", "ready", "-m", "x"], check=True)
    return process


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    history = sys.argv[2] if len(sys.argv) > 2 else "batch"
    port, in_port = free_port(), free_port()
    with tempfile.TemporaryDirectory() as name:
        up = broker(port, Path(name))
        command = [sys.executable, HERE / "line_input.py", "--in-port", str(in_port)]
        command += ["--up-port", str(port), "--dir", name, "--history", history]
        gateway = subprocess.Popen(command)
        try:
            print(json.dumps(measured(count, port, in_port, up, gateway, Path(name))))
        finally:
            gateway.send_signal(signal.SIGTERM)
            gateway.wait(60)
    return 0


def measured(
    count: int,
    port: int,
    in_port: int,
    up: subprocess.Popen[bytes],
    gateway: subprocess.Popen[bytes],
    folder: Path,
) -> dict[str, object]:
    feed = Feed(in_port)
    time.sleep(3)
    memory = [resident(gateway.pid)]
    up.terminate()
    up.wait(60)
    for number in range(count):
        while number - feed.accepted > 500:
            time.sleep(0.005)
        feed.put(number)
    while feed.accepted < count:
        time.sleep(0.05)
    memory.append(resident(gateway.pid))
    up = broker(port, folder)
    seen: dict[int, float] = {}
    subscriber = live_values(port, count, seen)
    while status(folder)["link"]["connects"] < 2:  # what is taken before that is no live value
        time.sleep(0.01)
    began, number, most, flying = time.monotonic(), count, memory[1], 0
    try:
        while (outbox := status(folder)["outbox"])["kept"] >= 20 or number < count + 20:
            feed.put(number)
            number += 1
            most = max(most, resident(gateway.pid))
            flying = max(flying, outbox["in_flight"])
            time.sleep(EVERY)
        took = time.monotonic() - began
        until = time.monotonic() + 60
        while len(seen) < number - count and time.monotonic() < until:
            time.sleep(0.05)
    finally:
        subscriber.terminate()
        up.terminate()
    late = sorted(seen.values())
    return {
        "drain_s": round(took, 2),
        "live_values": [number - count, len(late)],
        "late_ms": [round(late[len(late) // 2], 1), round(late[-1], 1)],
        "in_flight": flying,
        "rss_mb": [round(mb, 1) for mb in (*memory, most)],
    }


def status(folder: Path) -> dict[str, Any]:
    """The gateway's own account."""
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(str(folder / "status.sock"))
        one.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        data = b"".join(iter(lambda: one.recv(65536), b""))
    page: dict[str, Any] = json.loads(data.split(b"\r\n\r\n", 1)[1])
    return page


if __name__ == "__main__":
    sys.exit(main())
