"""MCP23017, PCF8574, PCA9685: inputs, outputs that do not click, chips that lose their power."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import BusFault, CorruptData, OptionError
from drivers.i2c import pca9685
from drivers.i2c.mcp23017 import Mcp23017
from drivers.i2c.mcp23017_output import Mcp23017Output
from drivers.i2c.pca9685 import Pca9685
from drivers.i2c.pcf8574 import Pcf8574
from drivers.i2c.pcf8574_output import Pcf8574Output
from drivers.simulated.bus import SimulatedI2CBus
from drivers.simulated.mcp23017 import Mcp23017 as McpChip
from drivers.simulated.pca9685 import Pca9685 as PcaChip
from drivers.simulated.pcf8574 import Pcf8574 as PcfChip
from tests.fakes import FailsOnce, ScriptedI2C, Transfer, finish, values


def test_mcp23017_inputs() -> None:
    chip = McpChip()
    chip.outside = {0: False, 9: False}
    sensor = Mcp23017(SimulatedI2CBus({0x20: chip}), pins={"door": 0, "window": 1, "leak": 9})
    sensor.start()
    assert values(sensor.read()) == {"door": True, "window": False, "leak": True}


def test_mcp23017_speaks_these_bytes_and_no_others() -> None:
    script = [
        Transfer(0x27, b"\x0a", b"\x00\x00"),
        Transfer(0x27, b"\x00", b"\xfe\xff"),
        Transfer(0x27, b"\x00\xff\xff"),
        Transfer(0x27, b"\x02", b"\x00\x00"),
        Transfer(0x27, b"\x0c", b"\x00\x00"),
        Transfer(0x27, b"\x0c\x01\x00"),
        Transfer(0x27, b"\x0c", b"\x01\x00"),
        Transfer(0x27, b"\x12", b"\xfe\xff"),
    ]
    with ScriptedI2C(*script) as bus:
        sensor = Mcp23017(bus, address=0x27, pins={"door": 0})
        sensor.start()
        assert values(sensor.read()) == {"door": True}


@pytest.mark.parametrize("active_high", [True, False])
def test_mcp23017_output_never_sees_the_wrong_level(active_high: bool) -> None:
    chip = McpChip()
    output = Mcp23017Output(SimulatedI2CBus({0x20: chip}), pin=12, active_high=active_high)
    output.start(False)
    assert chip.driven == [(12, not active_high)]
    output.set(True)
    assert output.state() is True
    assert chip.driven == [(12, not active_high), (12, active_high)]


@pytest.mark.parametrize("active_high", [True, False])
def test_mcp23017_output_after_the_chip_lost_its_power(active_high: bool) -> None:
    bus = SimulatedI2CBus({0x20: McpChip()})
    output = Mcp23017Output(bus, pin=3, active_high=active_high)
    output.start(False)
    output.set(True)
    chip = bus.chips[0x20] = McpChip()
    with pytest.raises(CorruptData, match="reset meanwhile"):
        output.state()
    output.start(None)
    assert output.state() is True and chip.driven == [(3, active_high)]


def test_mcp23017_start_without_a_value_leaves_the_level() -> None:
    bus = SimulatedI2CBus({0x20: McpChip()})
    Mcp23017Output(bus, pin=3).start(True)
    later = Mcp23017Output(bus, pin=3)
    later.start(None)
    assert later.state() is True


def test_mcp23017_inputs_and_outputs_leave_each_other_alone() -> None:
    chip = McpChip()
    bus = SimulatedI2CBus({0x20: chip})
    output = Mcp23017Output(bus, pin=8)
    output.start(True)
    sensor = Mcp23017(bus, pins={"a": 0, "b": 15})
    sensor.start()
    assert output.state() is True
    fresh = bus.chips[0x20] = McpChip()
    with pytest.raises(CorruptData, match="reset"):
        sensor.read()
    fresh.memory[0x0A] = 0x80
    with pytest.raises(CorruptData, match="BANK"):
        sensor.start()


@pytest.mark.parametrize(
    ("pins", "text"),
    [
        ({}, "at least"),
        ({"a": 1, "b": 1}, "twice"),
        ({"a": 16}, "15"),
        ({"a b": 1}, "small letters"),
    ],
)
def test_pins_are_checked(pins: dict[str, int], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        Mcp23017(SimulatedI2CBus({}), pins=pins)


def test_pcf8574_inputs_beside_outputs() -> None:
    chip = PcfChip()
    bus = SimulatedI2CBus({0x20: chip})
    sensor, lamp, fan = (
        Pcf8574(bus, pins={"door": 0, "leak": 7}),
        *(Pcf8574Output(bus, pin=pin) for pin in (3, 4)),
    )
    sensor.start()
    lamp.start(True)
    fan.start(False)
    chip.grounded = {0}
    assert values(sensor.read()) == {"door": True, "leak": False}
    fan.set(True)
    # A closed contact reads low but must stay an input, whatever else is switched.
    assert chip.latch == 0b11100111
    assert (lamp.state(), fan.state()) == (True, True)
    chip.grounded = set()
    assert values(sensor.read())["door"] is False


def test_pcf8574_that_lost_its_power_gets_its_levels_back() -> None:
    bus = SimulatedI2CBus({0x38: PcfChip()})
    lamp = Pcf8574Output(bus, pin=3, address=0x38)
    lamp.start(True)
    chip = bus.chips[0x38] = PcfChip()
    with pytest.raises(CorruptData, match="reset meanwhile"):
        lamp.state()
    lamp.start(None)
    assert (lamp.state(), chip.latch) == (True, 0b11110111)


def test_pcf8574_leaves_what_an_earlier_run_switched() -> None:
    chip = PcfChip()
    chip.latch = 0b11111110
    bus = SimulatedI2CBus({0x20: chip})
    Pcf8574Output(bus, pin=5).start(True)
    other = Pcf8574Output(bus, pin=0)
    other.start(None)
    assert (chip.latch, other.state()) == (0b11011110, True)


def test_pca9685_dims_and_moves() -> None:
    chip = PcaChip()
    bus = SimulatedI2CBus({0x40: chip})
    dimmer = Pca9685(bus, pin=2, frequency=50)
    servo = Pca9685(bus, pin=9, frequency=50, pulse=(1.0, 2.0))
    finish(dimmer.start(0.0))
    finish(servo.start(50.0))
    dimmer.set(25.0)
    assert (chip.duty(2), dimmer.state()) == (0.25, 25.0)
    assert chip.duty(9) == pytest.approx(0.075, abs=3e-4)
    assert servo.state() == pytest.approx(50, abs=0.3)
    for level, duty in ((0.0, 0.0), (100.0, 1.0)):
        dimmer.set(level)
        assert (chip.duty(2), dimmer.state()) == (duty, level)


def test_pca9685_that_lost_its_power_or_whose_frequency_changed() -> None:
    bus = SimulatedI2CBus({0x40: PcaChip()})
    dimmer = Pca9685(bus, pin=0)
    finish(dimmer.start(40.0))
    chip = bus.chips[0x40] = PcaChip()
    with pytest.raises(CorruptData, match="reset"):
        dimmer.state()
    finish(dimmer.start(None))
    assert chip.duty(0) == pytest.approx(0.4, abs=1e-3)
    finish(Pca9685(bus, pin=1, frequency=1000).start(0.0))
    with pytest.raises(CorruptData, match="frequency"):
        dimmer.set(10.0)


def test_pca9685_prescaler_of_the_data_sheet() -> None:
    """7.3.5: 200 Hz with 25 MHz is 0x1E."""
    assert Pca9685(SimulatedI2CBus({}), pin=0, frequency=200)._prescale == 0x1E


@given(st.floats(0, 100))
def test_pca9685_encodes_what_it_decodes(level: float) -> None:
    data = pca9685.encode(level, 0, 4096, servo=False)
    assert pca9685.decode(data, 0, 4096, servo=False) == pytest.approx(level, abs=0.0123)


@pytest.mark.parametrize("value", [101, -1, "bright", True])
def test_pca9685_values(value: object) -> None:
    output = Pca9685(SimulatedI2CBus({}), pin=0)
    if value is True:
        assert output.parse(True) == 100
    else:
        with pytest.raises(ValueError, match="0 to 100"):
            output.parse(value)  # type: ignore[arg-type]


def test_servo_pulses_are_checked() -> None:
    for pulse in ((1.0, 1.0), (1.0, 25.0)):
        with pytest.raises(OptionError, match="pulse"):
            Pca9685(SimulatedI2CBus({}), pin=0, frequency=50, pulse=pulse)


def test_a_bus_that_fails_once() -> None:
    bus = SimulatedI2CBus({0x20: McpChip(), 0x21: PcfChip()})
    wire = FailsOnce(bus, BusFault("once"), 3)
    output = Mcp23017Output(wire, pin=0)
    with pytest.raises(BusFault):
        output.start(True)
    output.start(True)
    assert output.state() is True
    lamp = Pcf8574Output(FailsOnce(bus, BusFault("once"), 2), pin=0, address=0x21)
    with pytest.raises(BusFault):
        lamp.start(True)
    lamp.start(None)
    assert lamp.state() is True
