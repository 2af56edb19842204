"""1-Wire through a made-up sysfs: DS18B20 and family, DS2413 in and out."""

from pathlib import Path

import pytest

from drivers.base import BusMissing, CorruptData, NoAnswer, OptionError, Quality
from drivers.onewire.ds18b20 import Ds18b20, decode
from drivers.onewire.ds2413 import Ds2413, status
from drivers.onewire.ds2413_output import Ds2413Output
from tests.fakes import values

ID = "28-0316a2794cff"


def slave(raw: str, t: int, crc: str = "YES") -> bytes:
    return f"{raw} : crc={raw[-2:]} {crc}\n{raw} t={t}\n".encode()


@pytest.mark.parametrize(
    ("raw", "t"),
    [  # 19-7487, table 1: 125, 25.0625, 10.125, 0.5, 0, -0.5, -10.125, -25.0625, -55 °C
        ("d0 07 4b 46 7f ff 10 10 1c", 125000), ("91 01 4b 46 7f ff 0f 10 25", 25062),
        ("a2 00 4b 46 7f ff 0e 10 d8", 10125), ("08 00 4b 46 7f ff 08 10 aa", 500),
        ("00 00 4b 46 7f ff 10 10 bb", 0), ("f8 ff 4b 46 7f ff 08 10 cc", -500),
        ("5e ff 4b 46 7f ff 02 10 dd", -10125), ("6f fe 4b 46 7f ff 01 10 ee", -25062),
        ("90 fc 4b 46 7f ff 10 10 ff", -55000),
    ],
)  # fmt: skip
def test_decodes_the_data_sheet_table(raw: str, t: int) -> None:
    (reading,) = decode(slave(raw, t))
    assert (reading.value, reading.quality) == (t / 1000, Quality.GOOD)


@pytest.mark.parametrize(
    ("raw", "t", "quality"),
    [
        ("50 05 4b 46 7f ff 0c 10 1c", 85000, Quality.BAD),  # power-up
        ("ff 07 4b 46 7f ff 0c 10 1c", 127937, Quality.BAD),  # no current to convert
        ("00 00 00 00 00 00 00 00 00", 0, Quality.BAD),  # a line at ground
        ("50 05 4b 46 7f ff 10 10 1c", 85000, Quality.UNCERTAIN),  # 85 °C, or a clone
        ("00 09 4b 46 7f ff 10 10 1c", 144000, Quality.UNCERTAIN),
    ],
)
def test_known_error_values(raw: str, t: int, quality: Quality) -> None:
    (reading,) = decode(slave(raw, t))
    assert reading.quality is quality
    assert (reading.value is None) == (quality is Quality.BAD)


@pytest.mark.parametrize(
    "text", [slave("50 05 4b 46 7f ff 0c 10 1c", 21000, "NO"), b"", b"rubbish\n", b"\xff" * 40]
)
def test_corrupt_answers(text: bytes) -> None:
    with pytest.raises(CorruptData):
        decode(text)


def bus(root: Path, address: str) -> Path:
    folder = root / "sys/bus/w1/devices" / address
    folder.mkdir(parents=True)
    return folder


def test_reads_its_own_file_and_says_what_else_is_there(tmp_path: Path) -> None:
    sensor = Ds18b20(address=ID, root=str(tmp_path))
    with pytest.raises(BusMissing, match="dtoverlay=w1-gpio"):
        sensor.start()
    bus(tmp_path, "28-aaaaaaaaaaaa")
    with pytest.raises(NoAnswer, match="of its family there is: 28-aaaaaaaaaaaa"):
        sensor.start()
    file = bus(tmp_path, ID) / "w1_slave"
    sensor.start()
    with pytest.raises(NoAnswer, match="does not answer"):
        sensor.read()
    file.write_bytes(b"")
    with pytest.raises(NoAnswer, match="does not answer"):
        sensor.read()
    file.write_bytes(slave("91 01 4b 46 7f ff 0f 10 25", 25062))
    assert values(sensor.read()) == {"temperature": 25.062}


@pytest.mark.parametrize("address", ["28-", "3a-0316a2794cff", "0316a2794cff", "28-0316A2794CFF"])
def test_what_is_no_id(address: str) -> None:
    with pytest.raises(OptionError, match="no id"):
        Ds18b20(address=address)


def test_ds2413_pins(tmp_path: Path) -> None:
    folder = bus(tmp_path, "3a-0000001a2b3c")
    sensor = Ds2413(address="3a-0000001a2b3c", root=str(tmp_path))
    sensor.start()
    for state, a, b in ((0x5A, True, True), (0x0F, False, False), (0x4B, False, True)):
        (folder / "state").write_bytes(bytes([state]))
        assert values(sensor.read()) == {"a": a, "b": b}
    with pytest.raises(CorruptData, match="complement"):
        status(b"\x33")


def test_ds2413_output_leaves_the_other_pin(tmp_path: Path) -> None:
    """The chip: what is written to `output` becomes the latches, and the pins follow them."""
    folder = bus(tmp_path, "3a-0000001a2b3c")
    (folder / "output").write_bytes(b"")

    def follow() -> None:
        latches = (folder / "output").read_bytes()[0]
        low = sum(0b11 << 2 * n for n in (0, 1) if latches >> n & 1)
        (folder / "state").write_bytes(bytes([low | (low ^ 0x0F) << 4]))

    (folder / "state").write_bytes(b"\x0f")
    a, b = (
        Ds2413Output(address="3a-0000001a2b3c", pin="a", root=str(tmp_path)),
        Ds2413Output(address="3a-0000001a2b3c", pin="b", root=str(tmp_path)),
    )
    for pin, value, state in ((a, True, 0b10), (b, True, 0b00), (a, False, 0b01)):
        with pytest.raises(CorruptData, match="not as it was written"):
            pin.set(value)  # nothing follows yet
        assert (folder / "output").read_bytes() == bytes([state])
        follow()
        pin.start(None)
        assert pin.state() is value
    with pytest.raises(ValueError, match="on or off"):
        a.parse("open")
