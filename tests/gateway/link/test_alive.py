"""Alive by progress: whatever breaks inside the link, it goes on, counts it, and tells it."""

from __future__ import annotations

import ctypes
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gateway.link.decisions import STABLE
from gateway.link.inbound import AckToken
from gateway.model import Command, Key, Result
from tests.brokers import Listener, Mosquitto, eventually
from tests.gateway.link.parts import LinkRig, MemoryOutbox, sample
from tests.mqtt_bytes import CONNACK, DISCONNECT, PUBACK, PUBLISH, PUBREC, SUBACK, packet, text
from tests.scripted_broker import ScriptedBroker

MALFORMED = {
    "a reserved packet type": b"\xf0\x00",
    "type 0": b"\x00\x00",
    "a length of five bytes": b"\x40\xff\xff\xff\xff\x01",
    "a PUBACK without an id": packet(PUBACK, b""),
    "a PUBACK with half an id": packet(PUBACK, b"\x01"),
    "a PUBACK with broken properties": packet(PUBACK, b"\0\x01\0\x05\x1f\xff"),
    "a PUBREC without an id": packet(PUBREC, b""),
    "a PUBLISH without a topic": packet(PUBLISH, b"\xff"),
    "a PUBLISH of QoS 3": packet(PUBLISH, text("a") + b"\0\x01\0", 0x06),
    "a PUBLISH with a property that is none": packet(PUBLISH, text("a") + b"\x02\xee\x01"),
    "a SUBACK that is too short": packet(SUBACK, b"\0"),
    "a CONNACK in the middle": packet(CONNACK, b"\0\0\0"),
    "a DISCONNECT with an unknown reason": packet(DISCONNECT, b"\x7f"),
    "a packet of 250 MB": b"\x30\xff\xff\xff\x7f",
}


@pytest.mark.parametrize("damage", MALFORMED.values(), ids=MALFORMED)
def test_malformed_packets_cost_a_connection_and_no_more(
    scripted: ScriptedBroker, damage: bytes
) -> None:
    """Case 31: reconnect and count; what was in flight is sent again."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        scripted.send(damage)
        eventually(lambda: rig.connects == 2)
        assert rig.link.status().drops == 1
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])


@pytest.mark.parametrize("instead", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x20\x00", b"\0" * 64])
def test_garbage_instead_of_a_welcome(scripted: ScriptedBroker, instead: bytes) -> None:
    """Case 31."""
    scripted.instead = instead
    with LinkRig(scripted.url) as rig:
        rig.until(lambda: len(scripted.hellos) >= 2)
        assert not rig.up
        scripted.instead = None
        rig.until(lambda: rig.up)


@pytest.mark.parametrize("seed", range(20))
def test_random_bytes(scripted: ScriptedBroker, seed: int) -> None:
    """Case 31: whatever comes, the link is back, and the thread is the same."""
    dice = random.Random(seed)
    scripted.tolerant = True  # bytes may be taken for a message that wants an answer
    with LinkRig(scripted.url) as rig:
        for _ in range(5):
            eventually(lambda: rig.up)
            before = rig.link.status().drops
            first = bytes([dice.choice([0x20, 0x30, 0x32, 0x34, 0x40, 0x50, 0x62, 0x70, 0x90])])
            length = dice.randrange(1, 60)
            scripted.send(first + bytes([length]) + dice.randbytes(length) + dice.randbytes(9))
            scripted.send(b"\xf0\xff")
            rig.until(lambda: rig.link.status().drops > before)  # noqa: B023
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])
        assert rig.link.status().callback_errors == 0


def test_a_callback_that_raises(scripted: ScriptedBroker) -> None:
    """P9, case 32: counted and told, the connection lives, and what was not settled is not
    acknowledged: the broker sends it again."""
    raised: list[str] = []

    def on_command(what: Command | Result, token: AckToken) -> None:
        raised.append("once")
        raise RuntimeError("a bug of the receiver")

    with LinkRig(scripted.url, on_command=on_command) as rig:
        eventually(lambda: rig.settled)
        scripted.publish("tidegate/g/pump/set", b"ON", mid=9)
        eventually(lambda: rig.link.status().callback_errors == 1)
        assert scripted.acks == []
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])
        assert rig.link.status().drops == 0
        ((told, words),) = rig.told("link")
        assert told and "a bug of the receiver" in words
        began = rig.clock.monotonic()
        rig.until(lambda: len(rig.told("link")) == 2)
        assert rig.clock.monotonic() - began > STABLE / 2
        assert rig.told("link")[1][0] is False


def test_a_command_that_was_not_settled_comes_again(broker: Mosquitto) -> None:
    """P9: manual acknowledgement, against mosquitto: a crash before the ledger loses no command."""
    listener = Listener(broker.port)
    with LinkRig(broker.url, acknowledge=False) as rig:
        eventually(lambda: rig.up)
        listener.publish("tidegate/g/pump/set", b'{"id":"a1","value":true}')
        eventually(lambda: len(rig.commands) == 1)
    with LinkRig(broker.url) as rig:
        eventually(lambda: len(rig.commands) == 1)
        command, _ = rig.commands[0]
        assert isinstance(command, Command) and command.id == "a1"
    with LinkRig(broker.url) as rig:
        eventually(lambda: rig.up)
        listener.publish("tidegate/g/pump/set", b'{"id":"a2","value":true}')
        eventually(lambda: len(rig.commands) == 1)
    listener.close()


def kill(thread_name: str) -> None:
    """SystemExit out of nowhere, in the thread of this name: what ends a thread without a trace."""
    (thread,) = [t for t in threading.enumerate() if t.name == thread_name]
    assert thread.ident is not None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
    )


def test_the_network_threads_death(scripted: ScriptedBroker) -> None:
    """P10, case 33: the thread that runs the network does not stay dead; counted, and told."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.settled)
        kill("link")
        rig.advance(0)
        eventually(lambda: rig.link.status().callback_errors == 1)
        eventually(lambda: rig.up)
        assert "SystemExit" in rig.told("link")[0][1]
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])


def failing_once(real: Callable[..., Any]) -> Callable[..., Any]:
    calls: list[int] = []

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("the third time")
        return real(*args, **kwargs)

    return call


@pytest.mark.parametrize("method", ["take", "accepted", "link_changed"])
def test_a_bug_in_a_turn_ends_the_connection_and_not_the_link(
    scripted: ScriptedBroker, method: str
) -> None:
    """P10, case 33: what was in flight is the outbox's again, and nothing is lost."""
    outbox = MemoryOutbox()
    setattr(outbox, method, failing_once(getattr(outbox, method)))
    with LinkRig(scripted.url, outbox=outbox, window=3, history_batch=0) as rig:
        keys = [outbox.append(sample(value)) for value in range(20)]
        for number in range(1, 4):
            eventually(lambda: rig.connects >= number)  # noqa: B023
            scripted.cut()
        eventually(lambda: sorted(outbox.done) == keys)
        eventually(lambda: rig.link.status().callback_errors == 1)


def test_even_an_alarm_that_cannot_be_told_does_not_kill_the_link(
    scripted: ScriptedBroker,
) -> None:
    def on_alarm(name: str, raised: bool, words: str) -> None:
        raise RuntimeError("the alarm's receiver is broken")

    with LinkRig(scripted.url, on_alarm=on_alarm) as rig:
        eventually(lambda: rig.up)
        kill("link")
        rig.advance(0)
        eventually(lambda: rig.connects == 2)
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])


def test_acknowledging_from_within_the_callback_and_from_outside(
    scripted: ScriptedBroker,
) -> None:
    """P7: no lock of ours is held across a call of paho, nor the other way round."""
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.up)
        stop = threading.Event()

        def hammer() -> None:
            while not stop.is_set():
                rig.link.acknowledge(AckToken(-1, 1, 1))
                rig.link.status()

        threads = [threading.Thread(target=hammer) for _ in range(2)]
        for thread in threads:
            thread.start()
        keys = [rig.outbox.append(sample(value)) for value in range(200)]
        for mid in range(1, 51):
            scripted.publish("tidegate/g/pump/set", b"ON", mid=mid)
        eventually(lambda: len(scripted.acks) == 50)
        eventually(lambda: sorted(rig.outbox.done) == keys)
        stop.set()
        for thread in threads:
            thread.join()


def test_acknowledgements_reach_the_outbox_in_heaps(scripted: ScriptedBroker) -> None:
    """P8: nothing slow happens in a callback of paho: a burst of PUBACKs is one call."""
    calls: list[list[Key]] = []
    outbox = MemoryOutbox()
    real = outbox.accepted

    def accepted(keys: Any) -> None:
        calls.append(list(keys))
        real(calls[-1])

    outbox.accepted = accepted  # type: ignore[method-assign]
    with LinkRig(scripted.url, outbox=outbox, window=50) as rig:
        eventually(lambda: rig.settled)
        scripted.silent = {PUBLISH}
        for value in range(50):
            outbox.append(sample(value))
        eventually(lambda: len(scripted.of("tidegate/g/boiler/data")) == 50)
        mids = [sent.mid for sent in scripted.of("tidegate/g/boiler/data")]
        scripted.send(b"".join(packet(PUBACK, mid.to_bytes(2)) for mid in mids))
        eventually(lambda: len(outbox.done) == 50)
        scripted.silent = set()
    assert len(calls) <= 3


def test_an_acknowledgement_that_nobody_waits_for(scripted: ScriptedBroker) -> None:
    with LinkRig(scripted.url) as rig:
        eventually(lambda: rig.settled)
        scripted.send(packet(PUBACK, b"\x12\x34") * 3)
        key = rig.outbox.append(sample())
        eventually(lambda: rig.outbox.done == [key])
        assert rig.link.status().drops == 0
