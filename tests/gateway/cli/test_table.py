"""From messages to the lines of the live table, and from page to page on a terminal."""

from __future__ import annotations

import io
import re

from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Quality
from gateway.cli import layout
from gateway.cli.board import Board
from gateway.cli.layout import Line, page, span
from gateway.cli.messages import read
from gateway.cli.screen import Screen, changes
from gateway.codecs.base import Publication
from gateway.model import Entry
from tests.gateway.cli import payloads
from tests.gateway.cli.payloads import DIALECT, WALL, sample, stamp


def board_of(*said: Publication | Entry) -> Board:
    board = Board()
    for one in said:
        for message in [one] if isinstance(one, Publication) else DIALECT.live(one):
            for fact in read("tidegate", message.topic, message.payload):
                board.observe(fact, 0.0)
    return board


def shown(board: Board, width: int = 80, now: float = 0.0, wall: float = WALL) -> str:
    return "\n".join(line.text.rstrip() for line in page(board, (width, 100), now, wall))


def row(text: str, word: str) -> list[str]:
    return next(re.split(r" {2,}", line.strip()) for line in text.split("\n") if word in line)


def test_a_row_has_value_unit_and_age() -> None:
    board = board_of(payloads.about(), DIALECT.status(True), sample(1))
    text = shown(board, now=4.0, wall=WALL + 4.0)
    assert row(text, "temperature") == ["boiler", "temperature", "21.4", "°C", "4 s"]
    assert row(text, "heater") == ["heater", "-", "-"]
    assert "power" not in text


def test_the_age_is_that_of_the_measurement_unless_its_clock_is_not_to_be_trusted() -> None:
    old = board_of(sample(1, when=stamp(WALL - 30)))
    assert row(shown(old, now=1.0), "temperature")[-1] == "30 s"
    unset = board_of(sample(1, when=stamp(1.0, synchronised=False)))
    assert row(shown(unset, now=7.0), "temperature")[-1] == "7 s"
    ahead = board_of(sample(1, when=stamp(WALL + 3600)))
    assert row(shown(ahead, now=7.0), "temperature")[-1] == "7 s"


def test_the_backlog_does_not_overwrite_a_newer_value() -> None:
    board = board_of(sample(9, value=30.0), *DIALECT.history([sample(5, value=10.0)]))
    assert "30" in row(shown(board), "temperature")


def test_an_output_shows_its_state_in_the_channel_that_about_names() -> None:
    board = board_of(payloads.about(), payloads.state(1, True))
    assert row(shown(board), "relay")[:3] == ["heater", "relay", "on"]


def test_doubtful_and_offline_are_said() -> None:
    board = board_of(
        payloads.about(), sample(1, quality=Quality.BAD), DIALECT.device_status("heater", False)
    )
    assert "21.4 (bad)" in shown(board)
    assert row(shown(board), "heater")[:3] == ["heater (offline)", "offline", "-"]


def test_the_books_are_the_gateways_own() -> None:
    board = board_of(payloads.health(1234, kept=5, oldest=WALL - 300), DIALECT.status(False))
    text = shown(board)
    assert "queue     5 kept   oldest 5 min" in text
    assert "recorded  1 234   at broker 1 229   dropped 2" in text
    assert "link      OFFLINE" in text


@given(st.integers(20, 200), st.integers(4, 40))
def test_no_line_is_wider_and_no_page_higher_than_the_terminal(width: int, height: int) -> None:
    board = board_of(payloads.about(), sample(1, device="a-device-with-a-long-name"))
    lines = page(board, (width, height), 0.0, WALL, [Line("keys")])
    assert max(len(line.text) for line in lines) <= width
    assert len(lines) <= height
    assert lines[-1] == Line("keys")


def test_control_characters_from_outside_never_reach_the_terminal() -> None:
    board = board_of(sample(1, device="a\x1b[2Jb", value="\x1b]0;x\x07"))
    assert "\x1b" not in shown(board) and "\x07" not in shown(board)


def test_spans_of_time() -> None:
    assert [span(s) for s in (None, 0.4, 99, 100, 3600, 86400 * 3)] == [
        "-",
        "0 s",
        "99 s",
        "2 min",
        "60 min",
        "3 d",
    ]


def test_numbers_are_grouped() -> None:
    assert [layout.number(n) for n in (0, 1234567, None)] == ["0", "1 234 567", "-"]


class FakeTerminal:
    """As much of ECMA-48 as the screen uses."""

    def __init__(self) -> None:
        self.rows: dict[int, str] = {}

    def feed(self, text: str) -> None:
        for row, column, body in re.findall(r"\x1b\[(\d+);(\d+)H(.*?)\x1b\[K", text, re.DOTALL):
            kept = self.rows.get(int(row), "")[: int(column) - 1]
            self.rows[int(row)] = kept + re.sub(r"\x1b\[\d+m", "", body)


LINES = st.lists(
    st.builds(Line, st.text("ab ", max_size=6), st.sampled_from(["", "bad"])), max_size=5
)


@given(st.lists(LINES, max_size=6))
def test_the_terminal_shows_the_last_page_whatever_was_before(pages: list[list[Line]]) -> None:
    terminal = FakeTerminal()
    before: list[Line] = []
    for after in pages:
        terminal.feed(changes(before, after))
        for index, line in enumerate(after):
            assert terminal.rows.get(index + 1, "") == line.text
        assert all(not text for row, text in terminal.rows.items() if row > len(after))
        before = after


def test_only_the_end_of_a_changed_line_is_sent() -> None:
    assert changes([Line("age 1 s")], [Line("age 2 s")]) == "\x1b[1;5H2 s\x1b[K"
    assert changes([Line("same")], [Line("same")]) == ""


def test_an_ascii_terminal_gets_question_marks_and_no_error() -> None:
    raw = io.BytesIO()
    screen = Screen(io.TextIOWrapper(raw, encoding="ascii"), keys=None)
    screen.draw([Line("21 °C")])
    assert b"21 ?C" in raw.getvalue()
