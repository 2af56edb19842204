"""The demo's room: the cooler wins against the heater, and nothing runs away."""

from __future__ import annotations

from gateway.cli.demo_room import HOTTEST, Room


def test_a_heated_room_gets_warm_the_cooler_wins_and_time_does_no_harm() -> None:
    room = Room()
    room.pass_time(10.0, cooled=False)
    assert room.warmth == 0.0
    room.heated = True
    for _ in range(30):
        room.pass_time(0.25, cooled=False)
    assert 9.0 < room.warmth < 10.0
    before = room.warmth
    room.pass_time(1.0, cooled=True)
    assert room.warmth < before - 1.0
    room.pass_time(1e6, cooled=False)
    assert 0.0 <= room.warmth <= HOTTEST
