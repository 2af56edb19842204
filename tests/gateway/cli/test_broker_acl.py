"""From the configuration to the broker's files: rights, hashes, and what stays as it was."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.client import topic_matches_sub

from gateway.cli import access_hashes
from gateway.cli.access import Role, Unusable, covers, gateway_role, people_role, roles
from gateway.cli.access_brokers import mosquitto_acl, routing_pattern
from gateway.cli.main import main
from gateway.config import ConfigErrors, parse
from gateway.settings import Settings

CONFIG = """
[gateway]
id = "shed"
[upstream]
url = "mqtt://localhost"
username = "{username}"
{upstream}
[[bus]]
name = "pins"
kind = "gpio"
device = "mock"
[[device]]
name = "pump"
driver = "relay"
bus = "pins"
pin = 17
[[device]]
name = "valve"
driver = "relay"
bus = "pins"
pin = 27
[[device]]
name = "host"
driver = "host"
{people}
"""
PEOPLE = """
[[people]]
name = "operators"
members = ["anna", "bert"]
command = ["pump"]
[[people]]
name = "owners"
members = ["anna"]
command = ["*"]
operate = true
[[people]]
name = "tenants"
members = ["carl"]
read = ["host"]
"""


def load(people: str = PEOPLE, upstream: str = "", username: str = "shed-gw") -> Settings:
    text = CONFIG.format(people=people, upstream=upstream, username=username)
    return parse(text, "gateway.toml", {}).settings


def barn(username: str) -> Settings:
    text = f'[gateway]\nid="barn"\n[upstream]\nurl="mqtt://localhost"\nusername="{username}"\n'
    people = '[[people]]\nname="operators"\nmembers=["bert","erik"]'
    return parse(text + people, "barn.toml", {}).settings


def of(settings: Settings, name: str) -> Role:
    return people_role(settings, next(group for group in settings.people if group.name == name))


def test_a_gateway_may_speak_its_topics_and_hear_its_commands() -> None:
    role = gateway_role(load())
    assert role.read == ("tidegate/shed/+/set", "tidegate/shed/command")
    assert (role.members, role.client_id) == (("shed-gw",), "tidegate-shed")
    for topic in ("status", "history", "alarm/fire", "pump/state", "host/data", "reply/a1/b"):
        assert any(topic_matches_sub(one, f"tidegate/shed/{topic}") for one in role.write), topic
    for topic in ("shed/pump/set", "shed/command", "barn/status", "shed/host/data/load"):
        assert not any(topic_matches_sub(one, f"tidegate/{topic}") for one in role.write), topic
    plain = gateway_role(load(upstream='dialect = "plain"'))
    assert "tidegate/shed/+/data/+" in plain.write


def test_a_gateway_hears_the_readings_that_its_rules_ask_for() -> None:
    rule = '[[rule]]\nname = "r"\nstale = "keep"\nthen = { command = "pump", value = "on" }\n'
    rule += 'when = { not = { reading = "barn/tank.level", at_most = 5 } }\n'
    role = gateway_role(load(people=rule))
    assert "tidegate/barn/tank/data" in role.read
    assert not any("barn" in topic for topic in role.write)
    assert "tidegate/shed/event/+" in role.write


def test_people_may_what_their_group_says_and_no_more() -> None:
    settings = load()
    operators = of(settings, "operators")
    assert operators.read == ("tidegate/shed/#",)
    assert operators.write == ("tidegate/shed/pump/set",)
    owners = of(settings, "owners")
    assert owners.write == ("tidegate/shed/+/set", "tidegate/shed/command")
    tenants = of(settings, "tenants")
    assert set(tenants.read) == {f"tidegate/shed/{leaf}" for leaf in ("about", "status", "host/#")}
    assert tenants.write == ()


def test_who_only_commands_hears_the_answer() -> None:
    people = '[[people]]\nname="remote"\nmembers=["dora"]\nread=[]\ncommand=["pump"]'
    role = of(load(people), "remote")
    leaves = ("status", "session", "reply/#", "pump/state", "pump/result")
    assert set(role.read) == {f"tidegate/shed/{leaf}" for leaf in leaves}


def test_a_group_of_several_gateways_is_one() -> None:
    found = {role.name: role for role in roles([load(), barn("barn-gw")])}
    assert found["people-operators"].members == ("anna", "bert", "erik")
    assert found["people-operators"].read == ("tidegate/shed/#", "tidegate/barn/#")
    acl = mosquitto_acl(list(found.values()))
    assert acl.count("user erik") == 1
    bert = acl[acl.index("user bert") :].split("\n\n")[0]
    assert "topic write tidegate/shed/pump/set" in bert


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ([load(username="")], "has no login name"),
        ([load(), load()], "the same username"),
        ([load(), barn("anna")], "the login of a gateway"),
    ],
)
def test_what_a_broker_cannot_keep_apart(settings: list[Settings], words: str) -> None:
    with pytest.raises(Unusable, match=words):
        roles(settings)


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ('name="Big Ones"\nmembers=["a"]', "must be small letters"),
        ('name="a"\nmembers=["x y"]', "no space and no colon"),
        ('name="a"\nmembers=["x:y"]', "no space and no colon"),
        ('name="a"\nmembers=["shed-gw"]', "the gateway's own login"),
        ('name="a"\nmembers=["x"]\nread=["hots"]', 'no device "hots"'),
        ('name="a"\nmembers=["x"]\ncommand=["host"]', 'no output "host"'),
        ('name="a"\nmembers=["x"]\n[[people]]\nname="a"\nmembers=["y"]', "another group already"),
    ],
)
def test_errors_in_a_group(people: str, words: str) -> None:
    with pytest.raises(ConfigErrors) as raised:
        load(f"[[people]]\n{people}")
    assert words in raised.value.errors[0].message


LEVELS = st.sampled_from(["a", "b", "c.d", "x+y"])
TOPICS = st.lists(LEVELS, min_size=1, max_size=4).map("/".join)
FILTERS = st.builds(
    lambda levels, end: "/".join([*levels, *end]),
    st.lists(LEVELS | st.just("+"), min_size=1, max_size=3),
    st.sampled_from([[], ["#"]]),
)


@hypothesis.settings(deadline=None)
@given(FILTERS, FILTERS, TOPICS)
def test_a_filter_that_covers_another_has_all_its_topics(
    wide: str, narrow: str, topic: str
) -> None:
    if covers(wide, narrow) and topic_matches_sub(narrow, topic):
        assert topic_matches_sub(wide, topic)
    assert covers(wide, topic) == topic_matches_sub(wide, topic)


def key(topic: str) -> str:
    """As RabbitMQ's MQTT plug-in translates it."""
    return topic.replace("/", ".").replace("+", "*")


@hypothesis.settings(deadline=None)
@given(FILTERS, TOPICS.filter(lambda topic: "." not in topic and "+" not in topic))
def test_routing_keys_are_allowed_as_their_topics_are(one: str, topic: str) -> None:
    pattern = routing_pattern([one])
    assert bool(re.search(pattern, key(topic))) == topic_matches_sub(one, topic) or "." in one


PLAIN = FILTERS.filter(lambda one: "." not in one and "x+y" not in one)


@hypothesis.settings(deadline=None)
@given(PLAIN, PLAIN)
def test_a_subscription_is_allowed_if_it_is_covered(wide: str, narrow: str) -> None:
    pattern = routing_pattern([wide], subscribing=True)
    assert bool(re.search(pattern, key(narrow))) == covers(wide, narrow)


def test_without_rights_no_routing_key_is_allowed() -> None:
    assert not re.search(routing_pattern([]), "tidegate.shed.status")
    assert not re.search(routing_pattern(["a/b", "c/d"]), "a.b.c")
    assert not re.search(routing_pattern(["a/b", "c/d"]), "x.c.d")


def test_hashes_are_those_of_mosquitto_s_own_tool(tmp_path: Path) -> None:
    tool = shutil.which("mosquitto_passwd")
    if tool is None:
        pytest.skip("mosquitto_passwd is not installed: apt-get install mosquitto")
    file = tmp_path / "passwords"
    subprocess.run([tool, "-c", "-b", str(file), "anna", "söcret:$"], check=True)
    stored = file.read_text().strip().removeprefix("anna:")
    assert access_hashes.is_mosquitto(stored, "söcret:$")
    assert not access_hashes.is_mosquitto(stored, "socret:$")
    assert not access_hashes.is_mosquitto("", "x")
    assert not access_hashes.is_mosquitto("$7$0$$", "x")


def test_a_hash_from_rabbitmq_s_documentation() -> None:
    """Its example is SHA-256 (Passwords guide): salt 908D C60A, password test12."""
    stored = access_hashes.rabbitmq("test12", bytes.fromhex("908DC60A"))
    assert access_hashes.is_rabbitmq(stored, "test12")
    assert not access_hashes.is_rabbitmq(stored, "test13")
    assert not access_hashes.is_rabbitmq("?", "test12")


def write(folder: Path, **more: Any) -> Path:
    path = folder / "gateway.toml"
    secret = folder / "secret"
    secret.write_text("gw-password\n")
    settings = {"people": PEOPLE, "upstream": f'password_file = "{secret}"', "username": "shed-gw"}
    path.write_text(CONFIG.format(**(settings | more)))
    return path


def test_no_password_is_written_in_clear_and_what_is_known_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, out = write(tmp_path), tmp_path / "out"
    people = tmp_path / "people.txt"
    people.write_text("# people\nanna:anna-password\n\ncarl:carl:password\n")
    for broker in ("mosquitto", "rabbitmq", "dynsec"):
        arguments = ["broker-acl", str(config), "--broker", broker, "--out", str(out)]
        assert main([*arguments, "--passwords", str(people)]) == 0
    assert "bert has no password yet" in capsys.readouterr().out
    first = {path.name: path.read_text() for path in out.iterdir()}
    assert set(first) == {"acl", "passwords", "definitions.json", "dynsec.json"}
    for name, text in first.items():
        assert not [word for word in ("gw-password", "anna-password", "l:password") if word in text]
        assert stat.S_IMODE((out / name).stat().st_mode) == 0o600
    stored = dict(line.split(":", 1) for line in first["passwords"].splitlines())
    assert sorted(stored) == ["anna", "carl", "shed-gw"]
    assert access_hashes.is_mosquitto(stored["carl"], "carl:password")
    assert access_hashes.is_mosquitto(stored["shed-gw"], "gw-password")

    # Again, without people's passwords and with another of the gateway's.
    (tmp_path / "secret").write_text("another\n")
    for broker in ("mosquitto", "rabbitmq"):
        assert main(["broker-acl", str(config), "--broker", broker, "--out", str(out)]) == 0
    again = dict(line.split(":", 1) for line in (out / "passwords").read_text().splitlines())
    assert (again["anna"], again["carl"]) == (stored["anna"], stored["carl"])
    assert access_hashes.is_mosquitto(again["shed-gw"], "another")
    users = [
        json.loads(text)["users"]
        for text in (first["definitions.json"], (out / "definitions.json").read_text())
    ]
    hashes = [{user["name"]: user["password_hash"] for user in one} for one in users]
    assert hashes[0]["anna"] == hashes[1]["anna"]
    assert access_hashes.is_rabbitmq(hashes[1]["shed-gw"], "another")
    assert "bert" not in hashes[1]


def test_rabbitmq_s_policy_for_a_cluster_is_printed_for_a_shell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--broker", "rabbitmq", "--out", str(tmp_path), "--vhost", "north west"]
    assert main(["broker-acl", str(write(tmp_path)), *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    command = shlex.split(next(line for line in lines if "set_policy" in line))
    assert command[:4] == ["rabbitmqctl", "set_policy", "-p", "north west"]
    _, pattern, definition = command[4:]
    assert re.match(pattern, "mqtt-subscription-shedqos1")
    assert json.loads(definition) == {"ha-mode": "all", "ha-sync-mode": "automatic"}


def test_what_cannot_be_used_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = write(tmp_path)
    people = tmp_path / "people.txt"
    people.write_text("anna\n")
    assert main(["broker-acl", str(config), "--passwords", str(people)]) == 1
    assert "people.txt:1: write name:password" in capsys.readouterr().err
    assert main(["broker-acl", str(config), "--passwords", "/nowhere"]) == 1
    assert main(["broker-acl", str(tmp_path / "none.toml")]) == 78
    assert main(["broker-acl", str(write(tmp_path, username="")), "--out", str(tmp_path)]) == 78
