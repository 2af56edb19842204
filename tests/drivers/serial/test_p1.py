"""P1: captures against dsmr_parser, ciphered telegrams, and what a line does to them."""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from dsmr_parser import telegram_specifications as specs
from dsmr_parser.parsers import TelegramParser
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Corrupt, LineSettings, OptionError, Reading
from drivers.serial.cipher import Cipher, parse_key
from drivers.serial.crc import arc, x25
from drivers.serial.iec62056_data import CHANNELS
from drivers.serial.iec62056_decode import TELEGRAM_MAX, Iec62056Decoder
from drivers.serial.p1 import DECODER, P1
from drivers.serial.p1_decode import LUXEMBOURG_AUTHENTICATION_KEY, CipheredP1Decoder
from tests.drivers.serial.cipher_encode import ciphered
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

FOLDER = Path(__file__).parents[2] / "captures" / "p1"
CAPTURES = sorted(FOLDER.glob("*.txt"))
ids = [path.stem for path in CAPTURES]
WITH_CRC = [path for path in CAPTURES if re.search(rb"![0-9A-F]+\r", path.read_bytes())]

SPECIFICATION = {
    "telegram_esy5q3da1004_v304": specs.Q3D,
    "telegram_fluvius_v171": specs.BELGIUM_FLUVIUS,
    "telegram_iskra_ie": specs.ISKRA_IE,
    "telegram_unpadded_crc": specs.V5,
    "telegram_esy5q3db1024_v304": specs.Q3D,
    "telegram_kam5_se": specs.SWEDEN,
    "telegram_lux_smarty": specs.LUXEMBOURG_SMARTY,
    "telegram_sagemcom_t210_d_r": specs.SAGEMCOM_T210_D_R,
    "telegram_v2_2": specs.V2_2,
    "telegram_v4_2": specs.V4,
    "telegram_v3": specs.V3,
    "telegram_v5": specs.V5,
    "telegram_v5_two_mbus": specs.V5,
}
KILO, MILLI = 1000, Fraction(1, 1000)
FACTORS: dict[str, int | Fraction] = {
    **dict.fromkeys(("kW", "kvar", "kVAr", "kVA"), KILO),
    **dict.fromkeys(("Wh", "varh"), MILLI),
    "GJ": Fraction(1000, 36) * 10,
}

V5 = (FOLDER / "telegram_v5.txt").read_bytes()
KEY = parse_key("00112233445566778899aabbccddeeff")


def readings_of(data: bytes) -> dict[str, Reading]:
    (heard,) = telegrams(decode(DECODER, data))
    return {one.code: one for one in heard}


def with_crc(body: str, crc: int | None = None) -> bytes:
    text = body.encode("ascii") + b"!"
    return text + b"%04X\r\n" % (arc(text) if crc is None else crc)


@pytest.mark.parametrize("path", CAPTURES, ids=ids)
def test_capture_equals_dsmr_parser(path: Path) -> None:
    text = path.read_bytes().decode("latin-1")
    ours = readings_of(path.read_bytes())
    # The captures are plain, also of a meter that has to encipher.
    specification = {**SPECIFICATION[path.stem], "general_global_cipher": False}
    theirs = TelegramParser(specification).parse(text)
    compared = 0
    for rule in SPECIFICATION[path.stem]["objects"]:
        line = re.search(rule["obis_reference"], text, re.DOTALL | re.MULTILINE)
        other = getattr(theirs, rule["value_name"], None)
        if line is None or other is None or not hasattr(other, "value"):
            continue
        code = line[0].strip().partition("(")[0]
        compared += equal(ours[code], other.value, getattr(other, "unit", None), line[0])
    assert compared >= 1


def equal(mine: Reading, value: object, unit: str | None, line: str) -> int:
    """1 if there was a number to compare; dsmr_parser keeps the last of lines with one code."""
    if not isinstance(value, Decimal):
        return 0
    if str(value) not in line:
        return 0
    assert mine.value == float(Fraction(value) * FACTORS.get(unit or "", 1))
    return 1


def test_parity_of_7e1_that_was_read_as_8n1() -> None:
    plain = (FOLDER / "telegram_v3.txt").read_bytes()
    marked = bytes(byte | 0x80 * (byte.bit_count() % 2) for byte in plain)
    assert readings_of(marked) == readings_of(plain)
    same_byte_by_byte(DECODER, b"\xaf/\xaf" + marked * 2)
    survives_truncation(DECODER, marked)
    survives_bit_flips(DECODER, marked, every=11)


def test_line_ends_that_were_changed() -> None:
    """The checksum is of CR LF; LF alone is what editors and some serial servers leave."""
    lines = V5.replace(b"\r\n", b"\n")
    assert readings_of(lines) == readings_of(V5)
    survives_truncation(DECODER, lines)
    survives_bit_flips(DECODER, lines, every=7)
    assert not telegrams(decode(DECODER, lines.replace(b"\n1-0:1.8.2", b"\r\n1-0:1.8.2")))


def test_a_solidus_in_a_unit_is_no_other_telegram() -> None:
    data = with_crc("/TST5TEST\r\n\r\n6.27(00012.5*m3/h)\r\n1-0:1.8.0(000001.5*kWh)\r\n")
    heard = readings_of(data)
    assert (heard["6.27"].value, heard["6.27"].quantity) == (12.5, "volume_flow")
    assert heard["1-0:1.8.0"].value == 1.5


@pytest.mark.parametrize("moment", ["0805111230", "21-05-10 10:45", "12-07-03,17:30"])
def test_a_maximum_and_when_it_was(moment: str) -> None:
    heard = readings_of(with_crc(f"/TST5TEST\r\n\r\n1-0:1.6.0(01.59*kW)({moment})\r\n"))
    assert heard["1-0:1.6.0"] == Reading("power_import_maximum", 1590, code="1-0:1.6.0")


def test_values_of_dsmr_5() -> None:
    heard = readings_of(V5)
    assert heard["1-0:1.8.1"] == Reading("energy_import_t1", 4.426, code="1-0:1.8.1")
    assert heard["1-0:1.7.0"] == Reading("power_import", 244, code="1-0:1.7.0")
    assert heard["1-0:31.7.0"].value == 0.48
    assert heard["0-0:96.7.21"] == Reading("power_failures", 13, code="0-0:96.7.21")
    assert heard["0-1:24.2.1"] == Reading("gas_volume", 0.107, code="0-1:24.2.1")
    assert heard["0-0:96.14.0"].value == "0002"
    known = {channel.name: channel for channel in CHANNELS}
    assert all(one.channel in known or one.quantity for one in heard.values())


def test_gas_of_dsmr_3_stands_on_a_line_of_its_own() -> None:
    heard = readings_of((FOLDER / "telegram_v3.txt").read_bytes())
    assert heard["0-1:24.3.0"] == Reading("gas_volume", 1.001, code="0-1:24.3.0")


def test_two_gas_meters_keep_their_names() -> None:
    heard = readings_of((FOLDER / "telegram_v5_two_mbus.txt").read_bytes())
    assert heard["0-2:24.2.1"] == Reading("gas_volume_2", 246.138, code="0-2:24.2.1")
    assert heard["0-1:24.2.1"].channel == "0-1:24.2.1"


def test_belgian_meter() -> None:
    heard = readings_of((FOLDER / "telegram_fluvius_v171.txt").read_bytes())
    assert heard["1-0:1.6.0"] == Reading("power_import_maximum", 2589, code="1-0:1.6.0")
    assert heard["0-1:24.2.3"] == Reading("gas_volume", 112.384, code="0-1:24.2.3")
    assert heard["0-2:24.2.1"] == Reading("water_volume", 872.234, code="0-2:24.2.1")


def test_heat_in_gigajoules() -> None:
    heard = readings_of((FOLDER / "telegram_unpadded_crc.txt").read_bytes())
    assert heard["0-1:24.2.1"] == Reading(
        "heat_energy", float(Fraction(240860, 36) * 10), code="0-1:24.2.1"
    )


def test_swedish_meter() -> None:
    data = with_crc(
        "/ELL5\\253833635_A\r\n\r\n0-0:1.0.0(210217184019W)\r\n"
        "1-0:1.8.0(00006678.394*kWh)\r\n1-0:3.8.0(00000021.988*kvarh)\r\n"
        "1-0:4.8.0(00001020.971*kvarh)\r\n1-0:1.7.0(0001.727*kW)\r\n1-0:4.7.0(0000.309*kvar)\r\n"
        "1-0:21.7.0(0001.023*kW)\r\n1-0:23.7.0(0000.100*kvar)\r\n1-0:32.7.0(240.3*V)\r\n"
    )
    values = {one.channel: one.value for one in readings_of(data).values()}
    assert values["energy_import"] == 6678.394
    assert values["reactive_energy_import"] == 21.988
    assert values["reactive_power_export"] == 309
    assert values["reactive_power_import_l1"] == 100
    assert values["power_import"] == 1727


def test_holley_takes_another_crc() -> None:
    body = "/HLY5/D545-METER\r\n".replace("5/", "5") + "\r\n1-0:1.8.0(00003668.743*kWh)\r\n"
    assert telegrams(decode(DECODER, with_crc(body, x25(f"{body}!".encode()))))
    assert not telegrams(decode(DECODER, with_crc(body)))


@pytest.mark.parametrize("path", WITH_CRC, ids=[path.stem for path in WITH_CRC])
def test_line_faults(path: Path) -> None:
    telegram = path.read_bytes()
    survives_truncation(DECODER, telegram)
    survives_bit_flips(DECODER, telegram, every=7)
    survives_garbage(DECODER, telegram)
    same_byte_by_byte(DECODER, telegram * 2)


def test_every_bit_of_one() -> None:
    survives_bit_flips(DECODER, (FOLDER / "telegram_unpadded_crc.txt").read_bytes())


def test_line_faults_without_crc() -> None:
    telegram = (FOLDER / "telegram_v3.txt").read_bytes()
    survives_truncation(DECODER, telegram)
    survives_garbage(DECODER, telegram)
    same_byte_by_byte(DECODER, telegram * 2)


def test_stays_bounded() -> None:
    stays_bounded(Iec62056Decoder, b"/ISk5\\2MT382-1000\r\n", TELEGRAM_MAX)
    stays_bounded(Iec62056Decoder, b"////////", TELEGRAM_MAX)
    stays_bounded(Iec62056Decoder, b"/ISk5\\2MT\r\n\r\n1-0:1.8.0(1)\r\n", TELEGRAM_MAX)


def test_checksum_may_not_be_missing_where_the_version_has_one() -> None:
    bare = re.sub(rb"![0-9A-F]{4}", b"!", V5)
    (item,) = decode(DECODER, bare)
    assert isinstance(item, Corrupt)
    assert "no checksum" in item.reason


def test_wrong_checksum_is_named() -> None:
    (item,) = decode(DECODER, V5.replace(b"!6EEE", b"!6EEF"))
    assert item == Corrupt(0, len(V5), "wrong checksum: 6EEF, not 6EEE")


@given(st.binary(max_size=300))
def test_no_bytes_raise(data: bytes) -> None:
    decode(DECODER, data)
    decode(DECODER, b"/ISk5\\2MT382-1000\r\n\r\n" + data + b"!\r\n")


@given(
    st.lists(
        st.tuples(
            st.sampled_from([1, 2]),
            st.sampled_from([0, 1, 2, 3, 4]),
            st.decimals(0, 10**8, places=3, allow_nan=False),
        ),
        min_size=1,
        unique_by=lambda row: row[:2],
    )
)
def test_round_trip(rows: list[tuple[int, int, Decimal]]) -> None:
    lines = [f"1-0:{c}.8.{e}({value:013.3f}*kWh)\r\n" for c, e, value in rows]
    heard = readings_of(with_crc("/TST5TEST\r\n\r\n" + "".join(lines)))
    for c, e, value in rows:
        assert heard[f"1-0:{c}.8.{e}"].value == float(value)


def test_ciphered_telegram() -> None:
    frame = ciphered(V5, KEY, LUXEMBOURG_AUTHENTICATION_KEY)
    new = lambda: CipheredP1Decoder(Cipher(KEY, LUXEMBOURG_AUTHENTICATION_KEY))  # noqa: E731
    plain = telegrams(decode(DECODER, V5))
    assert telegrams(decode(new, frame)) == plain
    survives_truncation(new, frame[:12] + frame[12:])
    survives_bit_flips(new, frame, every=37)
    survives_garbage(new, frame)
    same_byte_by_byte(new, frame * 2)


def test_ciphered_telegram_with_an_unknown_authentication_key() -> None:
    frame = ciphered(V5, KEY, bytes(16))
    unchecked = lambda: CipheredP1Decoder(Cipher(KEY, None))  # noqa: E731
    checked = lambda: CipheredP1Decoder(Cipher(KEY, LUXEMBOURG_AUTHENTICATION_KEY))  # noqa: E731
    assert telegrams(decode(unchecked, frame))
    items = decode(checked, frame)
    assert not telegrams(items)
    assert isinstance(items[0], Corrupt)
    assert items[0].reason == "cannot be deciphered: a wrong key, or wrong bits"


def test_wrong_key() -> None:
    frame = ciphered(V5, KEY, LUXEMBOURG_AUTHENTICATION_KEY)
    other = lambda: CipheredP1Decoder(Cipher(bytes(16), None))  # noqa: E731
    items = decode(other, frame)
    assert not telegrams(items)
    assert "no P1 telegram" in "".join(one.reason for one in items if isinstance(one, Corrupt))


def test_driver() -> None:
    port = FakePort()
    meter = P1(port, line="9600 7E1")
    meter.start()
    assert port.lines == [LineSettings(9600, 7, "E", 1)]
    port.waiting += V5
    (heard,) = telegrams(meter.receive())
    assert {one.channel for one in heard} <= {channel.name for channel in meter.channels}
    assert ("gas_volume", 0.107) in [(one.channel, one.value) for one in heard]


def test_driver_with_a_key(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("00112233 44556677 8899AABB CCDDEEFF\n")
    for options in ({"key": KEY.hex()}, {"key_file": str(tmp_path / "key")}):
        port = FakePort()
        meter = P1(port, **options)  # type: ignore[arg-type]
        meter.start()
        port.waiting += ciphered(V5, KEY, LUXEMBOURG_AUTHENTICATION_KEY)
        assert len(telegrams(meter.receive())) == 1


def test_driver_refuses_bad_keys(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="32 hexadecimal digits"):
        P1(FakePort(), key="0011")
    with pytest.raises(OptionError, match="remove one"):
        P1(FakePort(), key=KEY.hex(), key_file="x")
    with pytest.raises(OptionError, match="key_file"):
        P1(FakePort(), key_file=str(tmp_path / "missing")).start()


def test_clock_is_passed_on_as_text() -> None:
    text = readings_of(V5)["0-0:1.0.0"].value
    assert datetime.strptime(str(text)[:12], "%y%m%d%H%M%S") == datetime(2017, 1, 2, 19, 20, 2)


P1_VALUES = {
    # code: (format, unit, name in dsmr_parser, factor to our unit)
    "1-0:1.8.1": ("{:010.3f}", "kWh", "ELECTRICITY_USED_TARIFF_1", 1),
    "1-0:1.8.2": ("{:010.3f}", "kWh", "ELECTRICITY_USED_TARIFF_2", 1),
    "1-0:2.8.1": ("{:010.3f}", "kWh", "ELECTRICITY_DELIVERED_TARIFF_1", 1),
    "1-0:1.7.0": ("{:06.3f}", "kW", "CURRENT_ELECTRICITY_USAGE", 1000),
    "1-0:2.7.0": ("{:06.3f}", "kW", "CURRENT_ELECTRICITY_DELIVERY", 1000),
    "1-0:32.7.0": ("{:05.1f}", "V", "INSTANTANEOUS_VOLTAGE_L1", 1),
    "1-0:31.7.0": ("{:06.2f}", "A", "INSTANTANEOUS_CURRENT_L1", 1),
    "1-0:21.7.0": ("{:06.3f}", "kW", "INSTANTANEOUS_ACTIVE_POWER_L1_POSITIVE", 1000),
}


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(list(P1_VALUES)), st.integers(0, 99_999), min_size=1))
def test_generated_telegrams_equal_dsmr_parser(raw: dict[str, int]) -> None:
    lines = []
    for code, number in raw.items():
        form, unit, _, _ = P1_VALUES[code]
        shown = form.format(Decimal(number) / 10 ** int(form[-3]))
        lines.append(f"{code}({shown}*{unit})\r\n")
    text = with_crc("/ISk5\\2MT382-1000\r\n\r\n1-3:0.2.8(50)\r\n" + "".join(lines))
    theirs = TelegramParser(specs.V5).parse(text.decode("ascii"), throw_ex=True)
    ours = readings_of(text)
    for code in raw:
        _, _, name, factor = P1_VALUES[code]
        assert ours[code].value == float(Fraction(getattr(theirs, name).value) * factor)
