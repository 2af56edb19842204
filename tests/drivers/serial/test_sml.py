"""SML: captures of 25 meters against smllib, generated telegrams, and what a line does to them."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smllib.errors import CrcError, SmlLibException
from smllib.reader import SmlStreamReader

from drivers.base import Corrupt, LineSettings, Quality, Reading, Telegram
from drivers.serial.crc import sml_kermit, sml_x25
from drivers.serial.sml import DECODER, Sml
from drivers.serial.sml_decode import START, TELEGRAM_MAX, SmlDecoder
from drivers.serial.units import COSEM_UNITS
from tests.drivers.serial import sml_encode as sml
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

CAPTURES = sorted((Path(__file__).parents[2] / "captures" / "sml").glob("*.bin"))
ENERGY = bytes([1, 0, 1, 8, 0, 255])
POWER = bytes([1, 0, 16, 7, 0, 255])
POWER_ABSOLUTE = bytes([1, 0, 15, 7, 0, 255])

ids = [path.stem for path in CAPTURES]


def one_telegram(path: Path) -> bytes:
    """The shortest whole telegram of a capture."""
    data = path.read_bytes()
    starts = [one.offset for one in decode(DECODER, data) if isinstance(one, Telegram)]
    ends = (data.index(b"\x1b\x1b\x1b\x1b\x1a", start) + 8 for start in starts)
    return min((data[a:b] for a, b in zip(starts, ends, strict=True)), key=len)


def by_smllib(data: bytes, crc: Literal["kermit", "x25"] = "x25") -> list[dict[str, object]]:
    """Code to value of each telegram, exactly: smllib's own product with the scaler is rounded."""
    reader = SmlStreamReader(crc=crc)
    reader.add(data)
    found: list[dict[str, object]] = []
    while True:
        try:
            frame = reader.get_frame()
        except CrcError:
            continue
        if frame is None:
            return found
        found.append({one.obis.obis_code: exact(one) for one in entries_of(frame)})


def entries_of(frame: Any) -> list[Any]:
    """By smllib's short cut, or by its whole parser, where it says that the short cut fails."""
    try:
        return list(frame.get_obis())
    except SmlLibException:
        bodies = [message.message_body for message in frame.parse_frame()]
        return [one for body in bodies for one in getattr(body, "val_list", [])]


def exact(one: object) -> object:
    value, unit, scaler = one.value, one.unit, one.scaler  # type: ignore[attr-defined]
    if isinstance(value, str):
        return value
    shift = COSEM_UNITS[unit][1] if unit else 0
    return float(value * Fraction(10) ** ((scaler or 0) + shift))


@pytest.mark.parametrize("path", CAPTURES, ids=ids)
def test_capture_equals_smllib(path: Path) -> None:
    if path.stem in NOT_BY_SMLLIB:
        return
    ours = telegrams(decode(DECODER, path.read_bytes()))
    theirs = by_smllib(path.read_bytes(), "kermit" if path.stem.endswith("kermit") else "x25")
    assert len(ours) == len(theirs) > 0
    for mine, other in zip(ours, theirs, strict=True):
        values = {one.code: one.value for one in mine}
        assert values.items() >= other.items()
        assert values.keys() - other.keys() <= NOT_SHOWN_BY_SMLLIB


NOT_BY_SMLLIB = {
    "EMH_eHZ-IW8E2A5L0EK2P_with_error": "an entry without a value, where smllib raises",
    "DZG_DVS-7412.2_jmberg": "power with a missing sign byte, which smllib takes as it is",
}
NOT_SHOWN_BY_SMLLIB = {
    "129-129:199.130.3*255",
    "129-129:199.130.5*255",
    "0-0:96.1.255*255",
    "129-130:129.84.1*255",
    "129-0:96.8.0*1",
    "129-128:129.113.1*255",
}
"""smllib's get_obis finds entries by the bytes of an electricity code."""


def test_entry_without_value() -> None:
    path = next(path for path in CAPTURES if path.stem.endswith("with_error"))
    heard = telegrams(decode(DECODER, path.read_bytes()))
    assert len(heard) == 11
    values = {one.code: one for one in heard[0]}
    assert values["1-0:1.8.0*255"].value == 2795.6927
    assert values["1-0:16.7.0*255"].value == 136.7
    assert values["1-0:96.50.2*6"].quality is Quality.BAD


def test_dzg_dvs74_sends_positive_power_without_its_sign_byte() -> None:
    """The display said 356.24 W (libsml-testing pull request 16)."""
    path = next(path for path in CAPTURES if path.stem.endswith("jmberg"))
    (heard,) = telegrams(decode(DECODER, path.read_bytes()))
    assert {one.code: one.value for one in heard} == {
        "1-0:96.50.1*1": "DZG",
        "1-0:96.1.0*255": "0a01445a47000282225e",
        "1-0:1.8.0*255": 5430.1577,
        "1-0:2.8.0*255": 26244.5726,
        "1-0:16.7.0*255": 356.24,
    }


@pytest.mark.parametrize(
    ("serial", "number", "watts"),
    [
        (42_082_910, sml.Number(-29912, 2, signed=True), 356.24),
        (42_082_910, sml.Number(-100, 2, signed=True), 654.36),
        (42_082_910, sml.Number(-100, 1, signed=True), 1.56),
        (42_082_910, sml.Number(-10550, 4, signed=True), -105.5),
        (42_082_910, sml.Number(-78851, 3, signed=True), -788.51),
        (60_694_611, sml.Number(-10550, 2, signed=True), -105.5),
        (40_051_478, sml.Number(-4684, 2, signed=True), -46.84),
    ],
)
def test_dzg_serial_numbers(serial: int, number: sml.Number, watts: float) -> None:
    server_id = b"\x0a\x01DZG" + serial.to_bytes(5, "big")
    entries = sml.get_list(sml.entry(POWER, number, 27, -2), server_id=server_id)
    (heard,) = telegrams(decode(DECODER, sml.telegram(sml.opening(), entries)))
    assert heard == (Reading("power", watts, code="1-0:16.7.0*255"),)


def test_four_fill_bytes_where_none_is_needed() -> None:
    path = next(path for path in CAPTURES if path.stem == "DZG_DVS-74_four_fill_bytes")
    (heard,) = telegrams(decode(DECODER, path.read_bytes()))
    assert {one.channel: one.value for one in heard} == {
        "manufacturer": "DZG",
        "server_id": "0a01445a47000282c0b0",
        "energy_import": 13391,
        "energy_export": 0,
    }


def test_a_masked_server_id_spoils_the_checksums_of_two_messages() -> None:
    """The owner masked the number and made the outer checksum anew; one message may not be so."""
    path = next(path for path in CAPTURES if path.stem == "eBZ_DD3_2R06")
    (heard,) = telegrams(decode(DECODER, path.read_bytes()))
    values = {one.channel: one.value for one in heard}
    assert values["server_id"] == "00" * 10
    assert values["energy_import"] == 450.09189911
    assert values["power_l3"] == 243.57


def test_values_of_a_whole_capture() -> None:
    path = next(path for path in CAPTURES if path.stem == "HOLLEY_DTZ541-ZDBA")
    heard = telegrams(decode(DECODER, path.read_bytes()))
    values = {one.channel: one.value for one in heard[0]}
    assert values["energy_import_t2"] == 177.3601
    assert values["voltage_l3"] == 232.5
    assert values["current_l2"] == 1.74
    assert values["phase_angle_i1_u1"] == 298
    assert values["frequency"] == 50.0


def test_offsets_tell_where() -> None:
    path = next(path for path in CAPTURES if path.stem == "dzg_dwsb20_2th_3byte")
    items = decode(DECODER, path.read_bytes())
    data = path.read_bytes()
    assert all(data[one.offset :].startswith(START) for one in items)
    bad = [(one.offset, one.length) for one in items if isinstance(one, Corrupt)]
    assert bad == [(504, 249), (3021, 251), (4028, 68)]


@pytest.mark.parametrize("path", CAPTURES, ids=ids)
def test_line_faults(path: Path) -> None:
    telegram = one_telegram(path)
    survives_truncation(DECODER, telegram)
    survives_bit_flips(DECODER, telegram, every=5)
    survives_garbage(DECODER, telegram)
    same_byte_by_byte(DECODER, path.read_bytes())


def test_every_bit_of_one() -> None:
    survives_bit_flips(DECODER, one_telegram(CAPTURES[0]))


@pytest.mark.parametrize("outer", [sml_x25, sml_kermit])
@pytest.mark.parametrize("inner", [sml_x25, sml_kermit])
def test_every_bit_with_both_checksums(outer: object, inner: object) -> None:
    entries = sml.get_list(sml.entry(ENERGY, sml.Number(123456, 4), 30, -1), crc=inner)  # type: ignore[arg-type]
    telegram = sml.telegram(sml.opening(inner), entries, crc=outer)  # type: ignore[arg-type]
    survives_bit_flips(DECODER, telegram)


def test_stays_bounded() -> None:
    stays_bounded(SmlDecoder, START, TELEGRAM_MAX)
    stays_bounded(SmlDecoder, b"\x1b" * 8, TELEGRAM_MAX)


def test_checksum_of_a_message() -> None:
    good = sml.get_list(sml.entry(ENERGY, 5, 30, 0))
    wrong = good[:-2] + bytes([good[-2] ^ 1, 0])
    (item,) = decode(DECODER, sml.telegram(sml.opening(), wrong))
    assert isinstance(item, Corrupt)
    assert item.reason == "wrong checksum of message 1"


def test_checksums_of_a_kind_of_their_own() -> None:
    def other(data: bytes) -> bytes:
        return bytes(byte ^ 0x55 for byte in sml_x25(data))

    entries = sml.get_list(sml.entry(ENERGY, 5, 30, 0), crc=other)
    assert telegrams(decode(DECODER, sml.telegram(sml.opening(other), entries)))
    assert not telegrams(decode(DECODER, sml.telegram(entries)))
    assert not telegrams(decode(DECODER, sml.telegram(sml.opening(other), entries, crc=sml_kermit)))


def test_unknown_messages_are_skipped() -> None:
    data = sml.telegram(
        sml.opening(),
        sml.message(0xFF01, [b"error", None]),
        sml.get_list(sml.entry(ENERGY, 5, 30, 0)),
        sml.message(0x0501, [[1, True, [[b"deep"]]], b"x" * 300]),
    )
    assert telegrams(decode(DECODER, data)) == [
        (Reading("energy_import", 0.005, code="1-0:1.8.0*255"),)
    ]


@pytest.mark.parametrize(
    ("value", "unit", "scaler", "shown"),
    [
        (sml.Number(54301577, 4), 30, -1, 5430.1577),
        (sml.Number(123456789012345, 8), 30, -8, 1234.56789012345),
        (sml.Number(7, 1), 30, 3, 7),
        (sml.Number(-1, 8, signed=True), 30, 0, -0.001),
    ],
)
def test_exact_scaling(value: sml.Number, unit: int, scaler: int, shown: float) -> None:
    data = sml.telegram(sml.opening(), sml.get_list(sml.entry(ENERGY, value, unit, scaler)))
    ((reading,),) = telegrams(decode(DECODER, data))
    assert reading.value == shown
    assert repr(reading.value) == repr(shown)


def test_absurd_scaler_is_a_bad_value() -> None:
    data = sml.telegram(sml.opening(), sml.get_list(sml.entry(ENERGY, 1, 30, 127)))
    ((reading,),) = telegrams(decode(DECODER, data))
    assert (reading.channel, reading.value, reading.quality) == (
        "energy_import",
        None,
        Quality.BAD,
    )


def test_another_unit_under_a_known_code_keeps_its_code() -> None:
    data = sml.telegram(sml.opening(), sml.get_list(sml.entry(POWER, 230, 35, 0)))
    ((reading,),) = telegrams(decode(DECODER, data))
    assert reading == Reading("1-0:16.7.0*255", 230, code="1-0:16.7.0*255", quantity="voltage")


@given(
    st.lists(
        st.tuples(
            st.binary(min_size=6, max_size=6),
            st.one_of(
                st.integers(-(2**63), 2**63 - 1).map(lambda n: sml.Number(n, 8, signed=True)),
                st.integers(1, 8).flatmap(
                    lambda w: st.integers(0, 256**w - 1).map(lambda n: sml.Number(n, w))
                ),
                st.binary(min_size=1, max_size=40),
                st.booleans(),
            ),
            st.sampled_from([27, 30, 33, 35]),
            st.integers(-5, 5),
        ),
        max_size=20,
    )
)
def test_round_trip(rows: list[tuple[bytes, sml.Number | bytes | bool, int, int]]) -> None:
    entries = [sml.entry(*row) for row in rows]
    data = sml.telegram(sml.opening(), sml.get_list(*entries))
    (heard,) = telegrams(decode(DECODER, data))
    assert len(heard) == len(rows)
    for reading, (name, value, unit, scaler) in zip(heard, rows, strict=True):
        assert reading.code == "{}-{}:{}.{}.{}*{}".format(*name)
        if isinstance(value, sml.Number):
            number = Fraction(value.value) * Fraction(10) ** (scaler + COSEM_UNITS[unit][1])
            assert reading.value == (float(number) if isinstance(reading.value, float) else number)
        elif isinstance(value, bool):
            assert reading.value is value
        else:
            assert reading.value in (value.hex(), value.decode("ascii", "ignore"))


@given(st.binary(max_size=400))
def test_no_bytes_raise(data: bytes) -> None:
    decode(DECODER, data)
    decode(DECODER, START + data)
    framed = sml.telegram(sml.opening(), data)
    decode(DECODER, framed)


def test_signed_power() -> None:
    def heard(status: int) -> tuple[Reading, ...]:
        energy: sml.Node = [ENERGY, sml.Number(status, 2), None, 30, 0, 5, None]
        data = sml.telegram(
            sml.opening(), sml.get_list(energy, sml.entry(POWER_ABSOLUTE, 126, 27, 0))
        )
        (readings,) = telegrams(decode(lambda: SmlDecoder(signed_power=True), data))
        return readings

    assert heard(0x1B0)[-1] == Reading("power", -126)
    assert heard(0x182)[-1] == Reading("power", 126)
    assert heard(0x182)[1] == Reading("power_absolute", 126, code="1-0:15.7.0*255")


def test_driver_speaks_9600_8n1_and_passes_on_named_values() -> None:
    path = next(path for path in CAPTURES if path.stem == "HOLLEY_DTZ541-ZDBA")
    port = FakePort()
    meter = Sml(port)
    meter.start()
    assert port.lines == [LineSettings(9600)]
    assert meter.receive() == []
    port.waiting += path.read_bytes()
    heard = telegrams(meter.receive())
    known = {channel.name for channel in meter.channels}
    assert heard and all(one.channel in known for one in heard[0])
    assert len(heard[0]) == 19


def test_driver_passes_on_all_values_if_told() -> None:
    path = next(path for path in CAPTURES if path.stem == "HOLLEY_DTZ541-ZDBA")
    port = FakePort()
    meter = Sml(port, unnamed=True)
    meter.start()
    port.waiting += path.read_bytes()
    assert len(telegrams(meter.receive())[0]) == 21


def test_driver_forgets_half_a_telegram_at_start() -> None:
    telegram = one_telegram(CAPTURES[0])
    port = FakePort()
    meter = Sml(port)
    meter.start()
    port.waiting += telegram[:100]
    meter.receive()
    meter.start()
    port.waiting += telegram
    assert [type(one) for one in meter.receive()] == [Telegram]


numbers = st.integers(1, 8).flatmap(
    lambda width: st.one_of(
        st.builds(sml.Number, st.integers(0, 256**width - 1), st.just(width)),
        st.builds(
            lambda n, w: sml.Number(n, w, signed=True),
            st.integers(-(2 ** (8 * width - 1)), 2 ** (8 * width - 1) - 1),
            st.just(width),
        ),
    )
)


@settings(max_examples=40)
@given(
    st.lists(
        st.tuples(st.integers(1, 80), numbers, st.sampled_from([27, 30, 35]), st.integers(-8, 4)),
        min_size=1,
        max_size=10,
        unique_by=lambda row: row[0],
    )
)
def test_generated_lists_equal_smllib(rows: list[tuple[int, sml.Number, int, int]]) -> None:
    """Whole numbers of one to eight bytes, also of three and five, and negative scalers."""
    entries = [
        sml.entry(bytes([1, 0, c, 7, 0, 255]), number, unit, scaler)
        for c, number, unit, scaler in rows
    ]
    data = sml.telegram(sml.opening(), sml.get_list(*entries))
    (mine,) = telegrams(decode(DECODER, data))
    (theirs,) = by_smllib(data)
    assert {one.code: float(str(one.value)) for one in mine} == theirs
