"""Conditions made of conditions. Pure; three-valued, as Kleene's logic: see conditions.py."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.conditions import HELD, Condition, Look


class Lasting(NamedTuple):
    """The condition has held for so many seconds without a break.

    What cannot be told breaks it before that time is over; after that, only for too long.
    """

    condition: Condition
    seconds: float

    def inputs(self) -> Iterator[str]:
        return self.condition.inputs()

    def holds(self, look: Look, path: str) -> bool | None:
        inner = self.condition.holds(look, path + ".")
        since = look.notes.pop(path, None)
        if inner is None or not inner:
            if inner is None and since == HELD and not look.aged:
                look.notes[path] = HELD
            return inner
        since = look.now if since is None else since
        if since != HELD and look.now < since + self.seconds:
            look.notes[path] = since
            look.again(since + self.seconds)
            return False
        look.notes[path] = HELD
        return True


class Every(NamedTuple):
    """All of them. False as soon as one is, even if another cannot be told."""

    conditions: tuple[Condition, ...]

    def inputs(self) -> Iterator[str]:
        return (name for one in self.conditions for name in one.inputs())

    def holds(self, look: Look, path: str) -> bool | None:
        told = [one.holds(look, f"{path}/{i}") for i, one in enumerate(self.conditions)]
        return False if False in told else None if None in told else True


class Either(NamedTuple):
    """Any of them. True as soon as one is, even if another cannot be told."""

    conditions: tuple[Condition, ...]

    def inputs(self) -> Iterator[str]:
        return (name for one in self.conditions for name in one.inputs())

    def holds(self, look: Look, path: str) -> bool | None:
        told = [one.holds(look, f"{path}/{i}") for i, one in enumerate(self.conditions)]
        return True if True in told else None if None in told else False


class Unless(NamedTuple):
    condition: Condition

    def inputs(self) -> Iterator[str]:
        return self.condition.inputs()

    def holds(self, look: Look, path: str) -> bool | None:
        told = self.condition.holds(look, path + "!")
        return None if told is None else not told
