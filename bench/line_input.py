"""The daemon with one more input, for the bench alone: the line protocol, a reading a line.

Everything behind the input is the product: outbox, journal, link, supervisor. The feeder sends
`topic<TAB>payload<LF>` and is answered with the count of readings accepted so far, which here
means on disk or acknowledged upstream.

    python bench/line_input.py --in-port 5001 --up-port 1883 --dir DIR [--history same-topic]
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
import time
from collections import deque
from functools import lru_cache

from gateway import memory, service
from gateway.build import House, assemble
from gateway.config import parse
from gateway.flat import Flat
from gateway.model import Key, Sample

try:
    from orjson import loads
except ImportError:
    loads = json.loads

CONFIG = """
[gateway]
id = "site1"
state = "{directory}"
health_every = {health}

[upstream]
url = "mqtt://127.0.0.1:{port}"
root = "gw"
window = {window}
dialect = "{dialect}"
history = "{history}"
linger = {linger}
history_batch = {batch}

[site]
battery_clock = {clock}

[outbox]
store = "{store}"
size = "{size}"
commit_every = {commit}
durability = "{durability}"
"""

ANSWER_EVERY, HURRY = 0.04, 0.01
"""Seconds between two answers to the feeder, so that one covers many; and while MANY wait, for then
it waits for them too."""
MANY = 150

RENAMED = {"seq": "number", "ts": "due"}
"""Keys of the bench's readings that are ours already."""


@lru_cache
def channels_of(fields: tuple[str, ...]) -> tuple[str, ...]:
    """The bench's fields under names that are not ours already."""
    return tuple(RENAMED.get(field, field) for field in fields)


class Connection:
    """One feeder: a thread that takes lines, a thread that says how many are safe."""

    def __init__(self, house: House, sock: socket.socket, lean: bool) -> None:
        self._house = house
        self._sample = self._lean if lean else self._whole
        self._socket = sock
        self._devices: dict[bytes, str] = {}
        self._unsettled: deque[Key] = deque()
        self._more = threading.Event()
        self._open = True
        threading.Thread(target=self._take, daemon=True).start()
        threading.Thread(target=self._answer, daemon=True).start()

    def _take(self) -> None:
        rest = b""
        while True:
            try:
                data = self._socket.recv(65536)
            except OSError:
                break
            if not data:
                break
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                key = self._house.outbox.append(self._sample(line), wait=False).key
                self._unsettled.append(key)
            if not self._more.is_set():
                self._more.set()
        self._open = False
        self._more.set()

    def _lean(self, line: bytes) -> Sample:
        """The reading's own time and device are the sample's, so that nothing is carried twice."""
        fields = loads(line.split(b"\t", 1)[1])
        due, device = fields.pop("ts"), fields.pop("dev")
        stamp = self._house.clock.stamp()._replace(wall=due / 1e9, synchronised=True)
        return Sample(device, stamp, Flat(channels_of(tuple(fields)), list(fields.values())))

    def _whole(self, line: bytes) -> Sample:
        topic, payload = line.split(b"\t", 1)
        device = self._devices.get(topic)
        if device is None:
            device = self._devices[topic] = topic.split(b"/")[2].decode()
        fields = loads(payload)
        readings = Flat(channels_of(tuple(fields)), list(fields.values()))
        return Sample(device, self._house.clock.stamp(), readings)

    def _answer(self) -> None:
        settled = 0
        while self._open:
            self._more.wait()
            self._more.clear()
            while self._unsettled and self._open:
                time.sleep(ANSWER_EVERY if len(self._unsettled) < MANY else HURRY)
                before = settled
                while self._unsettled and self._house.outbox.settled(self._unsettled[0], 0.0):
                    self._unsettled.popleft()
                    settled += 1
                if settled > before:
                    self._say(settled)

    def _say(self, count: int) -> None:
        try:
            self._socket.sendall(b"%d\n" % count)
        except OSError:
            self._open = False


def serve(house: House, port: int, lean: bool) -> None:
    with socket.create_server(("127.0.0.1", port)) as server:
        while True:
            sock, _ = server.accept()
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(house, sock, lean)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--in-port", type=int, required=True)
    parser.add_argument("--up-port", type=int, required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--history", default="batch")
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--window", type=int, default=100)
    parser.add_argument("--store", default="ring")
    parser.add_argument("--size", default="128MiB")
    parser.add_argument("--commit", type=float, default=0.1)
    parser.add_argument("--durability", default="window")
    parser.add_argument("--dialect", default="json")
    parser.add_argument("--linger", type=float, default=0.0, help="seconds")
    parser.add_argument("--lean", action="store_true")
    parser.add_argument("--clock", action="store_true", help="the clock is set, whoever says so")
    options = parser.parse_args()
    text = CONFIG.format(
        directory=options.dir,
        port=options.up_port,
        history=options.history,
        dialect=options.dialect,
        batch=options.batch,
        window=options.window,
        linger=options.linger,
        store=options.store,
        size=options.size,
        commit=options.commit,
        durability=options.durability,
        health=3600,
        clock=str(options.clock).lower(),
    )
    memory.hold_down()
    settings, _ = parse(text, "bench", {})
    service.set_up_logging("info")
    house = assemble(settings)
    threading.Thread(target=serve, args=(house, options.in_port, options.lean), daemon=True).start()
    return house.supervisor.run()


if __name__ == "__main__":
    sys.exit(main())
