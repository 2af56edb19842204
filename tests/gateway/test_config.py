"""A file as a whole: every error at once, each with its place and a hint."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from gateway.config import ConfigErrors, load, parse
from gateway.settings import BusSettings, DeviceSettings, FilterSettings, OutputSettings
from tests.gateway.fake_drivers import fake_catalog

__all__ = ["fake_catalog"]

pytestmark = pytest.mark.usefixtures("fake_catalog")

HEAD = '[gateway]\nid = "gw"\n[upstream]\nurl = "mqtt://localhost"\n'


def errors_of(text: str, **env: str) -> list[str]:
    with pytest.raises(ConfigErrors) as raised:
        parse(textwrap.dedent(text), "x.toml", env)
    return [str(problem) for problem in raised.value.errors]


def test_a_whole_file(tmp_path: Path) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text("""\
gateway = { id = "gw", health_every = "5min" }
[upstream]
url = ["mqtts://a.example", "mqtts://b.example:8884"]
username = "${USER_NAME}"
[outbox]
size = "128MiB"
[[bus]]
name = "i2c"
kind = "i2c"
device = "/dev/i2c-1"
[[bus]]
name = "gpio"
kind = "gpio"
[[device]]
name = "room"
driver = "thermometer"
bus = "i2c"
interval = "1min"
address = 0x41
filter.temperature = { deadband = 0.1, low = -20 }
[[device]]
name = "valve"
driver = "valve"
bus = "gpio"
pin = 4
stop = "closed"
max_on = "2h"
""")
    settings, warnings = load(file, {"USER_NAME": "me"})
    assert warnings == ()
    assert settings.gateway.health_every == 300.0
    assert settings.upstream.url == ("mqtts://a.example", "mqtts://b.example:8884")
    assert settings.upstream.username == "me"
    assert settings.outbox.size == 128 << 20
    assert settings.bus == (
        BusSettings(name="i2c", kind="i2c", device="/dev/i2c-1"),
        BusSettings(name="gpio", kind="gpio"),
    )
    assert settings.device == (
        DeviceSettings(
            name="room",
            driver="thermometer",
            bus="i2c",
            interval=60.0,
            filter={"temperature": FilterSettings(deadband=0.1, low=-20.0)},
            options={"address": 0x41},
        ),
        DeviceSettings(
            name="valve",
            driver="valve",
            bus="gpio",
            output=OutputSettings(stop=False, max_on=7200.0),
            options={"pin": 4},
        ),
    )


def test_every_error_is_found_at_once_with_its_line() -> None:
    assert errors_of("""\
        [gateway]
        id = "My House"
        helth_every = 10
        [upstream]
        url = "mqtt://localhost"
        window = "many"
        [[device]]
        name = "a"
        driver = "thermometr"
        [[device]]
        name = "b"
        driver = "meter"
        bus = "port"
        [[bus]]
        name = "i2c"
        kind = "i2c"
        [outbocks]
        """) == [
        'x.toml:2: gateway.id: must be small letters, digits, - and _, beginning with a letter '
        'or digit, at most 63, since it is a topic level; "my-house" would do',
        'x.toml:3: gateway.helth_every: unknown key; did you mean "health_every"?',
        'x.toml:6: upstream.window: must be a whole number, not "many"',
        'x.toml:9: device[a].driver: there is no driver "thermometr"',
        "x.toml:10: device[b].speed: is missing; a whole number in Bd: speed",
        'x.toml:13: device[b].bus: there is no [[bus]] with the name "port"; there is: i2c',
        'x.toml:14: bus[i2c].device: must be the adapter, as "/dev/i2c-1"; '
        "`ls /dev/i2c-*` lists them",
        'x.toml:17: outbocks: unknown key; did you mean "outbox"?',
    ]  # fmt: skip


def test_an_empty_file_says_what_is_needed() -> None:
    assert errors_of("") == [
        "x.toml: gateway.id: is missing; a text: the gateway's name, a topic level; "
        "unique at the broker",
        "x.toml: upstream.url: is missing; a text or a list of texts: mqtt://host:1883, "
        "mqtts://host:8883, ws://, wss://, unix:///path; several: in turn",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = x", "x.toml:1: not valid TOML: Invalid value; a text needs quotes"),
        (
            "\na: x",
            "x.toml:2: not valid TOML: Expected '=' after a key in a key/value pair; "
            "TOML writes key = value",
        ),
        ("[t]\na = 1\na = 2", "x.toml:3: not valid TOML: Cannot overwrite a value"),
        ("\n\n[t", "x.toml:3: not valid TOML: Expected ']' at the end of a table declaration"),
        ('a = """x\n\n', "x.toml:1: not valid TOML: Unterminated string"),
    ],
)
def test_broken_toml_has_its_line(text: str, expected: str) -> None:
    (error,) = errors_of(text)
    assert error == expected


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path, expected in [
        (tmp_path / "none.toml", "No such file or directory; give the path"),
        (tmp_path, "Is a directory"),
    ]:
        with pytest.raises(ConfigErrors) as raised:
            load(path)
        assert str(raised.value).startswith(f"{path}: {expected}")
    file = tmp_path / "latin.toml"
    file.write_bytes('[gateway]\nid = "Büro"\n'.encode("latin-1"))
    with pytest.raises(ConfigErrors, match=r"latin.toml:2: is not UTF-8 text; save the file as"):
        load(file)


def test_windows_line_ends_count_as_one() -> None:
    with pytest.raises(ConfigErrors, match=r"x.toml:4: outbox.size"):
        parse("[gateway]\r\nid = 'a'\r\n[outbox]\r\nsize = 'x'\r\n", "x.toml")


def test_tables_and_arrays_are_told_apart() -> None:
    errors = errors_of(f"{HEAD}[bus]\nname = 'x'\n")
    assert errors == ["x.toml:5: bus: must be a list of tables; write [[bus]], with two brackets"]
    errors = errors_of(f"{HEAD}[[outbox]]\n")
    assert errors == ["x.toml:5: outbox: must be a table, not a list"]
    errors = errors_of(f"device = [1]\n{HEAD}")
    assert errors == ["x.toml:1: device[1]: must be a table; write [[device]]"]


def test_a_device_with_a_wrong_value_is_still_checked_for_the_rest() -> None:
    assert errors_of(HEAD + """\
[[device]]
driver = "thermometer"
address = "x"
gain = 3
bus = "nowhere"
""") == [
        "x.toml:5: device[1].name: is missing; a text: topic level",
        'x.toml:7: device[1].address: must be a whole number, not "x"',
        "x.toml:8: device[1].gain: must be 1, 2 or 4, not 3; amplification",
        'x.toml:9: device[1].bus: there is no [[bus]] with the name "nowhere"; add a [[bus]]',
    ]  # fmt: skip


def test_a_bus_with_an_error_is_not_missed_by_its_devices() -> None:
    assert errors_of(HEAD + """\
[[bus]]
name = "b"
kind = "i3c"
[[device]]
name = "d"
driver = "thermometer"
bus = "b"
""") == [
        'x.toml:7: bus[b].kind: must be "i2c", "i2c-mux", "serial", "gpio", "spi", "onewire", '
        '"host" or "simulated-i2c", not "i3c"; did you mean "i2c"?'
    ]  # fmt: skip


def test_variables_that_are_not_set_are_said_once() -> None:
    text = HEAD + '[outbox]\nsize = "${SIZE}"\nexpire = "${EXPIRE:-1d}"\n'
    assert errors_of(text) == [
        "x.toml:6: outbox.size: the environment variable SIZE is not set; "
        "set it, or give a default: ${SIZE:-default}"
    ]
    assert parse(text, "x.toml", {"SIZE": "4MiB"}).settings.outbox.size == 4 << 20


def test_errors_keep_secrets_and_show_other_lines() -> None:
    text = HEAD + 'password = 5\nwindow = 0\n[[device]]\nname="d"\ndriver="thermometer"\nkey=77\n'
    with pytest.raises(ConfigErrors) as raised:
        parse(text, "x.toml")
    shown = {problem.path: problem.source for problem in raised.value.errors}
    assert shown["upstream.password"] == shown["device[d].key"] == ""
    assert shown["upstream.window"] == "window = 0"
    assert "77" not in repr(raised.value.errors)


def test_a_password_in_clear_is_a_warning() -> None:
    loaded = parse(f'{HEAD}username = "u"\npassword = "hunter2"\n', "x.toml")
    assert [str(warning) for warning in loaded.warnings] == [
        "x.toml:6: upstream.password: whoever reads this file can use it; "
        "better: password_file, or ${NAME}"
    ]
    assert "hunter2" not in repr(loaded.warnings)
    text = f'{HEAD}username = "u"\npassword = "${{PW}}"\n'
    assert parse(text, "x.toml", {"PW": "hunter2"}).warnings == ()


def test_columns_point_at_the_key() -> None:
    with pytest.raises(ConfigErrors) as raised:
        parse(f"outbox = {{ sizes = 1 }}\n{HEAD}", "x.toml")
    (error,) = raised.value.errors
    assert (error.line, error.column, error.source) == (1, 12, "outbox = { sizes = 1 }")
