from __future__ import annotations

import pytest

from gateway.alarms import AlarmRule, Alarms
from gateway.model import Alarm, AlarmState, Stamp

NOW = Stamp(1_800_000_000.0, 50.0, "b0071d00", True)


def alarm(state: AlarmState, text: str = "hot") -> Alarm:
    return Alarm("heat", NOW, state, text)


RAISED, ACKNOWLEDGED, CLEARED = (alarm(state) for state in AlarmState)


def test_each_change_is_told_once() -> None:
    alarms = Alarms()
    assert alarms.happened(CLEARED, 0.0) == []
    assert alarms.happened(RAISED, 0.0) == [RAISED]
    assert alarms.happened(RAISED, 1.0) == []
    assert alarms.acknowledge("heat", NOW) == [ACKNOWLEDGED]
    assert alarms.acknowledge("heat", NOW) == []
    assert alarms.happened(RAISED, 2.0) == []
    assert alarms.happened(CLEARED, 3.0) == [CLEARED]
    assert alarms.happened(RAISED, 4.0) == [RAISED]


def test_what_gets_worse_is_told_and_has_to_be_acknowledged_again() -> None:
    alarms = Alarms()
    alarms.happened(RAISED, 0.0)
    alarms.acknowledge("heat", NOW)
    worse = alarm(AlarmState.RAISED, "hotter")
    assert alarms.happened(worse, 1.0) == [worse]
    assert alarms.standing["heat"].state is AlarmState.RAISED


def test_it_is_told_again_until_acknowledged() -> None:
    alarms = Alarms({"heat": AlarmRule(repeat=60.0)})
    alarms.happened(RAISED, 100.0)
    assert alarms.next() == 160.0
    assert alarms.repeated(NOW, 159.9) == []
    assert alarms.repeated(NOW, 160.0) == [RAISED]
    assert alarms.next() == 220.0
    alarms.acknowledge("heat", NOW)
    assert alarms.next() == float("inf")
    assert alarms.repeated(NOW, 1000.0) == []


def test_a_latched_alarm_stands_until_somebody_saw_it() -> None:
    alarms = Alarms({"heat": AlarmRule(latch=True)})
    alarms.happened(RAISED, 0.0)
    assert alarms.happened(CLEARED, 1.0) == []
    assert alarms.acknowledge("heat", NOW) == [CLEARED]
    assert alarms.standing == {}
    alarms.happened(RAISED, 2.0)
    alarms.acknowledge("heat", NOW)
    assert alarms.happened(CLEARED, 3.0) == [CLEARED]


def test_a_latched_alarm_may_come_back_before_somebody_saw_it() -> None:
    alarms = Alarms({"heat": AlarmRule(latch=True)})
    alarms.happened(RAISED, 0.0)
    alarms.happened(CLEARED, 1.0)
    assert alarms.happened(RAISED, 2.0) == [RAISED]
    assert alarms.acknowledge("heat", NOW) == [ACKNOWLEDGED]


def test_only_what_stands_can_be_acknowledged() -> None:
    alarms = Alarms()
    with pytest.raises(ValueError, match="there is none"):
        alarms.acknowledge("heat", NOW)
    alarms.happened(RAISED, 0.0)
    with pytest.raises(ValueError, match="now: heat"):
        alarms.acknowledge("hat", NOW)


def test_what_is_remembered_stands_again() -> None:
    before, after = Alarms({"heat": AlarmRule(latch=True)}), Alarms()
    before.happened(RAISED, 0.0)
    before.happened(CLEARED, 1.0)
    after.restore("heat", before.note("heat"), 500.0)
    after.restore("other", before.note("other"), 500.0)
    assert set(after.standing) == {"heat"}
    assert after.acknowledge("heat", NOW) == [CLEARED]
