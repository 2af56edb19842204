"""DLMS push: published messages against amshan and dlms_cosem, generated lists, line faults."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from dlms_cosem.hdlc.frames import UnnumberedInformationFrame
from dlms_cosem.utils import parse_as_dlms_data
from han import aidon, kaifa, kamstrup
from hypothesis import given
from hypothesis import strategies as st

from drivers.base import Corrupt, LineSettings, OptionError, Quality, Reading, Telegram
from drivers.serial.dlms import Dlms
from drivers.serial.dlms_data import Malformed, notification, time_text
from drivers.serial.dlms_decode import CAP, DlmsDecoder
from drivers.serial.dlms_frame import Bad, hdlc_frame
from drivers.serial.dlms_values import CHANNELS
from tests.drivers.serial import dlms_encode as dlms
from tests.drivers.serial.cipher_encode import ciphered
from tests.drivers.serial.dlms_encode import Array, Number, Text, scale
from tests.drivers.serial.samples import dlms_lists
from tests.drivers.serial.streams import (
    FakePort,
    decode,
    same_byte_by_byte,
    stays_bounded,
    survives_bit_flips,
    survives_garbage,
    survives_truncation,
    telegrams,
)

TINETZ = bytes.fromhex(
    (Path(__file__).parents[2] / "captures" / "dlms" / "kaifa_ma309_tinetz.hex").read_text()
)
TINETZ_KEY = "101112131415161718191A1B1C1D1E1F"
LISTS = dlms_lists()
KEY, OTHER_KEY = "00112233445566778899aabbccddeeff", "ff" * 16
ENERGY, POWER = bytes([1, 0, 1, 8, 0, 255]), bytes([1, 0, 1, 7, 0, 255])


def tinetz() -> DlmsDecoder:
    return DlmsDecoder(key=TINETZ_KEY)


def values(readings: tuple[Reading, ...]) -> dict[str, object]:
    return {one.channel: one.value for one in readings}


def only(data: bytes, **options: str) -> dict[str, object]:
    (found,) = telegrams(decode(lambda: DlmsDecoder(**options), data))
    return values(found)


def test_a_ciphered_message_of_an_austrian_meter() -> None:
    assert only(TINETZ, key=TINETZ_KEY) == {
        "meter_time": "2021-07-19T15:46:35+02:00",
        "device_id": "1KFM0100000035",
        "logical_name": "KFM1100100000035",
        "voltage_l1": 230.8,
        "current_l1": 0.0,
        "power_import": 0,
        "power_export": 0,
        "energy_import": 9.108,
        "energy_export": 0.0,
        "reactive_energy_import": 0.096,
        "reactive_energy_export": 0.009,
    }


NAMES = {
    # amshan's name: ours
    "list_ver_id": "list_version",
    "meter_id": "device_id",
    "meter_type": "meter_type",
    "active_power_import": "power_import",
    "active_power_export": "power_export",
    "reactive_power_import": "reactive_power_import",
    "reactive_power_export": "reactive_power_export",
    **{f"{what}_l{n}": f"{what}_l{n}" for what in ("current", "voltage") for n in (1, 2, 3)},
    "active_power_import_total": "energy_import",
    "active_power_export_total": "energy_export",
    "reactive_power_import_total": "reactive_energy_import",
    "reactive_power_export_total": "reactive_energy_export",
    "meter_datetime": "meter_time",
}


def by_amshan(name: str, content: bytes) -> dict[str, Any]:
    module = {"aidon": aidon, "kaifa": kaifa, "kamstrup": kamstrup}[name.split("_")[0]]
    found: dict[str, Any] = module.decode_frame_content(content)
    del found["meter_manufacturer"]
    return found


@pytest.mark.parametrize("name", LISTS)
def test_lists_equal_amshan(name: str) -> None:
    ours = only(dlms.hdlc(LISTS[name]))
    theirs = by_amshan(name, LISTS[name])
    assert set(ours) == {NAMES[one] for one in theirs}
    for one, value in theirs.items():
        mine = ours[NAMES[one]]
        if isinstance(value, datetime):
            assert isinstance(mine, str) and mine.startswith(value.strftime("%Y-%m-%dT%H:%M:%S"))
        elif one.endswith("_total"):
            assert mine == pytest.approx(value / 1000, abs=1e-9)
        else:
            assert mine == pytest.approx(value) if isinstance(value, float) else mine == value


numbers = st.one_of(
    st.builds(Number, st.just(6), st.integers(0, 0xFFFFFFFF)),
    st.builds(Number, st.just(5), st.integers(-0x80000000, 0x7FFFFFFF)),
    st.builds(Number, st.just(18), st.integers(0, 0xFFFF)),
    st.builds(Number, st.just(16), st.integers(-0x8000, 0x7FFF)),
    st.builds(Number, st.just(17), st.integers(0, 0xFF)),
    st.builds(Number, st.just(21), st.integers(0, (1 << 64) - 1)),
)
items = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        numbers,
        st.binary(max_size=300),
        st.builds(Text, st.text("ABC 123", max_size=200)),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=5), st.builds(Array, st.lists(inner, max_size=3))
    ),
    max_leaves=12,
)


def plain(value: object) -> object:
    match value:
        case Number(_, number):
            return number
        case Text(text):
            return text
        case Array(inner):
            return [plain(one) for one in inner]
        case list():
            return [plain(one) for one in value]
    return value


@given(items)
def test_data_read_back_as_dlms_cosem_does(value: object) -> None:
    encoded = dlms.item(value)
    ours = notification(dlms.notification(value)).body
    assert ours == plain(value)
    if isinstance(value, list | Array) and not _has_bytes_or_none(value):
        assert parse_as_dlms_data(encoded) == ours


def _has_bytes_or_none(value: object) -> bool:
    """What dlms_cosem gives in another form."""
    inner = value.items if isinstance(value, Array) else value
    if isinstance(inner, list | tuple):
        return any(map(_has_bytes_or_none, inner))
    return inner is None or isinstance(inner, bytes | Text)


@given(st.binary(min_size=1, max_size=200))
def test_hdlc_frames_are_those_of_dlms_cosem(content: bytes) -> None:
    raw = dlms.hdlc(content, address=bytes([0x03, 0x21]))
    frame = hdlc_frame(raw, 1, 0)
    assert frame is not None and frame.data == content and frame.length == len(raw) - 2
    theirs = UnnumberedInformationFrame.from_bytes(raw)
    assert theirs.payload == content


entries = st.lists(
    st.tuples(
        st.integers(1, 80), st.sampled_from([7, 8]), st.integers(0, 0xFFFFFFFF), st.integers(-3, 3)
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda entry: entry[:2],
)


@given(entries, st.booleans(), st.booleans(), st.integers(20, 240))
def test_generated_lists(
    rows: list[tuple[int, int, int, int]], flat: bool, over_mbus: bool, segment: int
) -> None:
    """Each value comes out under its code, in its unit, whatever the list and the frames."""
    body: list[object] = []
    for c, d, number, exponent in rows:
        row = [
            bytes([1, 0, c, d, 0, 255]),
            Number(6, number),
            scale(exponent, 27 if d == 7 else 30),
        ]
        body += row if flat else [row]
    message = dlms.notification(body if flat else Array(body))
    framed = dlms.mbus(message, segment) if over_mbus else dlms.hdlc(dlms.LLC + message, segment)
    (found,) = telegrams(decode(DlmsDecoder, framed))
    by_code = {one.code: one.value for one in found}
    for c, d, number, exponent in rows:
        expected = number * 10.0 ** (exponent - (3 if d == 8 else 0))
        assert by_code[f"1-0:{c}.{d}.0*255"] == pytest.approx(expected)


def test_codes_in_front_and_values_behind() -> None:
    """Landis+Gyr: the list of objects first, and each one's value in its place."""
    head = bytes([0, 0, 25, 9, 0, 255])
    defined = Array(
        [[Number(18, 3), code, Number(15, 2), Number(18, 0)] for code in (head, POWER, ENERGY)]
    )
    message = dlms.notification([defined, Number(6, 500), Number(6, 1234)], bytes(12))
    assert only(dlms.hdlc(dlms.LLC + message)) == {"power_import": 500, "energy_import": 1.234}


def test_codes_in_front_with_restriction_and_columns() -> None:
    """Energomera CE 208, as in dlms_parser's tests/dumps/raw_energomera.log, with an energy."""
    rest = [Number(15, 2), Number(18, 0), [Number(22, 0), None], Array([])]
    name = bytes([0, 0, 42, 0, 0, 255])
    defined = Array([[Number(18, 1), code, *rest] for code in (name[:5] + b"\0", name, ENERGY)])
    message = dlms.notification([defined, b"EMR0222173608710", Number(6, 1234)], bytes(12))
    assert only(dlms.hdlc(dlms.LLC + message)) == {
        "logical_name": "EMR0222173608710",
        "energy_import": 1.234,
    }


def test_a_list_with_more_behind_its_count_and_nulls_between() -> None:
    body = [Text("Kamstrup_V0001"), POWER, Number(6, 500), None]
    message = dlms.notification(body) + dlms.item(None) + dlms.item(ENERGY)
    message += dlms.item(Number(6, 123)) + b"\0\0"
    assert only(dlms.hdlc(dlms.LLC + message)) == {
        "list_version": "Kamstrup_V0001",
        "power_import": 500,
        "energy_import": 1.23,
    }


def test_kamstrup_with_current_transformers() -> None:
    current = bytes([1, 1, 31, 7, 0, 255])
    kind = [bytes([1, 1, 96, 1, 1, 255]), Text("6851131"), current, Number(6, 1500)]
    message = dlms.notification([Text("Kamstrup_V0001"), *kind])
    assert only(dlms.hdlc(dlms.LLC + message))["current_l1"] == 1.5


def test_what_has_no_name_comes_by_its_code() -> None:
    strange = bytes([1, 0, 99, 97, 0, 255])
    body = [strange, Number(6, 7), strange[:2] + bytes([98, 1, 0, 255]), b"\x01\x02", POWER, None]
    (found,) = telegrams(decode(DlmsDecoder, dlms.hdlc(dlms.LLC + dlms.notification(body))))
    assert found[0] == Reading("1-0:99.97.0*255", 7, code="1-0:99.97.0*255", quantity="count")
    assert found[1].value == "0102"
    assert (found[2].value, found[2].quality) == (None, Quality.BAD)


@pytest.mark.parametrize("security", [0x30, 0x20])
def test_ciphers(security: int) -> None:
    message = dlms.notification(Array([[POWER, Number(6, 42), scale(0, 27)]]))
    key, other = bytes.fromhex(KEY), bytes.fromhex(OTHER_KEY)
    frame = ciphered(message, key, other, security)
    framed = dlms.hdlc(dlms.LLC + frame)
    if security == 0x30:
        assert only(framed, key=KEY, authentication_key=OTHER_KEY) == {"power_import": 42}
        (item,) = decode(lambda: DlmsDecoder(key=KEY, authentication_key=KEY), framed)
        assert isinstance(item, Corrupt) and "a wrong key, or wrong bits" in item.reason
        assert only(framed, key=KEY) == {"power_import": 42}
    (item,) = decode(lambda: DlmsDecoder(key=OTHER_KEY), framed)
    assert isinstance(item, Corrupt)
    (item,) = decode(DlmsDecoder, framed)
    assert isinstance(item, Corrupt) and "the grid operator gives the key" in item.reason


def test_flags_that_are_shared_or_fill_a_pause() -> None:
    one, two = dlms.hdlc(LISTS["aidon_list_1"]), dlms.hdlc(LISTS["kaifa_list_1"])
    for data in (one + two, one + two[1:], one + b"\x7e\x7e" + two[1:] + b"\x7e"):
        for step in (0, 1, 3):
            items = decode(DlmsDecoder, data, step)
            assert [values(one)["power_import"] for one in telegrams(items)] == [280, 5852], step
            assert all(isinstance(item, Telegram) for item in items)


def test_faults_of_a_line() -> None:
    for new, telegram in (
        (tinetz, TINETZ),
        (DlmsDecoder, dlms.hdlc(LISTS["kaifa_list_2"], 60)),
        (DlmsDecoder, dlms.hdlc(LISTS["aidon_list_1"])),
    ):
        survives_truncation(new, telegram)
        survives_bit_flips(new, telegram, every=3)
        survives_garbage(new, telegram)
        same_byte_by_byte(new, telegram * 2)
        stays_bounded(new, telegram[:3], CAP)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "a frame without content"),
        (b"\xe6\xe7\x00\xc4\x01", "no data-notification but c4 01"),
        (dlms.notification([])[:-2], "data that end too early"),
        (dlms.notification([]), "a notification without a list"),
        (dlms.notification([None, True]), "a list in a form that is not known"),
        (dlms.notification([b"x"]) + b"\x01", "data that end too early"),
        (dlms.notification(True) + b"\x01", "1 bytes behind the data"),
        (b"\x0f\0\0\0\0\x05", "a time of 5 bytes"),
        (b"\x0f\0\0\0\0\x00\x63", "an unknown kind of data, 99"),
        (b"\x0f\0\0\0\0\x00\x09\x84\0\0\0\0", "a length in 4 bytes"),
        (b"\x0f\0\0\0\0\x00" + b"\x02\x01" * 20, "nested too deep"),
    ],
)
def test_messages_that_are_none(content: bytes, reason: str) -> None:
    framed = dlms.hdlc(content) if content else dlms.mbus(b" ")
    if not content:
        body = bytes([0x53, 0xFF, 0x10, 1, 0x67])
        framed = bytes([0x68, 5, 5, 0x68]) + body + bytes([sum(body) & 0xFF, 0x16])
    (item,) = decode(DlmsDecoder, framed)
    assert isinstance(item, Corrupt) and reason in item.reason


def test_frames_that_are_none() -> None:
    with pytest.raises(Bad, match="an HDLC address without an end"):
        hdlc_frame(b"\xa0\x20\x02\x02\x02\x02\x02", 0, 0)
    with pytest.raises(Bad, match="an HDLC frame of 3 bytes"):
        hdlc_frame(b"\xa0\x03\x01\x01\x13", 0, 0)
    swapped = dlms.mbus(LISTS["aidon_list_2"], 100)
    second = swapped.index(b"\x68", 110)
    assert not telegrams(decode(DlmsDecoder, swapped[second:]))


@pytest.mark.parametrize(
    ("octets", "text"),
    [
        ("07e5 07 13 01 0f2e23 00 ff88 80", "2021-07-19T15:46:35+02:00"),
        ("07e5 07 13 01 0f2e23 ff 8000 00", "2021-07-19T15:46:35"),
        ("07e5 01 02 ff 0000ff 00 003c 00", "2021-01-02T00:00:00-01:00"),
        ("ffff 07 13 01 0f2e23 00 ff88 80", ""),
        ("07e5 0d 13 01 0f2e23 00 ff88 80", ""),
    ],
)
def test_times(octets: str, text: str) -> None:
    assert time_text(bytes.fromhex(octets)) == text


def test_the_driver() -> None:
    port = FakePort()
    meter = Dlms(port, key=TINETZ_KEY, line="2400 8E1")
    meter.start()
    assert port.lines == [LineSettings(2400, 8, "E")]
    port.waiting += TINETZ
    (heard,) = meter.receive()
    assert isinstance(heard, Telegram) and len(heard.readings) == 11
    assert {one.channel for one in heard.readings} <= {one.name for one in CHANNELS}
    with pytest.raises(OptionError, match="32 hexadecimal digits"):
        Dlms(port, key="12")
    with pytest.raises(OptionError, match="32 hexadecimal digits"):
        Dlms(port, authentication_key="12")
    with pytest.raises(Malformed, match="no data-notification"):
        notification(b"")
