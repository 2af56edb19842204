"""`tidegate drivers`: the list, a driver's page, and a block that loads as it is printed."""

from __future__ import annotations

import re

import pytest

from gateway.catalog import Driver, everything
from gateway.cli.examples import block
from gateway.cli.main import main
from gateway.config import parse

DRIVERS = [driver for _, driver in everything() if isinstance(driver, Driver)]


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert rows[0].split() == ["name", "bus", "what", "it", "is"]
    assert [row.split()[0] for row in rows[1:]] == [driver.name for driver in DRIVERS]
    assert main(["drivers", "--names"]) == 0
    assert capsys.readouterr().out.split() == [driver.name for driver in DRIVERS]


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_a_page_names_everything(driver: Driver, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers", driver.name]) == 0
    page = capsys.readouterr().out
    for option in driver.options.values():
        assert re.search(rf"^{option.name} .*{re.escape(option.note.help)}$", page, re.MULTILINE)
    assert page.endswith(f"Configuration:\n\n{block(driver)}\n")
    above = page.partition("Configuration:")[0]
    assert max(map(len, above.splitlines())) <= 200, "a table that no terminal shows"


def test_a_long_list_of_values_stands_below_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    main(["drivers", "modbus_output"])
    page = capsys.readouterr().out
    assert re.search(r"^quantity +\"level\" +see below ", page, re.MULTILINE)
    assert '\nquantity: "temperature", ' in page


def test_units_ranges_and_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    main(["drivers", "bme280"])
    page = capsys.readouterr().out
    assert re.search(r"^address +0x76 +0x76 or 0x77 ", page, re.MULTILINE)
    assert re.search(r"^temperature +°C +temperature$", page, re.MULTILINE)
    main(["drivers", "relay"])
    page = capsys.readouterr().out
    assert re.search(r"^pin +required +a whole number, from 0 to 27 ", page, re.MULTILINE)
    assert re.search(r"^pulse +0 +a duration \(.*\), from 0 to 60 s ", page, re.MULTILINE)
    assert "As an output it also takes: start, stop," in page


@pytest.mark.parametrize("driver", DRIVERS, ids=lambda driver: driver.name)
def test_the_block_loads_also_with_its_defaults_taken_in(driver: Driver) -> None:
    head = 'gateway.id = "gw"\nupstream.url = "mqtt://localhost"\n'
    printed = block(driver)
    for text in (printed, re.sub("^#", "", printed, flags=re.MULTILINE)):
        settings, _ = parse(head + text, "x.toml")
        assert [device.driver for device in settings.device] == [driver.name]


def test_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drivers", "rely"]) == 1
    assert capsys.readouterr().err == 'there is no driver "rely"; did you mean "relay"?\n'
