"""`tidegate simulate`: the page on rules shows what it prints; scenarios and their errors."""

from __future__ import annotations

import json
import re
from datetime import UTC
from pathlib import Path

import pytest

from gateway.cli import scenario
from gateway.cli.main import main
from gateway.cli.scenario import ScenarioError, read
from gateway.model import Quality, Reading

DOCS = Path(__file__).parents[3] / "docs/rules.md"
PAGE = DOCS.read_text()
HOUSE = '[gateway]\nid = "house"\n[upstream]\nurl = "mqtt://localhost"\n'
FIRST = re.search(r"```toml\n(.*?)```", PAGE, re.DOTALL)
TABLE = re.search(r"```csv\n(.*?)```", PAGE, re.DOTALL)
SHOWN = re.search(r"```\n(TIME .*?)```", PAGE, re.DOTALL)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    assert FIRST
    file = tmp_path / "gateway.toml"
    file.write_text(f'{HOUSE}[site]\ntimezone = "Europe/Berlin"\n{FIRST.group(1)}')
    return file


def play(config: Path, text: str, *options: str) -> int:
    file = config.parent / "scenario"
    file.write_text(text)
    return main(["simulate", str(config), str(file), "--start", "2026-06-21", *options])


def rows(output: str) -> list[tuple[str, str, object]]:
    """Time of day, what, to."""
    found = [json.loads(line) for line in output.splitlines()]
    return [(row["time"][11:19], row["what"], row["to"]) for row in found]


def test_the_page_on_rules_shows_what_is_printed(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert TABLE and SHOWN
    assert play(config, TABLE.group(1)) == 0
    assert capsys.readouterr().out == SHOWN.group(1)


def test_a_gateways_own_entries_and_a_restless_limit(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    entry = {"device": "living-room", "epoch": 7, "time": "2026-06-21T10:00:00Z"}
    lines = [
        json.dumps({**entry, "seq": n, "temperature": 31.0, "time": f"2026-06-21T10:0{n}:00Z"})
        for n in range(4)
    ]
    lines.append(json.dumps({**entry, "id": "a", "outcome": "done", "seq": 9}))
    lines.append(json.dumps({**entry, "device": "sold", "class": "telemetry", "x": 1, "seq": 10}))
    bad = {**entry, "time": "2026-06-21T10:03:30Z", "temperature": None}
    lines.append(json.dumps({**bad, "temperature_quality": "bad"}))
    lines.append(json.dumps({"time": "2026-06-21T10:10:00Z", "cooler.set": True}))
    assert play(config, "\n".join(lines), "--json", "--once") == 0
    # Looks a minute apart are older than three intervals: stale, so a minute never lasts.
    assert rows(capsys.readouterr().out) == [("12:10:00", "cooler", True)]
    assert play(config, "\n".join(lines), "--json") == 0
    assert rows(capsys.readouterr().out) == [
        ("12:01:00", "cooler", "refused"),
        ("12:03:00", "cooler", True),
        ("12:04:00", "cooler", False),
        ("12:10:00", "cooler", True),
    ]


def test_alarms_events_pulses_and_link_loss(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with config.open("a") as file:
        file.write(
            '[[device]]\nname = "door"\ndriver = "relay"\nbus = "pins"\npin = 5\npulse = 1\n'
            '[[device]]\nname = "lamp"\ndriver = "relay"\nbus = "pins"\npin = 6\n'
            'link_loss = "off"\nlink_loss_after = "2min"\nmax_on = "1h"\n'
            '[[rule]]\nname = "door"\nwhen = { at = "02:00" }\n'
            'then = [{ command = "door", value = "on" }, { publish = "bell", payload = "!" }]\n'
            '[[rule]]\nname = "alone"\nwhen = { link = "down", for = "1min" }\n'
            'then = { alarm = "alone", text = "no broker" }\n'
        )
    text = "time,lamp.set,link\n0,on,\n90min,on,\n100min,,down\n110min,,up\n3h,,\n"
    assert play(config, text) == 0
    out = capsys.readouterr().out
    shown = [" ".join(line.split()[1:]) for line in out.splitlines() if line.startswith("2026")]
    assert shown[:-1] == [
        "00:00:00 lamp on person",
        "01:00:00 lamp off max_on",
        "01:30:00 lamp on person",
        "01:41:00 alarm alone raised no broker",
        "01:42:00 lamp off link_loss",
        "01:50:00 alarm alone cleared no broker",
        "02:00:00 event bell !",
        "02:00:00 door pulse rule door",
    ]
    assert "lamp on 2 times, 1 h 12 min in all" in out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", 'a table needs a column "time"'),
        ("time\n", "nothing happens"),
        ("time,a.b\nsoon,1\n", "'soon' is no time"),
        ("time,a.b\n0,1,2\n", "more cells than columns"),
        ("time,living-room.temprature\n0,1\n", "living-room.temperature"),
        ("time,living-rom.status\n0,online\n", "living-room"),
        ("time,living-room.status\n0,asleep\n", "offline or online"),
        ("time,living-room.set\n0,on\n", "there is no output living-room"),
        ("time,lnk\n0,up\n", "'lnk' is neither"),
        ("time,living-room.temperature\n0,warm\n", "line 2: living-room.temperature: 'warm' is no"),
        ("time,living-room.temperature\n0,on\n", "True is no number of °C"),
        ('{"living-room.temperature": 1}', '"time" is missing'),
        ('{"time": 1', "not valid JSON"),
        ('{"time": 0}\n[]', "must be an object"),
    ],
)
def test_what_cannot_be_played(
    config: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    assert play(config, text) == 1
    assert words in capsys.readouterr().err


def test_a_configuration_that_cannot_be_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text(HOUSE.replace("house", "No!"))
    assert play(config, "time\n0\n") == 78
    assert "gateway.id" in capsys.readouterr().err


def test_nothing_is_said_plainly(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert play(config, "time,living-room.temperature\n0,20\n1h,20\n") == 0
    assert capsys.readouterr().out == "Nothing would switch.\n"


def test_cells() -> None:
    text = "time,a.x,a.y,link,clock\n 5min ,bad,on,down,unset\n0,1.5,text,,\n"
    first, second = read(text, "t", UTC).moments
    assert (first.at, second.at, second.link, second.clock) == (0.0, 300.0, False, False)
    assert first.readings["a"] == (Reading("x", 1.5), Reading("y", "text"))
    assert second.readings["a"] == (Reading("x", None, Quality.BAD), Reading("y", True))
    with pytest.raises(ScenarioError):
        scenario.read("time,link\n0,maybe\n", "t", UTC)
