"""An entry that goes into no message is set aside alone; what was taken beside it goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from gateway.codecs.base import Publication
from gateway.link.hello import Lost
from gateway.model import Entry, Key
from tests.gateway.link.parts import EPOCH, sample
from tests.gateway.link.session import Session

BAD = Key(EPOCH, 6)


def breaks(
    encode: Callable[[Any], list[Publication]], error: Exception
) -> Callable[[Any], list[Publication]]:
    """As `encode`, but for one entry."""

    def guarded(what: Entry | Sequence[Entry]) -> list[Publication]:
        if BAD in [entry.key for entry in ([what] if isinstance(what, Entry) else what)]:
            raise error
        return encode(what)

    return guarded


@pytest.mark.parametrize("late", [False, True], ids=["live", "in a batch"])
@pytest.mark.parametrize("error", [ValueError("no such"), TypeError("no"), OverflowError("far")])
def test_it_goes_to_the_shelf(
    late: bool, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = Session()
    dialect = session.sender._loader._dialect
    for method in ("live", "history"):
        monkeypatch.setattr(dialect, method, breaks(getattr(dialect, method), error))
    keys = [session.outbox.append(sample()) for _ in range(8)]
    if late:
        session.outbox.link_changed(True)
    for _ in range(3):
        session.turn()
        session.answer()
    session.turn()
    assert session.outbox.shelf == {BAD: f"cannot be put into a message: {error!r}"}
    assert sorted(session.outbox.done) == [key for key in keys if key != BAD]
    session.close()


def test_what_a_bug_was_met_beside_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    session = Session()
    dialect = session.sender._loader._dialect
    monkeypatch.setattr(dialect, "live", breaks(dialect.live, RuntimeError("a bug")))
    for _ in range(8):
        session.outbox.append(sample())
    with pytest.raises(RuntimeError, match="a bug"):
        session.turn()
    session.exchange.ended(Lost("internal error"))
    assert session.outbox.flying == set()
    assert len(session.outbox.kept) == 8
    session.close()
