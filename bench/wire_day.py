"""What a day of 100 readings costs on the wire: HTTP, HTTPS, and the gateway over MQTT.

    sudo python bench/wire_day.py        # needs mosquitto, tcpdump, openssl, unshare

In a network namespace of its own, with tcpdump on its loopback: bytes of IP packets, both ways. A
segment that loopback does not cut counts as the pieces that an Ethernet would make of it. A reading
is 204 bytes of JSON as the gateway sends it, number and time included; HTTP posts the same bytes.
The gateway is the product, in a process of its own. Its day is not waited for: readings carry the
times of a day, and what repeats (a ping, a health message, a reading) is measured and multiplied.
"""

from __future__ import annotations

import contextlib
import http.client
import http.server
import os
import random
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from drivers.base import Reading
from gateway.build import assemble
from gateway.codecs import json_, values
from gateway.config import parse
from gateway.model import Entry, Key, Klass, Sample, Stamp

HOST = "127.0.0.1"
READINGS = 100
GAP = 86400 / READINGS
SIZE = 204
HEADERS = 52
SEGMENT = 1448
QUIET = 1.0
"""Seconds after which everything has been answered, the 40 ms of a delayed acknowledgement too."""
CONFIG = """
[gateway]
id = "site1"
state = "{state}"
health_every = "{health}"
[upstream]
url = "{url}"
ca_file = "{ca}"
{options}
"""


def sample(rng: random.Random, index: int) -> Sample:
    numbers = {"temperature": 21.4, "humidity": 55.1, "pressure": 1007.8, "voltage": 3.7}
    readings = [Reading(name, round(rng.gauss(v, v / 200), 2)) for name, v in numbers.items()]
    readings.append(Reading("medium", "row-3/bench-b/greenhouse-07/north-side/near-the-door"))
    readings.append(Reading("status", "ok"))
    wall = 1795442400.0 + index * GAP + rng.random() / 100
    return Sample("s07", Stamp(wall, 0.0, "abcd1234", True), tuple(readings))


def payload(index: int = 0) -> bytes:
    """As the gateway writes it, filled up to SIZE."""
    entry = Entry(Key(7, 1000 + index), Klass.TELEMETRY, sample(random.Random(index), index))
    return json_.dumps(values.recorded(entry)).ljust(SIZE)


class Capture:
    """Counts the packets of a port from `with` to its end."""

    def __init__(self, folder: Path, port: int) -> None:
        self._file = folder / "packets.pcap"
        command = ["tcpdump", "-i", "lo", "-U", "-n", "-s", "100", "-w", str(self._file)]
        self._command = [*command, f"tcp port {port}"]
        self.packets = self.bytes = 0

    def __enter__(self) -> Capture:
        self._process = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        self._process.stderr.readline()  # it listens
        time.sleep(0.3)
        return self

    def __exit__(self, *_: object) -> None:
        time.sleep(QUIET)
        self._process.terminate()
        self._process.communicate()
        seen = packets(self._file.read_bytes())
        self.packets, self.bytes = len(seen), sum(map(on_the_wire, seen))


def packets(data: bytes) -> list[bytes]:
    """The packets of a little-endian pcap file of Ethernet frames, from the IP header on."""
    found, at = [], 24
    while at + 16 <= len(data):
        (size,) = struct.unpack_from("<I", data, at + 8)
        found.append(data[at + 30 : at + 16 + size])
        at += 16 + size
    return found


def on_the_wire(packet: bytes) -> int:
    (total,) = struct.unpack_from("!H", packet, 2)
    return int(total) + HEADERS * max(0, -(-(total - HEADERS) // SEGMENT) - 1)


@dataclass
class Gateway:
    """The daemon in a process of its own, which records readings when it is told to."""

    folder: Path
    url: str
    options: str = ""
    health: str = "1d"

    def __enter__(self) -> Gateway:
        state = tempfile.mkdtemp(dir=self.folder)
        ca = self.folder / "cert.pem" if self.url.startswith("mqtts") else ""
        config = Path(state) / "gateway.toml"
        config.write_text(
            CONFIG.format(
                state=state, url=self.url, options=self.options, health=self.health, ca=ca
            )
        )
        command = [sys.executable, __file__, "--gateway", str(config)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, text=True)
        time.sleep(2 * QUIET)
        return self

    def record(self, count: int) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{count}\n")
        self._process.stdin.flush()

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)


def run_gateway(config: str) -> int:
    house = assemble(parse(Path(config).read_text(), config, {}).settings)

    def feed() -> None:
        rng, index = random.Random(1), 0
        for line in sys.stdin:
            for _ in range(int(line)):
                house.outbox.append(sample(rng, index))
                index += 1

    threading.Thread(target=feed, daemon=True).start()
    return house.supervisor.run()


def certificate(folder: Path) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"]
    command = ["openssl", "req", "-x509", *key, "-subj", "/CN=localhost"]
    command += ["-addext", f"subjectAltName=IP:{HOST},DNS:localhost"]
    files = ["-keyout", str(folder / "key.pem"), "-out", str(folder / "cert.pem")]
    subprocess.run([*command, *files], check=True, stderr=subprocess.DEVNULL)


def broker(folder: Path, plain: int, tls: int) -> subprocess.Popen[bytes]:
    (folder / "mosquitto.conf").write_text(
        f"listener {plain} {HOST}\nlistener {tls} {HOST}\ncertfile {folder}/cert.pem\n"
        f"keyfile {folder}/key.pem\nallow_anonymous true\nset_tcp_nodelay true\nuser root\n"
    )
    command = ["mosquitto", "-c", str(folder / "mosquitto.conf")]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


class Taker(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


def web_server(folder: Path, port: int, tls: bool) -> None:
    server = http.server.ThreadingHTTPServer((HOST, port), Taker)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()


def post(port: int, context: ssl.SSLContext | None, count: int) -> None:
    """One connection a message, as a script that is started for each would."""
    headers = {"Content-Type": "application/json", "User-Agent": "python-requests/2.32.3"}
    for index in range(count):
        if context is None:
            connection = http.client.HTTPConnection(HOST, port)
        else:
            connection = http.client.HTTPSConnection(HOST, port, context=context)
        connection.request("POST", "/api/v1/devices/s07/telemetry", payload(index), headers)
        connection.getresponse().read()
        connection.close()
        time.sleep(0.1)


def measure_gateway(folder: Path, url: str, port: int) -> dict[str, float]:
    """Bytes of: a connection with what is said at its begin, a reading, a ping, health, a batch."""
    found = {}
    capture = Capture(folder, port)
    with contextlib.ExitStack() as stack, capture:
        stack.enter_context(Gateway(folder, url))
        time.sleep(QUIET)
    found["connection"] = float(capture.bytes)
    with Gateway(folder, url, "keepalive = 600") as gateway:
        with Capture(folder, port) as some:
            for _ in range(20):
                gateway.record(1)
                time.sleep(0.15)  # each by itself, as in a day
        found["reading"] = some.bytes / 20
    with (
        Gateway(folder, url, "keepalive = 5\ndaily_bytes = 1000000"),
        Capture(folder, port) as pings,
    ):
        time.sleep(21)
    found["ping"] = pings.bytes / (pings.packets / 3)  # there, back, and its acknowledgement
    with Gateway(folder, url, "keepalive = 600", health="4s"), Capture(folder, port) as told:
        time.sleep(4.5)
    found["health"] = float(told.bytes)
    for name, every in (("batch", READINGS), ("half a batch", READINGS // 2)):
        with Gateway(folder, url, 'metered = true\nbatch_every = "5s"') as gateway:
            with Capture(folder, port) as batch:
                gateway.record(every)
                time.sleep(6)
            found[name] = float(batch.bytes)
    return found


def rows(unit: dict[str, float]) -> list[tuple[str, float]]:
    """The day, from its parts. Whoever speaks needs no ping."""
    found = []
    for keepalive in (60, 240, 1200):
        pings = READINGS * int(GAP // keepalive)
        cost = unit["connection"] + READINGS * unit["reading"] + pings * unit["ping"]
        found.append((f"one by one, keep-alive {keepalive} s, {pings} pings", cost))
    standing = unit["batch"] + unit["health"] + 2 * unit["ping"]
    twice = 2 * unit["half a batch"] + unit["health"] + 2 * unit["ping"]
    found.append(("metered = true: a batch a day, health once", standing))
    found.append(("the same, with a new connection", standing + unit["connection"]))
    found.append(('metered = true, batch_every = "12h"', twice))
    found.append(("health every minute, by itself", 1440 * unit["health"]))
    return found


def main() -> int:
    if os.environ.get("WIRE_DAY") != "inside":
        os.environ["WIRE_DAY"] = "inside"
        return subprocess.call(["unshare", "-n", sys.executable, *sys.argv])
    subprocess.run(["ip", "link", "set", "lo", "up", "mtu", "1500"], check=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        certificate(folder)
        mosquitto = broker(folder, 1883, 8883)
        context = ssl.create_default_context(cafile=str(folder / "cert.pem"))
        table: list[tuple[str, float]] = []
        for what, port, own in (("HTTP", 8080, None), ("HTTPS, TLS 1.3", 8443, context)):
            web_server(folder, port, own is not None)
            with Capture(folder, port) as posts:
                post(port, own, 20)
            table.append((f"{what}, a connection a reading", posts.bytes / 20 * READINGS))
        for what, url, port in (
            ("MQTT", f"mqtt://{HOST}:1883", 1883),
            ("MQTT, TLS 1.3", f"mqtts://{HOST}:8883", 8883),
        ):
            unit = measure_gateway(folder, url, port)
            print(what, {name: round(cost) for name, cost in unit.items()}, file=sys.stderr)
            table += [(f"{what}, {row}", cost) for row, cost in rows(unit)]
        mosquitto.terminate()
        mosquitto.wait()
    print("| 100 readings of 204 bytes a day | bytes |\n|---|---|")
    for row, cost in table:
        print(f"| {row} | {cost:,.0f} |")
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--gateway"]:
        sys.exit(run_gateway(sys.argv[2]))
    sys.exit(main())
