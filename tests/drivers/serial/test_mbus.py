"""M-Bus: captures of 45 meters against libmbus, generated records, and what a line does to them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.etree import ElementTree

import meterbus
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import (
    Corrupt,
    CorruptData,
    LineSettings,
    NoAnswer,
    OptionError,
    Quality,
    Reading,
    WrongDevice,
)
from drivers.serial.mbus import DECODER, Mbus
from drivers.serial.mbus_decode import STREAM_MAX, MbusDecoder
from drivers.serial.mbus_link import Link
from drivers.serial.mbus_search import search
from tests.drivers.serial.mbus_encode import HEADER, Bus, Meter, bcd, frame, variable
from tests.drivers.serial.streams import (
    FakePort,
    decode,
    finished,
    same_byte_by_byte,
    stays_bounded,
    survives_bit_flips,
    survives_garbage,
    survives_truncation,
    telegrams,
)

CAPTURES = sorted((Path(__file__).parents[2] / "captures" / "mbus").glob("*.hex"))
ids = [path.stem for path in CAPTURES]

FACTORS = {"Wh": 1e-3, "l": 1e-3}
"""From libmbus's units to ours."""

NO_VALUES = {
    # A date that the meter marks as invalid, which libmbus prints as 1900-01-00.
    ("REL-Relay-Padpuls2", "046D"),
    # Digits that the standard calls error codes, which libmbus counts as digits.
    ("ELS_Elster-F96-Plus", "3C2B"),
    ("ELS_Elster-F96-Plus", "3B3B"),
    # The moment of a maximum, which libmbus takes for the maximum itself.
    ("landis+gyr_ultraheat_t230", "9410AD6F"),
    ("landis+gyr_ultraheat_t230", "9410BB6F"),
    ("landis+gyr_ultraheat_t230", "9410DA6F"),
    ("landis+gyr_ultraheat_t230", "9410DE6F"),
}


def capture(path: Path) -> bytes:
    return bytes.fromhex(path.read_text())


def named(name: str) -> dict[str, Reading]:
    (heard,) = telegrams(decode(DECODER, capture(CAPTURES[ids.index(name)])))
    return {one.channel: one for one in heard}


def one(*records: bytes) -> tuple[Reading, ...]:
    """The readings of records, without those of the header."""
    (heard,) = telegrams(decode(DECODER, variable(*records)))
    return heard[:-4]


@pytest.mark.parametrize("path", CAPTURES, ids=ids)
def test_capture_equals_libmbus(path: Path) -> None:
    (heard,) = telegrams(decode(DECODER, capture(path)))
    records = ElementTree.parse(path.with_suffix(".xml")).getroot().findall("DataRecord")
    assert len(heard) >= len(records) > 0
    for mine, record in zip(heard, records, strict=False):
        if (path.stem, mine.code) not in NO_VALUES:
            assert equal(mine, record.findtext("Value") or "", record.findtext("Unit") or "")


def equal(mine: Reading, value: str, unit: str) -> bool:
    """To the six places that libmbus prints."""
    if not isinstance(mine.value, int | float):
        return str(mine.value) == value
    factor = FACTORS.get(unit, 1.0)
    return bool(mine.value == pytest.approx(float(value) * factor, rel=1e-9, abs=1e-6 * factor))


@pytest.mark.parametrize("path", CAPTURES, ids=ids)
def test_names_are_unique(path: Path) -> None:
    (heard,) = telegrams(decode(DECODER, capture(path)))
    assert len({reading.channel for reading in heard}) == len(heard)


def test_what_follows_a_makers_own_vif_is_the_makers_too() -> None:
    """FF E1 FF 01 is no duration, though 61 is one behind other VIFs."""
    found = named("EMU_EMU-Professional-375-M-Bus")
    assert found["manufacturer_value_v61_v01"].value == 13
    assert found["manufacturer_value_v52"].value == 500
    assert found["manufacturer_value_v52"].quantity == "count"


def test_heat_meter() -> None:
    values = named("landis+gyr_ultraheat_t230")
    assert values["flow_temperature"].value == 19.5
    assert values["temperature_difference"].value == -0.2
    assert values["flow_temperature_maximum_t1"].value == 30.7
    assert values["flow_temperature_time_maximum_t1"].value == "2011-08-26T20:50:00Z"
    assert values["on_time_error"].quality is Quality.GOOD
    assert values["device_id"].value == "66660205"
    assert values["manufacturer"].value == "LUG"
    assert values["status"].value == 0x10


def test_temperature_during_an_error_is_bad() -> None:
    values = named("SEN_Sensus-PolluTherm")
    assert values["flow_temperature_error"].quality is Quality.BAD
    assert "flow_temperature" not in values


def test_fixed_structure() -> None:
    values = named("sen_pollusonic_2")
    assert values["energy"] == Reading("energy", 6531, code="counter_1", quantity="energy")
    assert values["volume"].value == 0.069
    assert values["device_id"].value == "90919293"
    assert values["medium"].value == "heat"


def test_fixed_structure_in_binary_and_historic() -> None:
    data = bytes.fromhex("78563412 0A 03 E9 7E") + struct.pack("<II", 1000, 900)
    (heard,) = telegrams(decode(DECODER, frame(data, ci=0x73)))
    assert [(r.channel, r.value) for r in heard[:3]] == [
        ("volume_s1", 1.0),
        ("volume_s2", 0.9),
        ("device_id", "12345678"),
    ]


@pytest.mark.parametrize(
    ("record", "value", "quantity"),
    [
        ("01 13 FF", -0.001, "volume"),
        ("03 13 FF FF FF", -0.001, "volume"),
        ("06 03 00 00 00 00 00 80", -140737488355.328, "energy"),
        ("07 07 01 00 00 00 00 00 00 00", 10, "energy"),
        ("09 5B 42", 42, "temperature"),
        ("0A 5A 34 F2", -23.4, "temperature"),
        ("0E 04 12 90 78 56 34 12", 1234567890.12, "energy"),
        ("0D 13 C3 56 34 12", 123.456, "volume"),
        ("0D 13 D2 34 12", -1.234, "volume"),
        ("0D 13 E3 FE FF FF", -0.002, "volume"),
        ("04 0E 01 00 00 00", 1e6 / 3.6e6, "energy"),
        ("04 FB 08 01 00 00 00", 1e8 / 3.6e6, "energy"),
        ("04 FB 01 02 00 00 00", 2000, "energy"),
        ("02 FB 5B 20 00", 0.0, "temperature"),
        ("02 68 D0 07", 2000, "pressure"),
        ("02 FD 48 FB 08", 229.9, "voltage"),
        ("04 FD 59 E8 03 00 00", 1.0, "current"),
        ("02 93 77 02 00", 0.02, "volume"),
        ("02 93 7D 02 00", 2, "volume"),
        ("02 93 7A 02 00", 0.0021, "volume"),
        ("02 BB 52 3C 00", 216000, "duration"),
        ("02 43 0A 00", 0.06, "volume_flow"),
        ("01 FD 6E 02", 5259487.66, "duration"),
    ],
)
def test_numbers(record: str, value: float, quantity: str) -> None:
    (reading,) = one(bytes.fromhex(record))
    assert reading.value == pytest.approx(value, rel=1e-12)
    assert reading.quality is Quality.GOOD
    known = {channel.name: channel.quantity for channel in Mbus(FakePort()).channels}
    assert (reading.quantity or known[reading.channel]) == quantity


@pytest.mark.parametrize(
    ("record", "value", "quality"),
    [
        ("0C 13 FF FF FF FF", None, Quality.BAD),
        ("0C 13 45 E0 00 00", None, Quality.BAD),
        ("05 13 00 00 C0 7F", None, Quality.BAD),
        ("05 13 00 00 80 7F", None, Quality.BAD),
        ("00 13", None, Quality.BAD),
        ("02 6C FF FF", "2027-15-31", Quality.BAD),
        ("02 6C 1D 02", "2000-02-29", Quality.GOOD),
        ("02 6C 3D 02", "2001-02-29", Quality.BAD),
        ("04 6D 80 0C 8D 11", None, Quality.BAD),
        ("04 6D 04 0C 8D 11", "2012-01-13T12:04:00Z", Quality.GOOD),
        ("06 6D 1E 04 0C 8D 11 00", "2012-01-13T12:04:30Z", Quality.GOOD),
        ("06 6D 1E 84 0C 8D 11 00", None, Quality.BAD),
        ("03 6D 1E 04 0C", "12:04:30", Quality.GOOD),
        ("04 6D 04 6C 8D 11", "2212-01-13T12:04:00Z", Quality.GOOD),
    ],
)
def test_values_that_are_none_and_dates(record: str, value: object, quality: Quality) -> None:
    (reading,) = one(bytes.fromhex(record))
    assert (reading.value, reading.quality) == (value, quality)


def test_storage_tariff_and_subunit() -> None:
    (reading,) = one(bytes.fromhex("CC 91 60 13 00 00 00 00"))
    # storage: bit 0 of the DIF, 4 bits of each DIFE; tariff 1 and 2 << 2; subunit bit 1.
    assert reading.channel == "volume_s3_t9_d2"
    assert reading.code == "CC916013"


def test_text_and_manufacturer_data() -> None:
    readings = one(bytes.fromhex("0D FD 11 03 43 42 41 2F 2F 02 7F 10 B5 0F 01 02"))
    assert [(r.channel, r.value) for r in readings] == [
        ("customer", "ABC"),
        ("manufacturer_value", -19184),
        ("manufacturer_data", "01 02"),
    ]


def test_manufacturer_vifes_are_not_read_as_the_standard_s() -> None:
    (reading,) = one(bytes.fromhex("02 AC FF 7D 01 00"))
    assert (reading.channel, reading.value) == ("power", 10)


def test_application_error() -> None:
    (heard,) = telegrams(decode(DECODER, frame(b"\x08", ci=0x70)))
    assert heard == (
        Reading("application_error", "application too busy", Quality.BAD, "application_error"),
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEADER + b"\x04\x13\x01\x02", "cut off"),
        (HEADER + b"\x04", "cut off"),
        (HEADER + b"\x84" * 14, "more than 10 extensions"),
        (HEADER + b"\x04" + b"\x93" * 14, "more than 10 extensions"),
        (HEADER + b"\x0d\x13\xfb", "variable length of kind fb"),
        (HEADER[:5], "header is cut off"),
    ],
)
def test_malformed_content_is_told(content: bytes, reason: str) -> None:
    (item,) = decode(DECODER, frame(content))
    assert isinstance(item, Corrupt)
    assert reason in item.reason
    assert item.length == len(content) + 9


@pytest.mark.parametrize("path", CAPTURES[::5], ids=ids[::5])
def test_line_faults(path: Path) -> None:
    telegram = capture(path)
    survives_truncation(DECODER, telegram)
    survives_bit_flips(DECODER, telegram, every=3)
    survives_garbage(DECODER, telegram)
    same_byte_by_byte(DECODER, telegram * 3)


def test_every_bit_of_one() -> None:
    survives_bit_flips(DECODER, capture(CAPTURES[ids.index("tecson")]))


def test_stays_bounded() -> None:
    stays_bounded(MbusDecoder, b"\x68\xff\xff\x68", STREAM_MAX)


@given(st.binary(max_size=240))
def test_no_bytes_raise(data: bytes) -> None:
    decode(DECODER, data)
    for ci in (0x70, 0x71, 0x72, 0x73, 0x78, 0x7A):
        decode(DECODER, frame(data, ci=ci))
    decode(DECODER, variable(data))


@given(st.integers(-9_999_999, 99_999_999), st.integers(0, 7))
def test_round_trip_of_bcd(value: int, decade: int) -> None:
    (reading,) = one(bytes([0x0C, 0x10 + decade]) + bcd(value, 4))
    assert reading.value == pytest.approx(value * 10.0 ** (decade - 6), rel=1e-15)


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_round_trip_of_reals(value: float) -> None:
    (reading,) = one(b"\x05\x5b" + struct.pack("<f", value))
    assert reading.value == value


def read(answer: Callable[[bytes], bytes], **options: object) -> tuple[Sequence[Reading], FakePort]:
    port = FakePort(answer=answer)
    meter = Mbus(port, **options)  # type: ignore[arg-type]
    meter.start()
    return finished(meter.read()), port


VOLUME = bytes.fromhex("0C13 27048502")
FLOW = bytes.fromhex("0B3B 270100")


@pytest.mark.parametrize("echo", [False, True])
def test_read_by_primary_address(echo: bool) -> None:
    meter = Meter([variable(VOLUME, FLOW)])
    heard, port = read(lambda q: (q if echo else b"") + meter(q), address=1)
    assert [(r.channel, r.value) for r in heard][:2] == [
        ("volume", 2850.427),
        ("volume_flow", 0.127),
    ]
    assert port.lines == [LineSettings(2400, 8, "E", 1)] * 2
    assert port.written == [b"\x10\x40\x01\x41\x16", b"\x10\x7b\x01\x7c\x16"]


def test_read_by_secondary_address() -> None:
    bus = Bus([Meter([variable(VOLUME)]), Meter([variable(FLOW)], 2, "8765432124400107")])
    heard, _ = read(bus, secondary="87654321")
    assert heard[0].channel == "volume_flow"
    heard, _ = read(bus, secondary="1234567824400107")
    assert heard[0].channel == "volume"


def test_several_telegrams_are_put_together() -> None:
    meter = Meter([variable(VOLUME, b"\x1f"), variable(FLOW, VOLUME, b"\x1f"), variable(FLOW)])
    heard, port = read(meter, address=1, unnamed=True)
    assert [r.channel for r in heard] == [
        "volume",
        "device_id",
        "manufacturer",
        "medium",
        "status",
        "volume_flow",
        "volume_2",
        "volume_flow_2",
    ]
    assert [q[1] for q in port.written] == [0x40, 0x7B, 0x5B, 0x7B]


def test_a_bad_answer_is_asked_for_again() -> None:
    good = variable(VOLUME)
    answers = iter([b"\xe5", good[:-3], b"", good])
    heard, port = read(lambda q: next(answers), address=1)
    assert heard[0].value == 2850.427
    assert [q[1] for q in port.written] == [0x40, 0x7B, 0x7B, 0x7B]


def test_failures_are_told() -> None:
    with pytest.raises(NoAnswer, match="address 1 does not answer"):
        read(lambda q: b"", address=1)
    with pytest.raises(NoAnswer, match="no meter has the secondary address 12345678"):
        read(lambda q: b"", secondary="12345678")
    with pytest.raises(CorruptData, match="cut off"):
        read(lambda q: variable(VOLUME)[:-1], address=1)
    with pytest.raises(CorruptData, match="wrong checksum"):
        read(lambda q: variable(VOLUME)[:-2] + b"\x00\x16", address=1)
    with pytest.raises(WrongDevice, match="address 1 answers in place of 5"):
        read(lambda q: variable(VOLUME), address=5)
    with pytest.raises(CorruptData, match="several meters"):
        read(lambda q: b"\xe5\xe5" if q[0] == 0x68 else b"", secondary="12345678")


def test_options_are_checked() -> None:
    with pytest.raises(OptionError, match="hexadecimal digits"):
        Mbus(FakePort(), secondary="1234")
    with pytest.raises(OptionError, match="remove one"):
        Mbus(FakePort(), address=1, secondary="12345678")


def test_search_finds_all() -> None:
    addresses = ["1234567824400107", "1234567924400107", "8765432124400104"]
    meters = [
        Meter([variable(VOLUME, header=bytes.fromhex(a)[3::-1] + bytes.fromhex(a)[5:3:-1]
                        + bytes.fromhex(a)[6:] + bytes(4))], n, a)
        for n, a in enumerate(addresses, 1)
    ]  # fmt: skip
    port = FakePort(answer=Bus(meters))
    assert finished(search(Link(port, LineSettings(2400, 8, "E")))) == addresses


def test_search_of_an_empty_bus() -> None:
    assert finished(search(Link(FakePort(), LineSettings(2400, 8, "E")))) == []


FACTORS_OF_PYMETERBUS = {
    # its unit: from there to ours
    "WH": 1e-3,
    "J": 1 / 3.6e6,
    "J_H": 1 / 3600,
    "M3_MIN": 60,
    "M3_S": 3600,
    "BAR": 1000,
}
VIFS = [
    *(bytes([vif]) for vif in range(0x6C)),
    *(bytes([vif]) for vif in (0x6E, *range(0x70, 0x7B))),
    *(bytes([0xFD, vif]) for vif in range(0x70) if vif != 0x30),  # 0x30 is a time
]


@pytest.mark.parametrize("vib", VIFS, ids=bytes.hex)
def test_units_equal_pymeterbus(vib: bytes) -> None:
    """Quantity by quantity, over the whole tables of value information."""
    data = variable(bytes([4]) + vib + (12345).to_bytes(4, "little"))
    theirs = meterbus.load(data).records[0].interpreted
    unit = theirs["unit"].removeprefix("MeasureUnit.")
    (readings,) = telegrams(decode(DECODER, data))
    expected = float(theirs["value"]) * FACTORS_OF_PYMETERBUS.get(unit, 1)
    # It takes a year for 365.2425 days cut to whole seconds.
    assert readings[0].value == pytest.approx(expected, rel=1e-9)


NOT_BY_PYMETERBUS = {
    "sen_pollusonic_2": "a frame of fixed length",
}
TAKEN_OTHERWISE = {
    ("LGB_G350", "466D"): "six bytes of time, of which it takes the first four for all",
    ("REL-Relay-Padpuls2", "046D"): "a time that the meter marks as invalid",
}


@pytest.mark.parametrize("path", CAPTURES, ids=ids)
def test_capture_equals_pymeterbus(path: Path) -> None:
    if path.stem in NOT_BY_PYMETERBUS:
        return
    (heard,) = telegrams(decode(DECODER, capture(path)))
    theirs = meterbus.load(capture(path)).records
    compared = 0
    for mine, record in zip(heard, theirs, strict=False):
        place = (path.stem, mine.code)
        if place not in TAKEN_OTHERWISE and place not in NO_VALUES:
            compared += same_as_pymeterbus(mine, record.interpreted)
    assert compared >= min(4, len(theirs))


def same_as_pymeterbus(mine: Reading, theirs: dict[str, object]) -> int:
    """1 if there was something to compare: it leaves out what is the maker's own."""
    value, unit = theirs["value"], str(theirs["unit"]).removeprefix("MeasureUnit.")
    if value is None:
        return 0
    if isinstance(mine.value, int | float):
        factor = FACTORS_OF_PYMETERBUS.get(unit, 1)
        assert mine.value == pytest.approx(float(str(value)) * factor, rel=1e-9, abs=1e-9)
    else:
        assert str(mine.value).startswith(str(value))
    return 1
