"""Many values of one kind at once, from columns of their fields. Pure.

A backlog is read back and sent on in hundreds. What has to be done for each of them is done here by
functions that are not Python's own code between one and the next: a quarter of the time.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import repeat
from typing import Any, TypeVar, cast

Row = TypeVar("Row", bound=tuple[Any, ...])


def rows(kind: type[Row], *columns: Collection[Any]) -> list[Row]:
    """A NamedTuple of each row of the columns, as `kind(*row)` makes it. ValueError where the
    columns are not of the same length."""
    made = map(tuple.__new__, repeat(kind), zip(*columns, strict=True))
    return cast(list[Row], list(made))
