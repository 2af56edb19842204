"""The shelf when it overflows, and when what lies on it cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway import outbox_shelf
from gateway.model import Key
from gateway.shelf import DISCARD, RETRY, Shelf
from tests.gateway.test_outbox_faults import House, gaps


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Room for three refused entries."""
    monkeypatch.setattr(outbox_shelf, "LIMIT", 3)
    return House(tmp_path)


def refuse(house: House, count: int) -> list[Key]:
    house.outbox.link_changed(True)
    keys = [house.sample().key for _ in range(count)]
    house.outbox.take(count)
    for key in keys:
        house.outbox.refused(key, "not authorised")
    house.settle()
    return keys


def test_the_oldest_makes_room_and_is_accounted_for(house: House, tmp_path: Path) -> None:
    keys = refuse(house, 5)
    told = gaps(house.drain())
    house.settle()
    shelf = Shelf(tmp_path / "shelf")
    assert list(shelf.keys()) == keys[2:]
    stats = house.outbox.stats()
    assert (stats.shelved, dict(stats.dropped)) == (3, {"refused": 2})
    assert sorted(gap.first_seq for gap in told) == [1, 2]


def test_what_cannot_be_read_is_left_there_and_told_once(house: House, tmp_path: Path) -> None:
    """Not even where it is to make room, or an operator wants it gone."""
    shelf = Shelf(tmp_path / "shelf")
    [damaged] = refuse(house, 1)
    shelf._path(damaged, ".json").write_bytes(bytes(300))
    keys = refuse(house, 4)
    assert set(shelf.keys()) >= {damaged, *keys[2:]}
    shelf.wish(damaged, DISCARD)
    house.settle(20)
    assert [line for line in house.said if "is left there" in line] == [
        line for line in house.said if f"entry 1-{damaged.seq} of the shelf" in line
    ]
    assert sum("is left there" in line for line in house.said) == 1


def test_what_is_tried_again_goes_before_the_backlog_also_when_it_comes_back(
    house: House, tmp_path: Path
) -> None:
    [first] = refuse(house, 1)
    house.outbox.link_changed(False)
    later = [house.sample().key for _ in range(5)]
    house.settle()
    Shelf(tmp_path / "shelf").wish(first, RETRY)
    house.settle(20)
    house.outbox.link_changed(True)
    house.settle()
    taken = [entry.key for entry, _ in house.outbox.take(3)]
    assert taken == [first, *later[:2]]
    house.outbox.returned(taken)
    house.settle()
    assert [entry.key for entry, _ in house.outbox.take(10)] == [first, *later]
    house.outbox.accepted([first, *later])
    house.settle()
    assert (house.outbox.stats().kept, house.outbox.stats().shelved) == (0, 0)


def test_only_what_is_named_as_an_entry_is_one(tmp_path: Path) -> None:
    for name in ("²-1.json", "1-².json", "notes.json", "-.json", "1-2.new", "7-8.json"):
        (tmp_path / name).write_text("{}")
    assert list(Shelf(tmp_path).keys()) == [Key(7, 8)]
