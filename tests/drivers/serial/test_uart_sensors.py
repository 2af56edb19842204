"""Sensors that hang on a UART: values as their data sheets give them, and the generic readers."""

from __future__ import annotations

import pytest

from drivers.base import (
    Corrupt,
    CorruptData,
    LineSettings,
    NoAnswer,
    OptionError,
    Quality,
    Reading,
    Telegram,
)
from drivers.serial import vedirect
from drivers.serial.frames import Frames, FramesDecoder, Part
from drivers.serial.gps import Gps, GpsDecoder
from drivers.serial.lines import Field, Lines, LinesDecoder
from drivers.serial.mhz19 import Mhz19, command
from drivers.serial.pms5003 import Pms5003, PmsDecoder
from drivers.serial.sds011 import Sds011
from drivers.serial.stream import StreamMeter
from drivers.serial.tfmini import Tfmini, TfminiDecoder
from drivers.serial.vedirect import Vedirect, VedirectDecoder
from tests.drivers.serial.samples import MHZ, PMS, RMC, SAMPLES, SDS, TFMINI, VEDIRECT, block
from tests.drivers.serial.streams import FakePort, decode, telegrams


def values(readings: tuple[Reading, ...]) -> dict[str, object]:
    return {one.channel: one.value for one in readings}


def decoded(name: str) -> dict[str, object]:
    ((readings),) = telegrams(decode(*SAMPLES[name]))
    return values(readings)


def test_particulate_matter() -> None:
    assert decoded("pms5003") == {
        "pm1": 5,
        "pm2_5": 7,
        "pm10": 11,
        "particles_0_3um": 910,
        "particles_0_5um": 268,
        "particles_1um": 58,
        "particles_2_5um": 6,
        "particles_5um": 2,
        "particles_10um": 1,
    }
    # Nova Fitness's own example: 123.6 and 261.8 micrograms
    assert decoded("sds011") == {"pm2_5": 123.6, "pm10": 261.8, "device_id": "a160"}
    old = b"\x42\x4d\x00\x14" + bytes(range(18))
    (short,) = telegrams(decode(PmsDecoder, old + sum(old).to_bytes(2, "big")))
    assert values(short) == {"pm1": 0x0607, "pm2_5": 0x0809, "pm10": 0x0A0B}


def test_distance_with_too_little_light_is_no_value() -> None:
    assert decoded("tfmini") == {"distance": 1.23, "strength": 1000, "temperature": 47.0}
    dark = TFMINI[:4] + bytes([50, 0]) + TFMINI[6:8]
    (readings,) = telegrams(decode(TfminiDecoder, dark + bytes([sum(dark) & 0xFF])))
    assert readings[0] == Reading("distance", None, Quality.BAD)


def test_streams_use_their_line_and_channels() -> None:
    for driver, data, speed in (
        (Pms5003, PMS, 9600),
        (Sds011, SDS, 9600),
        (Vedirect, VEDIRECT, 19200),
        (Gps, RMC, 9600),
        (Tfmini, TFMINI, 115200),
    ):
        port = FakePort()
        device = driver(port)
        device.start()
        assert port.lines == [LineSettings(speed)]
        port.waiting += data
        (heard,) = device.receive()
        assert isinstance(heard, Telegram)
        names = {channel.name for channel in device.channels}
        assert {one.channel for one in heard.readings} <= names
    assert StreamMeter.fileno is not Tfmini.fileno, "a frame is no reason to wake up"
    first = Tfmini(FakePort(TFMINI), temperature=False)
    assert [channel.name for channel in first.channels] == ["distance", "strength"]


def test_carbon_dioxide() -> None:
    assert command(0x86).hex() == "ff0186000000000079"  # the manual's own
    port = FakePort(answer=lambda data: MHZ if data[2] == 0x86 else b"")
    sensor = Mhz19(port, temperature=True, calibrate=False)
    sensor.start()
    assert port.written == [bytes.fromhex("ff0179000000000086")]
    assert values(tuple(sensor.read())) == {"co2": 608, "temperature": 31}
    plain = Mhz19(port)
    plain.start()
    assert port.written[-1].hex() == "ff0179a000000000e6"
    assert values(tuple(plain.read())) == {"co2": 608}


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (b"", NoAnswer, "RX and TX crossed"),
        (MHZ[:5], CorruptData, "truncated"),
        (MHZ[:8] + b"\0", CorruptData, "wrong checksum: ff 86"),
        (bytes(9), CorruptData, "outside of any telegram"),
        (b"\0" + MHZ[:8], CorruptData, "no answer but 00 ff 86"),
    ],
)
def test_carbon_dioxide_that_cannot_be_read(
    answer: bytes, error: type[Exception], message: str
) -> None:
    sensor = Mhz19(FakePort(answer=lambda data: answer))
    with pytest.raises(error, match=message):
        sensor.read()


def test_position_and_time() -> None:
    gga = sentence("GNGGA,123518.00,4807.038,N,01131.000,E,1,08,0.9,545.4,M,46.9,M,,")
    other = sentence("PUBX,00,1") + sentence("GPGSV,1,1,00")
    assert decode(GpsDecoder, other) == []
    ((readings),) = telegrams(decode(GpsDecoder, gga + other + RMC))
    found = values(readings)
    assert found.pop("speed") == pytest.approx(11.5236, abs=1e-4)
    assert found == {
        "gps_time": "2026-03-23T12:35:19.00Z",
        "latitude": pytest.approx(48.1173),
        "longitude": pytest.approx(11.516667),
        "course": 84.4,
        "fix": "gps",
        "satellites": 8,
        "dilution": 0.9,
        "altitude": 545.4,
    }
    (alone,) = telegrams(decode(GpsDecoder, RMC))
    assert "altitude" not in values(alone), "what an older sentence said does not stay"


def sentence(content: str) -> bytes:
    check = 0
    for byte in content.encode("ascii"):
        check ^= byte
    return f"${content}*{check:02X}\r\n".encode("ascii")


def test_position_that_is_none() -> None:
    heard = sentence("GPRMC,123519,V,,,,,,,230326,,") + sentence("GPRMC,,V,,,,,,,,,")
    assert [values(one) for one in telegrams(decode(GpsDecoder, heard))] == [
        {"gps_time": "2026-03-23T12:35:19Z"},
        {},
    ]
    heard = sentence("GPGGA,,,,,,0,00,99.9,,,,,,") + sentence("GPRMC,1,A,48x,N,1,W,a,,23032,,")
    assert [values(one) for one in telegrams(decode(GpsDecoder, heard))] == [
        {"fix": "none", "satellites": 0}
    ]
    south = sentence("GPRMC,123519,A,3351.5,S,15112.5,W,,,230326,,")
    ((readings),) = telegrams(decode(GpsDecoder, south))
    assert values(readings)["latitude"] == pytest.approx(-33.858333)
    assert values(readings)["longitude"] == pytest.approx(-151.208333)


def test_victron_blocks() -> None:
    assert decoded("vedirect") == {
        "model": "0xA053",
        "firmware": "159",
        "device_id": "HQ2132QY2KR",
        "voltage": 13.79,
        "current": -0.01,
        "voltage_pv": 15.95,
        "power_pv": 14,
        "state": "bulk",
        "tracker": "tracking",
        "error": 0,
        "load": True,
        "energy_pv": 4.56,
    }
    battery = block(("PID", "0x203"), ("V", "26201"), ("T", "---"), ("SOC", "876"), ("TTG", "90"))
    ((readings),) = telegrams(decode(VedirectDecoder, battery))
    assert values(readings) == {
        "model": "0x203",
        "voltage": 26.201,
        "level": 87.6,
        "time_to_go": 5400,
    }


def test_victron_hex_frames_are_no_part_of_a_block() -> None:
    middle = VEDIRECT.index(b"\r\nVPV")
    heard = VEDIRECT[:middle] + b":7F0ED009700DB\n" + VEDIRECT[middle:]
    (whole,) = telegrams(decode(VedirectDecoder, VEDIRECT))
    assert telegrams(decode(VedirectDecoder, heard + VEDIRECT)) == [whole, whole]


def test_victron_block_joined_in_its_middle() -> None:
    items = decode(VedirectDecoder, VEDIRECT[30:] + VEDIRECT)
    assert isinstance(items[0], Corrupt) and "joined in its middle" in items[0].reason
    assert len(telegrams(items)) == 1
    twice = block(("V", "1"), ("V", "2"))
    (item,) = decode(VedirectDecoder, twice)
    assert isinstance(item, Corrupt) and item.reason == "no field: 'V\\t2'"


def test_every_victron_label_is_a_channel() -> None:
    tables = (vedirect._NUMBERS, vedirect._TEXTS)
    fields = [(label, "1") for table in tables for label in table]
    fields += [(label, "ON") for label in vedirect._SWITCHES] + [("TTG", "2")]
    ((readings),) = telegrams(decode(VedirectDecoder, block(*fields)))
    assert [one.channel for one in readings] == [one.name for one in vedirect.CHANNELS]


TEMPERATURE = {"temperature": Field(quantity="temperature")}


def test_lines_of_text() -> None:
    new = lambda: LinesDecoder(  # noqa: E731
        pattern=r"T=(?P<temperature>\S+)(?: H=(?P<humidity>\S+))?",
        fields={**TEMPERATURE, "humidity": Field(quantity="humidity", scale=0.1)},
    )
    heard = decode(new, b"boot\r\nT=21.5 H=505\r\n\r\nT=-3,5\nT=err\n")
    assert [values(one) for one in telegrams(heard)] == [
        {"temperature": 21.5, "humidity": 50.5},
        {"temperature": -3.5},
        {"temperature": None},
    ]
    assert [one.reason for one in heard if isinstance(one, Corrupt)] == [
        "a line that does not match: 'boot'",
        "bytes outside of any telegram",
    ]


@pytest.mark.parametrize(
    ("pattern", "fields", "message"),
    [
        ("(", TEMPERATURE, "pattern: missing"),
        ("(?P<t>.)", TEMPERATURE, r"no group \(\?P<temperature>"),
        ("(?P<t>.)", {}, "at least one table"),
    ],
)
def test_lines_with_wrong_options(pattern: str, fields: dict[str, Field], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Lines(FakePort(), pattern=pattern, fields=fields)


LEVEL = {"level": Part(item=0, quantity="level")}


def test_frames_of_bytes() -> None:
    port = FakePort()
    device = Frames(
        port,
        begin="02",
        layout="4sH?",
        checksum="xor8",
        line="19200 8E1",
        fields={
            "id": Part(item=0, quantity="identity"),
            "level": Part(item=1, quantity="level", scale=0.5, offset=1.0),
            "full": Part(item=2, quantity="state"),
        },
    )
    device.start()
    assert port.lines == [LineSettings(19200, 8, "E")]
    frame = b"\x02ab\0x\x00\x07\x01"
    check = 0
    for byte in frame:
        check ^= byte
    port.waiting += frame + bytes([check])
    (heard,) = device.receive()
    assert isinstance(heard, Telegram)
    assert values(heard.readings) == {"id": "ab", "level": 4.5, "full": True}


@pytest.mark.parametrize(
    ("checksum", "end"),
    [
        ("none", ""),
        ("sum8", "b1"),
        ("negated_sum8", "4f"),
        ("xor8", "ad"),
        ("sum16", "00b1"),
        ("sum16_little", "b100"),
    ],
)
def test_checksums_of_frames(checksum: str, end: str) -> None:
    new = lambda: FramesDecoder(  # noqa: E731
        begin="aa", layout="B", checksum=checksum, fields=LEVEL
    )
    good = bytes.fromhex("aa07" + end)
    assert [values(one) for one in telegrams(decode(new, good))] == [{"level": 7.0}]
    if end:
        assert not telegrams(decode(new, good[:-1] + bytes([good[-1] ^ 1])))


def test_a_frame_with_a_modbus_checksum() -> None:
    """The check value of CRC-16/MODBUS: 0x4B37 of "123456789"."""
    new = lambda: FramesDecoder(  # noqa: E731
        begin="31", layout="8s", checksum="crc16_modbus", fields=LEVEL
    )
    (readings,) = telegrams(decode(new, b"123456789\x37\x4b"))
    assert values(readings) == {"level": "23456789"}


@pytest.mark.parametrize(
    ("begin", "layout", "fields", "message"),
    [
        ("xx", "B", LEVEL, "begin: non-hexadecimal"),
        ("", "B", LEVEL, "begin: at least one byte"),
        ("aa", "Z", LEVEL, "layout: bad char"),
        ("aa", "2000B", LEVEL, "layout: 2000 bytes, must be 1 to 1024"),
        ("aa", "B", {}, "at least one table"),
        ("aa", "B", {"x": Part(item=1, quantity="level")}, "fields.x: layout has no item 1, but 1"),
    ],
)
def test_frames_with_wrong_options(
    begin: str, layout: str, fields: dict[str, Part], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        Frames(FakePort(), begin=begin, layout=layout, fields=fields)
