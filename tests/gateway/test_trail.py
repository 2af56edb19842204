"""The trail: every decision with who, what, verdict and reason, and no way into the log's lines."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway import records, trail
from gateway.codecs import values
from gateway.model import Entry, Key, Klass, Outcome, Result
from tests.gateway.fake_clock import FakeClock
from tests.gateway.test_control import Bench

STAMP = FakeClock().stamp()


@given(st.text(), st.text(), st.text() | st.booleans() | st.floats(allow_nan=False))
def test_no_text_leaves_its_line_or_its_field(ident: str, reason: str, asked: object) -> None:
    result = Result(ident, "pump", STAMP, Outcome.REFUSED, reason, asked=asked)  # type: ignore[arg-type]
    line = trail.line(result)
    assert line.isascii()
    assert line.isprintable()
    fields = json.loads(line)
    assert (fields["who"], fields["device"], fields["verdict"]) == ("mqtt", "pump", "refused")


def test_every_decision_is_in_the_log_and_in_the_outbox(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(tmp_path / "state.db", min_off=60.0)
    caplog.set_level(logging.INFO, "tidegate.audit")
    bench.find(False)
    bench.send(bench.command("r1", source="rule frost"))
    bench.clock.advance(61)
    bench.send(bench.command("a1"))
    bench.send(bench.command("a1"))
    bench.order("lock", nonce="old")
    bench.order("lock", "g2")
    bench.send(Result("x1", "pump", bench.clock.stamp(), Outcome.REFUSED, "no JSON"))
    lines = [json.loads(r.message) for r in caplog.records if r.name == "tidegate.audit"]
    told = [(o["who"], o["device"], o.get("value"), o["id"], o["verdict"]) for o in lines]
    assert told == [
        ("rule frost", "pump", True, "r1", "refused"),
        ("mqtt", "pump", True, "a1", "done"),
        ("mqtt", "pump", True, "a1", "done"),
        ("mqtt", "-", "lock", "g1", "expired"),
        ("mqtt", "-", "lock", "g2", "done"),
        ("mqtt", "pump", None, "x1", "refused"),
    ]
    assert len(bench.results) == len(lines)
    assert all(records.klass_of(result) is Klass.RESULT for result in bench.results)
    bench.store.close()


def test_what_was_asked_is_recorded_and_told() -> None:
    result = Result("a1", "pump", STAMP, Outcome.DONE, state=True, asked=True)
    assert records.decode(records.encode(result)) == result
    assert values.recorded(Entry(Key(1, 1), Klass.RESULT, result))["value"] is True
    array = json.loads(records.encode(result))
    before = json.dumps(array[:-1]).encode()  # as versions without the field wrote it
    assert records.decode(before) == Result("a1", "pump", STAMP, Outcome.DONE, state=True)
