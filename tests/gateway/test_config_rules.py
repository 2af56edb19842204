"""Rules in the configuration: what is wrong, where, and what was probably meant."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gateway.config import ConfigErrors, parse
from gateway.settings import Settings
from gateway.settings_rules import amount

HOUSE = """\
[gateway]
id = "house"
[upstream]
url = "mqtt://localhost"
[[bus]]
name = "pins"
kind = "gpio"
device = "mock"
[[bus]]
name = "i2c"
kind = "simulated-i2c"
chips = ["bme280@0x76"]
[[bus]]
name = "head"
kind = "serial"
device = "/dev/ttyUSB0"
[[device]]
name = "climate"
driver = "bme280"
bus = "i2c"
[[device]]
name = "meter"
driver = "sml"
bus = "head"
[[device]]
name = "cooler"
driver = "relay"
bus = "pins"
pin = 4
"""
HOT = 'reading = "climate.temperature", at_least = 30'
COOL = 'then = { command = "cooler", value = "on" }\n'
RULE = f'[[rule]]\nname = "cool"\nwhen = {{ {HOT} }}\n{COOL}stale = "keep"\n'


def errors(text: str) -> list[str]:
    """Key paths below the rule, messages and hints."""
    with pytest.raises(ConfigErrors) as found:
        parse(HOUSE + text, "f")
    return [
        f"{error.path.partition('.')[2]}: {error.message}" + (f" ({error.hint})" * bool(error.hint))
        for error in found.value.errors
    ]


def load(text: str) -> Settings:
    return parse(HOUSE + text, "f").settings


def test_a_rule_with_every_condition_and_action_loads() -> None:
    settings = load(
        """
[site]
timezone = "Europe/Berlin"
latitude = 52.5
longitude = 13.4
[[rule]]
name = "all"
stale = { command = "cooler", value = "off" }
then = [
  { command = "cooler", value = "on" },
  { alarm = "hot", text = "hot" },
  { publish = "hot", payload = "!" },
]
else = { command = "cooler", value = false }
[rule.when]
for = "10s"
[[rule.when.all]]
any = [
  { reading = "climate.temperature", at_least = "30 °C", hysteresis = "2 °C", max_age = "1min" },
  { reading = "shed/climate.humidity", at_least = 20, at_most = 30 },
  { reading = "cooler.state", equals = true, for = "1h" },
  { changed = "climate.pressure", by = 5, hold = "1min" },
]
[[rule.when.all]]
not = { between = ["sunset-30min", "06:00"], days = ["mon", "sun"] }
[[rule.when.all]]
not = { offline = "climate" }
[[rule.when.all]]
link = "up"
"""
    )
    rule = settings.rule[0]
    assert (rule.when.for_, len(rule.when.all), len(rule.when.all[0].any)) == (10.0, 4, 4)
    assert rule.when.all[1].not_ is not None and rule.when.all[1].not_.days == ("mon", "sun")


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("climate.t", "climat.t", 'when.reading: there is no [[device]] with the name "climat"'),
        ("temperature", "temprature", 'when.reading: climate has no channel "temprature"'),
        ("30", '"30 °F"', 'when.at_least: is in "°F" (the channel is in "°C")'),
        ("30", '"hot"', "when.at_least: must be a number"),
        ("30", "30, at_most = 20", "when.at_least: must not be more than at_most"),
        ("30", "30, equals = 30", "when.equals: stands alone"),
        ("30", "30, hysteresis = -1", "when.hysteresis: must be at least 0"),
        ("30", "30, days = ['mon']", "when.days: does not belong to reading"),
        (HOT, 'reading = "climate.temperature"', "when: needs at_least, at_most or equals"),
        (HOT, 'reading = "climate"', 'when.reading: must be "device.channel"'),
        (HOT, f'{HOT}, offline = "climate"', "when: has reading and offline"),
        (HOT, "for = 5", "when: needs one of reading"),
        (HOT, 'between = ["1:00", "1:00"]', "when.between: must be two different times"),
        (HOT, 'between = ["07:00"]', "when.between: must be two times, not 1"),
        (HOT, 'at = "sunset"', "when.at: needs to know where it is"),
        (HOT, 'at = "7 am"', "when.at: a time is written"),
        (HOT, 'cron = "* * *"', "when.cron: a cron line has 5 fields"),
        (HOT, 'offline = "climat"', "when.offline: there is no [[device]]"),
        (HOT, 'at = "07:00", for = "1min"', "when.for: has nothing to measure"),
        (HOT, 'not = { at = "07:00" }', "when.not: has no meaning"),
        (HOT, f'any = [{{ {HOT} }}, {{ at = "07:00" }}]', "when.any: joins what is true"),
        (
            HOT,
            'reading = "house/climate.temperature", at_least = 1',
            "when.reading: names this very",
        ),
        ('"cooler"', '"coler"', 'then.command: there is no output "coler"'),
        ('"cooler"', '"climate"', 'then.command: there is no output "climate"'),
        ('"on"', '"warm"', "then.value: is no state of this output"),
        (', value = "on"', "", "then.value: is missing"),
        (
            'command = "cooler", value = "on"',
            'alarm = "link"',
            'then.alarm: "link" is an alarm of the gateway',
        ),
        ('command = "cooler", value = "on"', 'publish = "a/b"', "then.publish: must be small"),
        ('stale = "keep"', "", "stale: is missing"),
        ('stale = "keep"', 'stale = "kep"', 'stale: must be "keep"'),
        ('"cool"', '"Cool"', "name: must be small letters"),
    ],
)
def test_mistakes(old: str, new: str, error: str) -> None:
    assert old in RULE
    found = errors(RULE.replace(old, new, 1))
    assert len(found) == 1 and found[0].startswith(error), found


def test_two_rules_of_one_name_or_alarm() -> None:
    alarm = '{ alarm = "hot" }'
    rule = RULE.replace('{ command = "cooler", value = "on" }', alarm)
    assert errors(rule + rule) == ['name: "cool" is the name of another rule already']
    other = rule.replace('"cool"', '"other"')
    assert errors(rule + other) == ['then.alarm: "hot" is already raised by rule "cool"']


def test_a_rule_of_moments_has_no_else_and_no_alarm() -> None:
    rule = RULE.replace(HOT, 'changed = "climate.temperature"')
    assert errors(f'{rule}else = {{ alarm = "x" }}') == [
        "else: never comes: changed is true for a moment only",
        "else.alarm: needs a condition that lasts: changed is true for a moment only",
    ]


def test_without_readings_nothing_is_stale() -> None:
    load(RULE.replace(HOT, 'link = "down"').replace('stale = "keep"', ""))


def test_a_meter_may_send_more_than_its_driver_knows() -> None:
    loaded = parse(HOUSE + RULE.replace("climate.temperature", "meter.power_l7"), "f")
    assert ["no channel" in warning.message for warning in loaded.warnings] == [True]


@pytest.mark.parametrize(
    ("site", "error"),
    [
        (
            'timezone = "Europe/Berln"',
            'timezone: there is no time zone "Europe/Berln" (did you mean',
        ),
        ('timezone = "../etc"', "timezone: there is no time zone"),
        ("latitude = 5", ": needs longitude too"),
        ("longitude = 200", "longitude: must be from -180 to 180"),
    ],
)
def test_a_place_that_does_not_exist(site: str, error: str) -> None:
    assert errors(f"[site]\n{site}")[0].startswith(error)


def test_amounts() -> None:
    assert amount("-2.5 °C") == (-2.5, "°C")
    assert amount("30%") == (30.0, "%")
    assert amount(4) == (4.0, "")


def test_a_house_without_rules_does_not_load_them() -> None:
    """They would stay in the daemon's memory."""
    program = "import sys, gateway.build, gateway.config; gateway.config.parse(sys.argv[1], 'f');"
    program += "print([name for name in sys.modules if 'rule' in name or 'zoneinfo' in name])"
    command = [sys.executable, "-c", program, HOUSE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
