"""The demo's broker, a process of its own, and the gate in front of it.

rumqttd (in the wheel `iotcore`) keeps sessions in memory only. When it starts again it has no
subscriber, and what it acknowledges before the consumer is back reaches nobody. So the gateway does
not see the broker itself but a gate, which opens when the consumer has subscribed, and closes
before the broker stops.
"""

from __future__ import annotations

import contextlib
import logging
import os
import random
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

HOST = "127.0.0.1"
MAX_PAYLOAD = 1 << 20
"""Bytes; a batch of the backlog is some 20 kB."""
START_TIMEOUT = 30.0
STOP_TIMEOUT = 5.0
CHUNK = 1 << 16
PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")

_dice = random.SystemRandom()


class BrokerFailed(Exception):
    """The broker did not start; the message says why and what to do."""


_given: set[int] = set()


def free_port() -> int:
    """A port where nobody listens, nor will by chance before it is used.

    Below those that the kernel gives to outgoing connections: one of these could take it meanwhile,
    and who connects to such a port before anybody listens there may end up connected to itself.
    """
    first = int(PORTS.read_text().split()[0]) if PORTS.exists() else 0
    end = first if first > 4096 else 32768  # a machine that gives nearly all of them
    while True:
        port = _dice.randrange(end // 2, end)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind((HOST, port))
            if port not in _given:
                _given.add(port)
                return port


class Broker:
    """Starts and stops; each time on a new port, with nothing remembered."""

    def __init__(self) -> None:
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns when it listens. BrokerFailed."""
        self.port = free_port()
        # A session of its own: Ctrl-C in the terminal is for the demo alone. It ends with us,
        # because its stdin does.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gateway.cli.demo_broker", str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        deadline = time.monotonic() + START_TIMEOUT
        while not self._listens():
            if self._process.poll() is not None:
                raise BrokerFailed("the broker ended at once: pip install 'tidegate[demo]'")
            if time.monotonic() > deadline:
                self.stop()
                raise BrokerFailed(f"the broker does not listen after {START_TIMEOUT:.0f} s")
            time.sleep(0.02)

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.port)) == 0

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdin:
            process.stdin.close()


class Gate:
    """A TCP port that leads to the broker while it is open and refuses while it is shut."""

    def __init__(self) -> None:
        self.port = free_port()
        self._listener: socket.socket | None = None
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()

    def open(self, target: int) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        listener.listen()
        self._listener = listener
        threading.Thread(target=self._serve, args=(listener, target), daemon=True).start()

    def shut(self) -> None:
        """Cuts what is connected."""
        listener, self._listener = self._listener, None
        if listener is not None:
            _end(listener)
        with self._lock:
            for one in self._sockets:
                _end(one)
            self._sockets.clear()

    def _serve(self, listener: socket.socket, target: int) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return  # shut
            try:
                far = socket.create_connection((HOST, target))
            except OSError:
                _end(near)
                continue
            with self._lock:
                if self._listener is not listener:
                    _end(near)
                    _end(far)
                    return
                self._sockets |= {near, far}
            for pair in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=pair, daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while data := source.recv(CHUNK):
                sink.sendall(data)
        except OSError:
            pass  # one end is gone, so is the other in a moment
        with self._lock:
            self._sockets -= {source, sink}
        _end(source)
        _end(sink)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


def _end_with_the_demo() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> int:
    """`python -m gateway.cli.demo_broker PORT`: the broker, until stdin ends or SIGTERM."""
    try:
        import iotcore
    except ImportError:
        return 1
    threading.Thread(target=_end_with_the_demo, daemon=True).start()
    # rumqttd opens an "error span" for every packet, and iotcore turns each into an error record.
    logging.getLogger("rumqttd").setLevel(logging.CRITICAL)
    port = int(sys.argv[1])
    iotcore.Broker(port=port, listen=HOST, max_payload_size=MAX_PAYLOAD).run_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
