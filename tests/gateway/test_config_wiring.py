"""Addresses and multiplexers in a configuration: what may share a wire, and what is refused."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from drivers.base import Reading
from gateway.build_devices import attach, by_bus, open_named, self_freeing
from gateway.config import ConfigErrors, parse
from gateway.state import Store

HEAD = '[gateway]\nid = "g"\n[upstream]\nurl = "mqtt://localhost"\n'
I2C = '[[bus]]\nname = "main"\nkind = "simulated-i2c"\n'


def mux(name: str, parent: str = "main", channel: int | None = 0, address: int = 0x70) -> str:
    number = "" if channel is None else f"channel = {channel}\n"
    at = f'parent = "{parent}"\naddress = {address}\n'
    return f'[[bus]]\nname = "{name}"\nkind = "i2c-mux"\n{at}{number}'


def device(name: str, bus: str, driver: str = "sht4x", more: str = "") -> str:
    return f'[[device]]\nname = "{name}"\ndriver = "{driver}"\nbus = "{bus}"\n{more}\n'


def errors(*parts: str) -> Sequence[str]:
    with pytest.raises(ConfigErrors) as caught:
        parse(HEAD + "".join(parts), "test.toml")
    return [f"{error.path}: {error.message}" for error in caught.value.errors]


def test_equal_addresses_behind_different_channels_are_fine() -> None:
    text = (
        I2C
        + mux("a")
        + mux("b", channel=1)
        + mux("deep", parent="b", address=0x71)
        + "".join(device(f"d-{bus}", bus) for bus in ("a", "b"))
        + device("fine", "deep", "bme280")
    )
    settings = parse(HEAD + text, "test.toml").settings
    opened: dict[str, object] = {}
    open_named("deep", settings, opened)
    assert list(opened) == ["main", "b", "deep"]
    attached = dict.fromkeys(("d-a", "d-b", "fine"))
    assert by_bus(settings, attached) == {"main": [None, None, None]}  # type: ignore[arg-type]


PINS = '[[bus]]\nname = "pins"\nkind = "gpio"\ndevice = "mock"\n'


def freed(name: str = "i", lines: str = "sda = 5\nscl = 6", device: str = "/dev/i2c-1") -> str:
    return (
        f'[[bus]]\nname = "{name}"\nkind = "i2c"\ndevice = "{device}"\nrecover = "pins"\n{lines}\n'
    )


X, Y = device("x", "main"), device("y", "a")
LED = device("x", "main", "pca9685", "address = 0x70\npin = 1")
SERIAL = '[[bus]]\nname = "s"\nkind = "serial"\ndevice = "/dev/x"\nchannel = 1\n'
SPI = '[[bus]]\nname = "s"\nkind = "spi"\ndevice = "/dev/spi"\n'
BELOW = mux("a") + mux("b", "a", address=0x71)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (X + mux("a") + Y, "device[y].address", '0x44 on bus a is that of "x"'),
        (mux("a") + Y + X, "device[x].address", '0x44 on bus main is that of "y"'),
        (BELOW + Y + device("z", "b"), "device[z].address", '0x44 on bus b is that of "y"'),
        (mux("a") + mux("b"), "bus[b].channel", 'is already that of bus "a"'),
        (mux("a", channel=None), "bus[a].channel", "is missing"),
        (mux("a", "man"), "bus[a].parent", 'there is no [[bus]] with the name "man"'),
        (mux("a", ""), "bus[a].parent", "is missing: the bus that the multiplexer hangs on"),
        (mux("a", "b") + mux("b", "a"), "bus[a].parent", "hangs on itself"),
        (mux("a", "a"), "bus[a].parent", "hangs on itself"),
        (
            mux("a") + LED,
            "device[x].address",
            "0x70 on bus main is that of the multiplexer of bus a",
        ),
        (SERIAL, "bus[s].channel", "only a bus of kind i2c-mux has it"),
        (freed(), "bus[i].recover", "must name a [[bus]] of kind gpio"),
        (
            I2C.replace("main", "n") + 'recover = "main"\nsda = 1\nscl = 2\n',
            "bus[n].recover",
            "only a bus of kind i2c is freed by clock pulses",
        ),
        (
            PINS + freed(lines="sda = 5"),
            "bus[i].scl",
            "is missing: the GPIO that is wired to it beside the controller",
        ),
        (
            PINS + freed(lines="sda = 5\nscl = 3"),
            "bus[i].scl",
            "GPIO 3 is the controller's own pin of /dev/i2c-1",
        ),
        (PINS + freed(lines="sda = 5\nscl = 5"), "bus[i].scl", "GPIO 5 is already sda of bus i"),
        (
            PINS + freed() + freed("j", device="/dev/i2c-3"),
            "bus[j].sda",
            "GPIO 5 is already sda of bus i",
        ),
        (
            PINS + freed() + device("door", "pins", "contact", "pin = 6"),
            "device[door].pin",
            "GPIO 6 is already scl of bus i",
        ),
        (PINS + "sda = 4\n", "bus[pins].sda", "says nothing without recover"),
        (SPI, "bus[s].device", 'must be bus and chip select, as "/dev/spidev0.0"'),
    ],
)
def test_what_is_refused(text: str, place: str, message: str) -> None:
    assert f"{place}: {message}" in errors(I2C, text)


def test_a_chip_select_has_one_chip() -> None:
    bus = '[[bus]]\nname = "spi"\nkind = "spi"\ndevice = "/dev/spidev0.0"\n'
    two = device("a", "spi", "max31855") + device("b", "spi", "max31865")
    assert errors(bus, two) == ['device[b].bus: /dev/spidev0.0 is already that of "a"']


def test_pins_of_one_expander_are_devices_of_their_own() -> None:
    inputs = device("in", "main", "mcp23017", "pins = { door = 0, leak = 9 }")
    output = device("out", "main", "mcp23017_output", "pin = 3")
    parse(HEAD + I2C + inputs + output, "test.toml")
    taken = device("out", "main", "mcp23017_output", "pin = 9")
    assert errors(I2C, inputs, taken) == ['device[out].pin: pin 9 is already that of "in"']
    other = device("other", "main", "pcf8574_output", "pin = 3")
    assert errors(I2C, inputs, other) == ['device[other].address: 0x20 on bus main is that of "in"']


def test_what_a_meter_showed_is_added_to_what_was_counted(tmp_path: Path) -> None:
    text = '[[bus]]\nname = "pins"\nkind = "gpio"\ndevice = "mock"\n'
    text += device("gas", "pins", "s0", "pin = 5\npulses_per_unit = 100\noffset = 8412.5")
    store = Store(tmp_path / "state.db")
    store.remember_total("gas", "energy", 1.5)
    gas = attach(parse(HEAD + text, "test.toml").settings, store)["gas"]
    (reading,) = gas.worth([Reading("energy", 0.25)], 0.0)
    assert reading.value == 8414.25
    assert gas.totals["energy"].value == 1.75
    store.close()


def test_a_bus_with_lines_frees_itself() -> None:
    text = freed() + PINS + mux("shelf", "i") + device("x", "shelf")
    opened: dict[str, object] = {}
    settings = parse(HEAD + text, "test.toml").settings
    open_named("shelf", settings, opened)
    assert list(opened) == ["pins", "i", "shelf"]
    (bus,) = self_freeing(settings, opened).values()
    assert bus is opened["i"]
    assert (bus.held, bus.counts) == ("", {"i2c_stuck": 0, "i2c_freed": 0})


def test_a_bus_that_is_missing_is_not_opened_to_ask_whether_it_frees_itself() -> None:
    text = '[[bus]]\nname = "nowhere"\nkind = "gpio"\ndevice = "/dev/gpiochip9"\n'
    settings = parse(
        HEAD + text + device("x", "nowhere", "contact", "pin = 4"), "test.toml"
    ).settings
    opened: dict[str, object] = {}
    open_named("nowhere", settings, opened)
    assert self_freeing(settings, opened) == {}


def test_what_blocks_in_the_kernel_delays_nobody_else() -> None:
    """Without a bus: thermometers share a thread, 1-Wire switches another, IIO sensors none."""
    w1 = 'address = "28-00000000000{}"'
    text = (
        "".join(device(f"t{n}", "", "ds18b20", w1.format(n)) for n in (1, 2))
        + device("vent", "", "ds2413_output", 'address = "3a-000000000001"\npin = "a"')
        + "".join(device(s, "", "iio", f'sensor = "{s}"\nmeasures = ["temp"]') for s in ("x", "y"))
        + device("pi", "", "host")
    ).replace('bus = ""\n', "")
    settings = parse(HEAD + text, "test.toml").settings
    attached = {one.name: one.name for one in settings.device}
    threads: object = by_bus(settings, attached)  # type: ignore[arg-type]
    assert threads == {
        "onewire": ["t1", "t2"],
        "onewire switches": ["vent"],
        "iio x": ["x"],
        "iio y": ["y"],
        "host": ["pi"],
    }
