"""A broker that does as it is told: one small MQTT 5 and 3.1.1 server for the link's tests.

By default it behaves. Its fields change what it does, at any moment: it refuses, stays silent,
sends garbage, hangs up. It keeps sessions, and at QoS 2 delivers as the standard says (MQTT 5.0,
4.3.3, method B): once, when the PUBREL comes. No wildcards are matched and nothing is forwarded:
what would have reached a subscriber is in `delivered`.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from tests.mqtt_bytes import (
    CONNACK,
    CONNECT,
    DISCONNECT,
    PINGREQ,
    PINGRESP,
    PUBACK,
    PUBCOMP,
    PUBLISH,
    PUBREC,
    PUBREL,
    REASON_STRING,
    SUBACK,
    SUBSCRIBE,
    Hello,
    Reader,
    Sent,
    Values,
    packed,
    packet,
    read_hello,
    read_publish,
    text,
)


@dataclass
class Session:
    """What outlives a connection: QoS 2 messages that wait for their PUBREL."""

    held: dict[int, Sent] = field(default_factory=dict)


class Peer:
    """One client's connection, in a thread of its own.

    over: the client has another one by now. What this one still had on its way is not heard any
    more, for it is sent again in the new one (MQTT 5.0, 3.1.4).
    """

    def __init__(self, broker: ScriptedBroker, sock: socket.socket) -> None:
        self.broker = broker
        self.sock = sock
        self.hello: Hello | None = None
        self.session = Session()
        self.unanswered = 0
        self.over = False
        self._lock = threading.Lock()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        broker = self.broker
        try:
            if broker.tls is not None:
                self.sock = broker.tls.wrap_socket(self.sock, server_side=True)
            broker.arrived(self)
            for kind, flags, body in self._packets():
                broker.handle(self, kind, flags, body)
        except (OSError, EOFError):
            pass  # it is gone, or was cut
        except (AssertionError, ValueError, IndexError) as error:
            broker.faults.append(repr(error))
        finally:
            broker.left(self)
            self.close()

    def _packets(self) -> Iterator[tuple[int, int, bytes]]:
        while True:
            first = self._exactly(1)[0]
            length = shift = 0
            while True:
                byte = self._exactly(1)[0]
                length |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    break
            yield first >> 4, first & 15, self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self.sock.recv(count - len(data))
            if not chunk:
                raise EOFError
            data += chunk
        return data

    def send(self, data: bytes) -> None:
        with self._lock, contextlib.suppress(OSError):
            self.sock.sendall(data)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


class ScriptedBroker:
    """A context manager. Lists only grow, so a test may look at them without a lock.

    versions: 5 and 4 (which is 3.1.1); a CONNECT of another one is answered as a 3.1.1 broker does.
    silent: packet types that are swallowed. reason: the code that answers a PUBLISH.
    hang_up: connections end at a PUBLISH for which it is true. welcome: CONNACK properties.
    suback: the code for every filter, None: granted. instead: bytes sent in the place of a CONNACK.
    keeps_sessions: off, every session is a new one. tolerant: clients may send what is not MQTT;
    else that fails the test.
    """

    def __init__(
        self,
        *,
        family: int = socket.AF_INET,
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.versions: tuple[int, ...] = (4, 5)
        self.refusal = 0
        self.refusal_text = ""
        self.welcome: Values = {}
        self.silent: set[int] = set()
        self.suback: int | None = None
        self.instead: bytes | None = None
        self.reason: Callable[[Sent], int] = lambda sent: 0
        self.hang_up: Callable[[Sent], bool] = lambda sent: False
        self.keeps_sessions = True
        self.tolerant = False
        self.faults: list[str] = []
        self.tls = tls

        self.hellos: list[Hello] = []
        self.filters: list[list[tuple[str, int]]] = []
        self.received: list[Sent] = []
        self.delivered: list[Sent] = []
        self.released: list[int] = []
        self.acks: list[int] = []
        self.pings = 0
        self.goodbyes: list[int] = []
        self.wills: list[Sent] = []
        self.most_unanswered = 0
        self.peers: list[Peer] = []

        self.sessions: dict[str, Session] = {}
        self._lock = threading.RLock()
        self._listener = socket.socket(family)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind((host, 0))
        self.host = host
        self.port = int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"

    def __enter__(self) -> ScriptedBroker:
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        assert self.tolerant or not self.faults, self.faults

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            Peer(self, sock).thread.start()

    # What a test does to it.

    def cut(self) -> None:
        """Every connection ends, without a word."""
        for peer in list(self.peers):
            peer.close()

    def send(self, data: bytes) -> None:
        """Raw bytes to everybody."""
        for peer in list(self.peers):
            peer.send(data)

    def dismiss(self, code: int, said: str = "") -> None:
        """DISCONNECT of MQTT 5."""
        values = packed({REASON_STRING: said}) if said else b"\0"
        self.send(packet(DISCONNECT, bytes([code]) + values))
        self.cut()

    def publish(
        self, topic: str, payload: bytes, mid: int = 1, dup: bool = False, retain: bool = False
    ) -> None:
        """A PUBLISH at QoS 1 to everybody who speaks MQTT 5."""
        body = text(topic) + struct.pack("!H", mid) + b"\0" + payload
        self.send(packet(PUBLISH, body, 0x02 | dup << 3 | retain))

    def forget_sessions(self) -> None:
        with self._lock:
            self.sessions.clear()

    def of(self, topic: str) -> list[Sent]:
        return [sent for sent in list(self.received) if sent.topic == topic]

    # What it does.

    def arrived(self, peer: Peer) -> None:
        with self._lock:
            self.peers.append(peer)

    def left(self, peer: Peer) -> None:
        with self._lock:
            if peer in self.peers:
                self.peers.remove(peer)
            if peer.hello is not None and peer.hello.will is not None:
                self.wills.append(peer.hello.will)

    def handle(self, peer: Peer, kind: int, flags: int, body: bytes) -> None:
        # What it is to do is looked up before anybody can see that the packet has come: a test that
        # waits for that and then tells it to do otherwise means the next one.
        with self._lock:
            if peer.over:
                raise EOFError
            silent = set(self.silent)
            if kind == CONNECT:
                self._connect(peer, Reader(body), CONNECT in silent)
            elif kind == SUBSCRIBE:
                self._subscribe(peer, Reader(body), SUBSCRIBE in silent)
            elif kind == PUBLISH:
                self._publish(peer, flags, body, silent)
            elif kind == PUBREL:
                self._release(peer, Reader(body).number(2), PUBREL in silent)
            elif kind == PUBACK:
                self.acks.append(Reader(body).number(2))
            elif kind == PINGREQ:
                self.pings += 1
                if PINGREQ not in silent:
                    peer.send(packet(PINGRESP, b""))
            elif kind == DISCONNECT:
                self._goodbye(peer, body)

    def _connect(self, peer: Peer, reader: Reader, silent: bool) -> None:
        hello = read_hello(reader)
        peer.hello = None
        instead, refusal = self.instead, self.refusal
        self.hellos.append(hello)
        if silent:
            return
        if instead is not None:
            peer.send(instead)
            return
        if hello.version not in self.versions:
            peer.send(packet(CONNACK, b"\0\x01"))
            raise EOFError
        if refusal:
            said: Values = {REASON_STRING: self.refusal_text} if self.refusal_text else {}
            tail = packed(said) if hello.version == 5 else b""
            peer.send(packet(CONNACK, bytes([0, refusal]) + tail))
            raise EOFError
        peer.hello = hello
        known = self.sessions.get(hello.client_id)
        if known is None or hello.clean or not self.keeps_sessions:
            known = None
            self.sessions[hello.client_id] = Session()
        peer.session = self.sessions[hello.client_id]
        for other in self.peers:
            if other.hello is not None and other.hello.client_id == hello.client_id:
                other.over = other is not peer
        tail = packed(self.welcome) if hello.version == 5 else b""
        peer.send(packet(CONNACK, bytes([known is not None, 0]) + tail))

    def _subscribe(self, peer: Peer, reader: Reader, silent: bool) -> None:
        assert peer.hello is not None
        mid, suback = reader.number(2), self.suback
        if peer.hello.version == 5:
            reader.properties()
        filters = []
        while reader.rest:
            filters.append((reader.text(), reader.number(1)))
        self.filters.append(filters)
        if silent:
            return
        codes = [qos & 3 if suback is None else suback for _, qos in filters]
        tail = b"\0" if peer.hello.version == 5 else b""
        peer.send(packet(SUBACK, struct.pack("!H", mid) + tail + bytes(codes)))

    def _publish(self, peer: Peer, flags: int, body: bytes, silent: set[int]) -> None:
        assert peer.hello is not None, "PUBLISH before CONNECT"
        sent = read_publish(flags, body, peer.hello.version)
        hang_up, code = self.hang_up(sent), self.reason(sent)
        if sent.qos:
            peer.unanswered += 1
            self.most_unanswered = max(self.most_unanswered, peer.unanswered)
        self.received.append(sent)
        if hang_up:
            raise EOFError
        if PUBLISH in silent:
            return
        if sent.qos < 2:
            if code < 0x80:
                self.delivered.append(sent)
            if sent.qos:
                self.answer(peer, PUBACK, sent.mid, code)
            return
        if code < 0x80:
            # A second one with the same id is the first one again, whatever is in it.
            peer.session.held.setdefault(sent.mid, sent)
        if PUBREC not in silent:
            self.answer(peer, PUBREC, sent.mid, code)

    def _release(self, peer: Peer, mid: int, silent: bool) -> None:
        held = peer.session.held.pop(mid, None)
        if held is not None:
            self.delivered.append(held)
        self.released.append(mid)
        if not silent:
            self.answer(peer, PUBCOMP, mid, 0 if held is not None else 0x92)

    def answer(self, peer: Peer, kind: int, mid: int, code: int) -> None:
        if kind != PUBREC or code >= 0x80:
            peer.unanswered = max(0, peer.unanswered - 1)
        five = peer.hello is not None and peer.hello.version == 5
        tail = bytes([code]) if code and five else b""
        peer.send(packet(kind, struct.pack("!H", mid) + tail))

    def _goodbye(self, peer: Peer, body: bytes) -> None:
        code = body[0] if body else 0
        self.goodbyes.append(code)
        if code != 4 and peer.hello is not None:
            peer.hello = replace(peer.hello, will=None)
        raise EOFError
