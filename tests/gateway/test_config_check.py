"""What single values cannot tell: names, buses, addresses, pins, outputs and the broker."""

from __future__ import annotations

import pytest

from gateway.config import ConfigErrors, Loaded, parse
from gateway.config_upstream import is_loopback
from tests.gateway.fake_drivers import fake_catalog

__all__ = ["fake_catalog"]

pytestmark = pytest.mark.usefixtures("fake_catalog")

BUSES = """
[[bus]]
name = "i2c"
kind = "i2c"
device = "/dev/i2c-1"
[[bus]]
name = "port"
kind = "serial"
device = "/dev/ttyUSB0"
[[bus]]
name = "gpio"
kind = "gpio"
[[bus]]
name = "extra"
kind = "gpio"
device = "mock"
"""


@pytest.fixture
def real_catalog(fake_catalog: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drivers that there are, in spite of `fake_catalog`."""
    monkeypatch.undo()


def loaded(text: str, url: str = "mqtt://localhost") -> Loaded:
    return parse(f'gateway.id = "gw"\nupstream.url = "{url}"\n{text}', "x.toml", {})


def messages(text: str, url: str = "mqtt://localhost") -> list[str]:
    """`key path: message` of the errors, without the hints."""
    try:
        loaded(text, url)
    except ConfigErrors as errors:
        return [f"{problem.path}: {problem.message}" for problem in errors.errors]
    return []


def device(name: str, driver: str, bus: str, *rows: str) -> str:
    head = f'[[device]]\nname = "{name}"\ndriver = "{driver}"\n'
    return head + (f'bus = "{bus}"\n' if bus else "") + "\n".join(rows) + "\n"


@pytest.mark.parametrize("name", ["a", "0", "room-1_b", "a" * 63])
def test_good_names(name: str) -> None:
    assert messages(device(name, "clock", "")) == []


@pytest.mark.parametrize("name", ["", "A", "-a", "a b", "a/b", "ä", "a" * 64, "a+", "a\\n"])
def test_bad_names(name: str) -> None:
    (message,) = messages(device(name, "clock", ""))
    assert "must be small letters, digits" in message


@pytest.mark.parametrize(
    "name", ["status", "session", "about", "health", "history", "command", "result", "alarm"]
)
def test_names_of_the_gateways_own_topics(name: str) -> None:
    (message,) = messages(device(name, "clock", ""))
    assert message == f'device[{name}].name: "{name}" is a topic of the gateway itself'


def test_names_are_unique() -> None:
    twice = device("a", "clock", "") * 2
    assert messages(twice) == ['device[a].name: "a" is the name of another one already']
    assert messages(BUSES + '[[bus]]\nname = "gpio"\nkind = "host"\n') == [
        'bus[gpio].name: "gpio" is the name of another one already'
    ]


@pytest.mark.parametrize(
    ("bus", "message"),
    [
        ('kind = "i2c"', 'device: must be the adapter, as "/dev/i2c-1"'),
        ('kind = "serial"', "device: must be the port"),
        (
            'kind = "gpio"\ndevice = "pigpio"',
            'device: must be empty, "lgpio", "mock" or "/dev/gpiochipN"',
        ),
        (
            'kind = "i2c"\ndevice = "/dev/i2c-1"',
            'device: "/dev/i2c-1" is already the device of another bus',
        ),
        (
            'kind = "host"\nchips = ["bme280@0x76"]',
            "chips: only a bus of kind simulated-i2c has chips",
        ),
        (
            'kind = "simulated-i2c"\nchips = ["bme280"]',
            "chips[1]: must be CHIP@ADDRESS, as bme280@0x76",
        ),
        (
            'kind = "simulated-i2c"\nchips = ["bme208@0x76"]',
            "chips[1]: there is no simulated chip bme208",
        ),
        (
            'kind = "gpio"\npulses = {17 = 1}',
            'pulses: only a bus of kind gpio with device = "mock" makes pulses',
        ),
    ],
)
def test_what_a_bus_needs(bus: str, message: str) -> None:
    assert messages(f'{BUSES}[[bus]]\nname = "b"\n{bus}\n') == [f"bus[b].{message}"]


def test_pulses_are_on_gpio_numbers() -> None:
    bus = '[[bus]]\nname = "b"\nkind = "gpio"\ndevice = "mock"\npulses = {17 = 1, GPIO4 = 1}\n'
    assert messages(bus) == ["bus[b].pulses.GPIO4: must be a GPIO number from 0 to 27"]


def test_a_device_is_on_a_bus_of_its_kind() -> None:
    text = BUSES + device("a", "thermometer", "port") + device("b", "thermometer", "")
    assert messages(text + device("c", "clock", "gpio")) == [
        "device[a].bus: must be of kind i2c or i2c-mux or simulated-i2c, "
        "but bus port is of kind serial",
        "device[b].bus: is missing: the driver needs a bus of kind i2c or i2c-mux or simulated-i2c",
        "device[c].bus: must be of kind host, but bus gpio is of kind gpio",
    ]


def test_addresses_are_taken_once_a_bus() -> None:
    text = device("a", "thermometer", "i2c") + device("b", "thermometer", "i2c", "address = 0x41")
    assert messages(BUSES + text) == []
    assert messages(BUSES + text + device("c", "thermometer", "i2c", "address = 64")) == [
        'device[c].address: 0x40 on bus i2c is that of "a"'
    ]
    (message,) = messages(BUSES + text + device("c", "thermometer", "i2c", 'address = "0x42"'))
    assert message == 'device[c].address: must be a whole number, not "0x42"'


def test_pins_are_taken_once() -> None:
    text = device("a", "valve", "gpio", "pin = 4") + device("b", "valve", "extra", "pin = 4")
    assert messages(BUSES + text) == []
    text += device("c", "valve", "gpio", "pin = 5", "sense_pin = 4")
    text += device("d", "valve", "gpio", "pin = 6", "sense_pin = 6")
    assert messages(BUSES + text) == [
        'device[c].sense_pin: GPIO 4 is already pin of "a"',
        'device[d].sense_pin: GPIO 6 is already pin of "d"',
    ]


def test_a_meter_that_speaks_has_a_port_of_its_own() -> None:
    text = device("a", "meter", "port", "speed = 300") + device("b", "meter", "port", "speed = 300")
    assert messages(BUSES + text) == ['device[b].bus: port port is already that of "a"']


def test_only_what_speaks_by_itself_has_no_interval() -> None:
    text = device("a", "meter", "port", "speed = 300", "interval = 0")
    assert messages(BUSES + text) == []
    (message,) = messages(device("a", "clock", "", "interval = 0"))
    assert message.startswith("device[a].interval: must be above 0")


def test_options_that_contradict_each_other() -> None:
    text = device("a", "thermometer", "i2c", "settle = 6", "gain = 2")
    assert messages(BUSES + text) == ["device[a]: settle above 5 s needs gain 1"]


def test_filters_are_for_channels_that_there_are() -> None:
    rows = "filter = { temprature = { deadband = 1 }, temperature = { low = 5, high = 5 } }"
    assert messages(BUSES + device("a", "thermometer", "i2c", rows)) == [
        'device[a].filter.temprature: the driver has no channel "temprature"',
        "device[a].filter.temperature.low: must be below high, which is 5",
    ]
    text = BUSES + device("a", "meter", "port", "speed = 300", "filter.powr.deadband = 1")
    assert [warning.message for warning in loaded(text).warnings] == [
        'the driver has no channel "powr"'
    ]


def test_keys_of_outputs_are_for_outputs() -> None:
    with pytest.raises(ConfigErrors) as raised:
        loaded(device("a", "clock", "", "max_on = 5", "deadband = 1"))
    assert [(problem.path, problem.hint) for problem in raised.value.errors] == [
        ("device[a].max_on", 'only an output has it, and driver "clock" is none'),
        ("device[a].deadband", "belongs in [device.filter.CHANNEL]"),
    ]


def test_states_of_outputs_are_in_the_drivers_words() -> None:
    text = BUSES + device("a", "valve", "gpio", "pin = 4", 'start = "ajar"', 'stop = "closed"')
    assert messages(text) == [
        "device[a].start: is no state of this output: open or closed",
    ]
    text = BUSES + device("a", "valve", "gpio", "pin = 4", 'link_loss = "open"')
    output = loaded(text).settings.device[0].output
    assert output is not None and (output.link_loss, output.stop) == (True, None)


def test_limits_of_outputs_go_together() -> None:
    text = device("a", "valve", "gpio", "pin = 4", "max_on = 5", "min_on = 6", "dead_time = 1")
    assert messages(BUSES + text) == [
        "device[a].max_on: must not be shorter than min_on, which is 6 s",
        "device[a].dead_time: needs the name of a group in interlock",
    ]


def test_an_output_of_a_group_cannot_start_on() -> None:
    text = device("a", "valve", "gpio", "pin = 4", 'interlock = "w"', 'start = "open"')
    (message,) = messages(BUSES + text)
    assert message == "device[a].start: an output of an interlock group cannot start on"


BUDGET = '[[load_budget]]\nname = "feed"\nlimit = 3600\n'


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (('load_budget = "fed"', "load = 1"), 'load_budget: there is no [[load_budget]] "fed"'),
        (('load_budget = "feed"',), "load: is missing: what it takes of the budget, in W"),
        (("load = 5",), "load: needs the name of a [[load_budget]] in load_budget"),
        (
            ('load_budget = "feed"', "load = 3601"),
            "load: is more than the whole budget, 3600 W",
        ),
    ],
)
def test_a_load_budget_is_named_and_suffices(rows: tuple[str, ...], message: str) -> None:
    text = device("a", "valve", "gpio", "pin = 4", *rows)
    assert messages(BUSES + BUDGET + text) == [f"device[a].{message}"]


def test_what_starts_on_keeps_to_the_budget() -> None:
    rows = ('load_budget = "feed"', "load = 2000", 'start = "open"')
    one = device("a", "valve", "gpio", "pin = 4", *rows)
    two = device("b", "valve", "gpio", "pin = 5", *rows)
    assert messages(BUSES + BUDGET + one) == []
    (message,) = messages(BUSES + BUDGET + one + two)
    assert message == 'device[b].start: the outputs that start on take more than "feed" allows'
    budgets = loaded(BUSES + BUDGET + one).settings.load_budget
    assert [(budget.name, budget.limit) for budget in budgets] == [("feed", 3600.0)]


@pytest.mark.usefixtures("real_catalog")
def test_what_a_motor_cannot_is_said() -> None:
    pins = ("up_pin = 5", "down_pin = 6", "travel_up = 9", "travel_down = 9")
    assert messages(BUSES + device("b", "blind", "gpio", *pins, 'stop = "stop"')) == []
    rows = ('stop = "open"', "max_on = 5", 'link_loss = "open"')
    assert messages(BUSES + device("b", "blind", "gpio", *pins, *rows)) == [
        'device[b].stop: a motor can only "stop" then',
        "device[b].max_on: does not apply to a motor, which is neither on nor off",
    ]


def test_an_interlock_of_one_is_doubtful() -> None:
    one = device("a", "valve", "gpio", "pin = 4", 'interlock = "heat"')
    (warning,) = loaded(BUSES + one).warnings
    assert warning.message == 'group "heat" has no other output'
    two = device("b", "valve", "gpio", "pin = 5", 'interlock = "heat"')
    assert loaded(BUSES + one + two).warnings == ()


@pytest.mark.parametrize(
    "url",
    [
        "mqtt://localhost",
        "mqtt://127.0.0.1:1883",
        "mqtt://[::1]:1883/",
        "mqtts://broker.example.org:8883",
        "mqtts://[2001:db8::1]",
        "mqtts://my_broker",
        "mqtts://bücher.example",
        f"mqtts://{'a' * 63}.example.",
        "ws://localhost:9001/mqtt",
        "wss://broker.example.org/mqtt",
        "unix:///run/mosquitto.sock",
    ],
)
def test_good_brokers(url: str) -> None:
    assert messages("", url) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost", "must begin with mqtt://, mqtts://, ws://, wss://, unix://"),
        ("localhost:1883", "must begin with mqtt://"),
        ("http://localhost", "must begin with mqtt://"),
        ("mqtt://", "the host is missing"),
        ("mqtt://localhost:0", "the port must be a number from 1 to 65535"),
        ("mqtt://localhost:99999", "the port must be a number from 1 to 65535"),
        ("mqtt://localhost:x", "the port must be a number from 1 to 65535"),
        ("mqtt://[::1", "is no URL: Invalid IPv6 URL"),
        ("mqtt://user:secret@localhost", "must not hold a login"),
        ("mqtt://localhost/topic", "cannot have a path (/topic)"),
        (f"mqtts://{'a' * 64}.example", "a host name has at most 63 letters between dots"),
        (f"mqtts://{'a.' * 130}example", "a host name has at most 63 letters between dots"),
        ("mqtts://a..b", '"a..b" cannot be a host name'),
        ("mqtts://-a.example", '"-a.example" cannot be a host name'),
        ("mqtts://ü..b", '"ü..b" cannot be a host name'),
        ("mqtt://broker.example", "mqtt:// to another machine can be read and changed"),
        ("ws://192.168.1.5", "ws:// to another machine can be read and changed"),
        ("unix://run/x.sock", "must be unix:// and an absolute path"),
    ],
)
def test_brokers_that_cannot_be(url: str, message: str) -> None:
    (found,) = messages("", url)
    assert found.startswith(f"upstream.url: {message}")
    assert "secret" not in found


def test_the_open_network_has_to_be_asked_for() -> None:
    assert messages("upstream.insecure = true", "mqtt://192.168.1.5") == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ('upstream.root = "a/+"', "upstream.root: must be a topic"),
        ('upstream.root = "$SYS"', "upstream.root: must be a topic"),
        ('upstream.root = ""', "upstream.root: must be a topic"),
        ('upstream.root = "a//b"', "upstream.root: must be a topic"),
        ('upstream.proxy = "ftp://proxy"', "upstream.proxy: must begin with http://, socks5://"),
        (
            'upstream.username = "u"\nupstream.password = "p"\nupstream.password_file = "f"',
            "upstream.password_file: stands beside password",
        ),
        (
            'upstream.password_file = "/run/p"',
            "upstream.username: is missing beside the password",
        ),
        ('upstream.cert_file = "c.pem"', "upstream.key_file: is missing: a client certificate"),
        ('upstream.key_file = "k.pem"', "upstream.cert_file: is missing: a client certificate"),
        ('upstream.key_password_file = "p"', "upstream.key_password_file: is of no use without"),
        ('upstream.proxy = "http://a:b@c"', "upstream.proxy: must not hold a login"),
        ('upstream.proxy_username = "me"', "upstream.proxy_username: is of no use without proxy"),
        ('upstream.proxy_password_file = "p"', "upstream.proxy_username: is missing beside"),
        ('gateway.state = "state"', "gateway.state: must be an absolute path"),
    ],
)
def test_the_rest_of_the_session(rows: str, message: str) -> None:
    (found,) = messages(rows)
    assert found.startswith(message)


def test_at_least_one_broker() -> None:
    with pytest.raises(ConfigErrors, match="must name at least one broker"):
        parse('gateway.id = "gw"\nupstream.url = []\n', "x.toml")


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.3.2.1", "::1", "a.localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["localhost.example", "192.168.1.1", "::2", "127.0.0.1.example"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)
