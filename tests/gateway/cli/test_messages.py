"""What the real dialect writes is read back as facts, and nothing that comes raises."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.cli.messages import Notice, Numbered, Status, Unreadable, moment, read
from gateway.codecs.base import Publication
from gateway.model import Alarm, AlarmState, Entry, Gap, GapReason, Key, Klass
from tests.gateway.cli import payloads
from tests.gateway.cli.payloads import DIALECT, stamp


def facts(publications: list[Publication]) -> list[object]:
    return [
        fact
        for publication in publications
        for fact in read("tidegate", publication.topic, publication.payload)
    ]


def identity(fact: object) -> tuple[str, str, str, int, int]:
    assert isinstance(fact, Numbered)
    return (fact.device, fact.kind, fact.lane, fact.epoch, fact.seq)


def test_every_kind_of_entry_is_read() -> None:
    entries = [
        payloads.sample(1),
        payloads.state(2, True),
        payloads.result(3, "a1", True),
        Entry(Key(7, 4), Klass.ALARM, Alarm("hot", stamp(), AlarmState.RAISED, "too hot")),
        Entry(Key(7, 5), Klass.GAP, Gap(GapReason.OLDEST, stamp(), 6, 10, 19, 10)),
    ]
    found = [identity(fact) for fact in facts(payloads.live(entries))]
    assert found == [
        ("boiler", "data", "live", 7, 1),
        ("heater", "state", "live", 7, 2),
        ("heater", "state", "live", 7, 3),
        ("heater", "result", "live", 7, 3),
        ("hot", "alarm", "live", 7, 4),
        ("", "gap", "live", 7, 5),
    ]


def test_a_history_message_is_many_entries() -> None:
    batch = DIALECT.history([payloads.sample(seq, epoch=6) for seq in (4, 5, 9)])
    found = [identity(fact) for fact in facts(batch)]
    assert found == [("boiler", "data", "history", 6, seq) for seq in (4, 5, 9)]


def test_notices_and_statuses() -> None:
    about, health, status, device, session = facts(
        [
            payloads.about(),
            payloads.health(3),
            DIALECT.status(True),
            DIALECT.device_status("boiler", False),
            payloads.session("n1"),
        ]
    )
    assert isinstance(about, Notice) and about.fields["epoch"] == 7
    assert isinstance(health, Notice) and health.fields["outbox"]["last_seq"] == 3
    assert status == Status("shed", "", True)
    assert device == Status("shed", "boiler", False)
    assert isinstance(session, Notice) and session.fields["nonce"] == "n1"


def test_commands_replies_and_other_trees_are_no_facts() -> None:
    for topic in ("tidegate/shed/heater/set", "tidegate/shed/reply/x", "other/shed/boiler/data"):
        assert read("tidegate", topic, b"on") == []


def test_a_root_may_have_levels() -> None:
    assert read("site/a", "site/a/shed/status", b"online") == [Status("shed", "", True)]


def test_what_is_not_the_gateways_is_unreadable_with_its_topic() -> None:
    for topic, payload in (
        ("tidegate/shed/boiler/data", b"21.4"),
        ("tidegate/shed/boiler/data", b'{"temperature": 21.4}'),
        ("tidegate/shed/boiler/data", b'{"epoch": true, "seq": 1}'),
        ("tidegate/shed/boiler/data", b"\xff\xfe"),
        ("tidegate/shed/boiler/data", b"[" * 100_000),
        ("tidegate/shed/status", b"perhaps"),
        ("tidegate/shed/history", b"not zlib"),
    ):
        (fact,) = read("tidegate", topic, payload)
        assert isinstance(fact, Unreadable) and fact.topic == topic and fact.reason


LEAVES = ("history", "status", "about", "gap", "b/data", "b/state", "b/status", "alarm/x", "", "/")


@given(st.sampled_from(LEAVES), st.binary(max_size=200))
def test_nothing_that_comes_raises(leaf: str, payload: bytes) -> None:
    read("tidegate", f"tidegate/shed/{leaf}", payload)


def test_a_moment_needs_its_zone() -> None:
    assert moment({"time": "2026-11-23T14:00:00.500Z"}) == payloads.WALL + 0.5
    assert moment({"time": "2026-11-23T14:00:00"}) is None
    assert moment({"time": "soon"}) is None
    assert moment({}) is None
