"""DLMS push: what meters of nine countries sent, against gurux where it is installed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import Corrupt, Reading
from drivers.serial.dlms_decode import DlmsDecoder
from drivers.serial.dlms_frame import MBUS_START, mbus_frame
from tests.drivers.serial import dlms_encode as dlms
from tests.drivers.serial.dlms_encode import Array, Number, Text, scale
from tests.drivers.serial.samples import DLMS_KEYS, dlms_captures, dlms_lists
from tests.drivers.serial.streams import (
    decode,
    same_byte_by_byte,
    survives_bit_flips,
    survives_garbage,
    survives_truncation,
    telegrams,
)

CAPTURES = dlms_captures()
DISORDERED = "lg_e450_disordered"
WHOLE = sorted(set(CAPTURES) - {DISORDERED})
IN_BLOCKS = [name for name in WHOLE if b"\xe6\xe7\x00\xe0" in CAPTURES[name]]

UNITS = {
    # By C of the whole; C of a phase is 20, 40 or 60 more. What is not here is sent in W and Wh.
    "landis": {11: -2, 12: 0, 13: -3},
    "tenths": {11: -2, 12: -1, 13: -3},
    "kamstrup": {11: -2, 12: 0, 13: -2},
}
HABITS = {
    "kamstrup_omnipower_ciphered": "kamstrup",
    "lg_e360_vse": "tenths",
    "iskra_am550_vse": "tenths",
    "iskra_am550_ekz": "tenths",
}
ENERGY_UNITS = (30, 31, 32)


def heard(name: str) -> list[tuple[Reading, ...]]:
    items = decode(lambda: DlmsDecoder(key=DLMS_KEYS.get(name, "")), CAPTURES[name])
    return telegrams(items)


def values(name: str) -> dict[str, object]:
    (only,) = heard(name)
    return {one.channel: one.value for one in only}


def by_gurux(data: bytes, key: str = "") -> list[Any]:
    """The bodies of the notifications; gurux itself takes no M-Bus frames that belong together."""
    gurux = pytest.importorskip("gurux_dlms")
    enums = pytest.importorskip("gurux_dlms.enums")
    over_mbus = data[0] == MBUS_START
    kind = enums.InterfaceType.PDU if over_mbus else enums.InterfaceType.HDLC
    secure = pytest.importorskip("gurux_dlms.secure").GXDLMSSecureClient
    client = secure(True, -1, -1, enums.Authentication.NONE, None, kind)
    if key:
        client.ciphering.security = enums.Security.ENCRYPTION
        client.ciphering.blockCipherKey = bytearray.fromhex(key)
        client.ciphering.authenticationKey = bytearray(16)
    buffer = gurux.GXByteBuffer(unframed(data) if over_mbus else data)
    reply, notify = gurux.GXReplyData(), gurux.GXReplyData()
    found = []
    while buffer.position < len(buffer):
        before = buffer.position
        client.getData(buffer, reply, notify)
        if notify.isComplete() and not notify.isMoreData():
            found.append(notify.value)
            notify.clear()
        assert buffer.position > before
    return found


def unframed(data: bytes) -> bytes:
    out, at = b"", 0
    while at < len(data):
        frame = mbus_frame(data, at)
        assert frame is not None
        out += frame.data
        at += frame.length
    return out


def pairs(body: Any) -> Iterator[tuple[bytes, Any, tuple[int, int] | None]]:
    """Code, raw value, scaler and unit, from the lists as gurux gives them."""
    first = body[0]
    if isinstance(first, list) and first and isinstance(first[0], list):  # codes in front
        for definition, value in zip(first, body, strict=False):
            if not isinstance(value, list):
                yield bytes(definition[1]), value, None
        return
    items = list(flat(body))
    at = 0
    while at + 1 < len(items):
        code, value, unit = items[at], items[at + 1], items[at + 2 : at + 3]
        if not isinstance(code, bytearray) or len(code) != 6 or is_scale(value):
            at += 1
            continue
        scaled = bool(unit) and is_scale(unit[0])
        yield bytes(code), value, unit[0] if scaled else None
        at += 3 if scaled else 2


def is_scale(item: Any) -> bool:
    return isinstance(item, tuple)


def flat(items: Any) -> Iterator[Any]:
    for one in items:
        if not isinstance(one, list):
            yield one
        elif len(one) == 2 and all(isinstance(inner, int) for inner in one):
            yield tuple(one)
        else:
            yield from flat(one)


def exponent(name: str, code: bytes, unit: tuple[int, int] | None) -> int:
    """From the raw number to ours."""
    if unit is not None:
        return unit[0] - (3 if unit[1] in ENERGY_UNITS else 0)
    _, _, c, d, _, _ = code
    habit = HABITS.get(name, "landis")
    if d == 8:
        return -2 if habit == "kamstrup" else -3
    return UNITS[habit].get(c % 20, 0)


def check(name: str, mine: tuple[Reading, ...], body: Any) -> int:
    """How many numbers were compared."""
    by_code = {one.code: one for one in mine}
    compared = 0
    for code, raw, unit in pairs(body):
        one = by_code.get("{}-{}:{}.{}.{}*{}".format(*code))
        assert one is not None
        shift = exponent(name, code, unit)
        if isinstance(raw, int):
            if one.channel == one.code and unit is None:
                shift = 0  # without a name there is no unit, and the number as it was sent
            assert one.value == float(Fraction(raw) * Fraction(10) ** shift)
            compared += 1
        elif isinstance(raw, bytearray) and raw.isascii() and len(raw) != 12:
            assert one.value in (raw.rstrip(b"\0").decode("ascii"), raw.hex())
    return compared


@pytest.mark.parametrize("name", WHOLE)
def test_capture_equals_gurux(name: str) -> None:
    bodies = by_gurux(CAPTURES[name], DLMS_KEYS.get(name, ""))
    ours = heard(name)
    assert len(ours) >= 1
    # Of a message whose blocks are not all there gurux makes what it can; ours is refused.
    assert check(name, ours[-1], bodies[-1]) >= 4


@pytest.mark.parametrize("name", dlms_lists())
def test_list_equals_gurux(name: str) -> None:
    framed = dlms.hdlc(dlms_lists()[name])
    # Kaifa's tag before the length of the time is more than the standard has.
    standard = dlms_lists()[name].replace(b"\x0f\x40\0\0\0\x09", b"\x0f\x40\0\0\0", 1)
    (body,) = by_gurux(dlms.hdlc(standard))
    (ours,) = telegrams(decode(DlmsDecoder, framed))
    if name.startswith("kaifa"):  # by position: no codes to pair
        numbers = [one for one in body if isinstance(one, int)]
        mine = [one.value for one in ours if isinstance(one.value, int | float)]
        assert len(mine) == len(numbers) > 0
        for raw, value in zip(numbers, mine, strict=True):
            assert value in [raw] + [pytest.approx(raw * 10.0**-n) for n in (1, 3)]
    else:
        assert check("kamstrup_omnipower_ciphered", ours, body) >= 1


rows = st.lists(
    st.tuples(
        st.integers(1, 80), st.sampled_from([7, 8]), st.integers(0, 0xFFFFFFFF), st.integers(-3, 3)
    ),
    min_size=1,
    max_size=12,
    unique_by=lambda row: row[:2],
)


@settings(max_examples=30)
@given(rows, st.sampled_from(["hdlc", "segments", "blocks", "mbus"]))
def test_generated_lists_equal_gurux(
    entries: list[tuple[int, int, int, int]], framing: str
) -> None:
    pytest.importorskip("gurux_dlms")
    body = [
        [bytes([1, 0, c, d, 0, 255]), Number(6, number), scale(power, 27 if d == 7 else 30)]
        for c, d, number, power in entries
    ]
    message = dlms.notification([Text("x"), *body])
    framed = {
        "hdlc": lambda: dlms.hdlc(dlms.LLC + message),
        "segments": lambda: dlms.hdlc(dlms.LLC + message, 60),
        "blocks": lambda: dlms.blocks(message, 50),
        "mbus": lambda: dlms.mbus(message, 70),
    }[framing]()
    (theirs,) = by_gurux(framed)
    (ours,) = telegrams(decode(DlmsDecoder, framed))
    assert check("", ours, theirs) == len(entries)


def test_what_gurux_pushes_is_read() -> None:
    """Frames, segments and the list by gurux's own encoder."""
    gurux = pytest.importorskip("gurux_dlms")
    enums = pytest.importorskip("gurux_dlms.enums")
    listed = dlms.item(Array([[bytes([1, 0, c, 7, 0, 255]), Number(6, 1000 + c)] for c in TWENTY]))
    for size, in_blocks in ((62, False), (128, False), (1500, False), (120, True), (50, True)):
        notify = gurux.GXDLMSNotify(True, 1, 1, enums.InterfaceType.HDLC)
        notify.hdlcSettings.maxInfoTX = size
        notify.conformance |= enums.Conformance.GENERAL_BLOCK_TRANSFER
        notify.maxReceivePDUSize = size if in_blocks else 0xFFFF
        frames = notify.generateDataNotificationMessages(None, gurux.GXByteBuffer(listed))
        framed = b"".join(bytes(one) for one in frames)
        (ours,) = telegrams(decode(DlmsDecoder, framed))
        assert {one.code: one.value for one in ours} == {
            f"1-0:{c}.7.0*255": 1000 + c for c in TWENTY
        }
        assert in_blocks == (b"\xe6\xe7\x00\xe0" in framed)


TWENTY = range(101, 121)
"""Codes without names, so that numbers come as they were sent."""


def test_landis_gyr_in_blocks() -> None:
    assert values("lg_e450_vse") == {
        "0-8:25.9.0*255": "0008190900ff",
        "logical_name": "LGZ1030653520967",
        "device_id": "1909113",
        "meter_time": "2026-05-04T11:39:21",
        "energy_import": 482.939,
        "energy_export": 0.0,
        "reactive_energy_import": 0.037,
        "reactive_energy_export": 344.697,
        "power_import": 28,
        "power_export": 0,
        "voltage_l1": 236,
        "voltage_l2": 236,
        "voltage_l3": 0,
        "current_l1": 0.09,
        "current_l2": 0.08,
        "current_l3": 0.0,
    }


def test_landis_gyr_without_blocks_sends_tenths_of_volts() -> None:
    found = values("lg_e360_vse")
    assert (found["voltage_l1"], found["current_l1"], found["power_import"]) == (235.7, 0.06, 11)
    found = values("iskra_am550_vse")
    assert (found["voltage_l1"], found["current_l1"], found["power_import"]) == (234.7, 0.12, 27)


def test_landis_gyr_in_ciphered_blocks() -> None:
    found = values("lg_e450_at")
    assert found["meter_time"] == "2023-11-10T10:58:50"
    assert found["energy_import_t1"] == 8768.04
    assert found["reactive_energy_export_t2"] == 3308.92
    assert values("lg_e570")["power_factor"] == 1.0


def test_kamstrup_ciphered() -> None:
    found = values("kamstrup_omnipower_ciphered")
    assert found["energy_import"] == 63074.98
    assert (found["current_l3"], found["power_factor"]) == (3.33, 0.83)
    assert found["energy_import_l3"] == 26876.44


def test_a_message_whose_last_blocks_are_lost_is_one_report() -> None:
    items = decode(DlmsDecoder, CAPTURES["lg_e450_ekz"])
    assert items[0] == Corrupt(0, 261, "block 1 where 3 should come")
    assert [one.offset for one in items] == [0, 261]


def test_blocks_out_of_order_are_no_message() -> None:
    data = CAPTURES[DISORDERED]
    (item,) = decode(DlmsDecoder, data)
    assert item == Corrupt(0, len(data), "block 2 where 3 should come")
    items = decode(DlmsDecoder, data + CAPTURES["lg_e450_vse"])
    assert [type(one).__name__ for one in items] == ["Corrupt", "Telegram"]


@pytest.mark.parametrize("name", IN_BLOCKS)
def test_faults_of_a_line_with_blocks(name: str) -> None:
    new = lambda: DlmsDecoder(key=DLMS_KEYS.get(name, ""))  # noqa: E731
    data = CAPTURES[name]
    if name == "lg_e450_ekz":
        data = data[261:]
    same_byte_by_byte(new, data * 2)
    survives_truncation(new, data)
    survives_garbage(new, data)
    survives_bit_flips(new, data, every=11)


def test_any_block_lost_or_doubled() -> None:
    """No value comes out, and the next whole message does."""
    data = CAPTURES["lg_e450_vse"]
    frames = [part + b"\x7e" for part in data.split(b"\x7e")[1::2]]
    whole = [b"\x7e" + one for one in frames]
    assert b"".join(whole) == data
    good = telegrams(decode(DlmsDecoder, data))
    for at in range(len(whole)):
        less = b"".join(whole[:at] + whole[at + 1 :])
        more = b"".join(whole[: at + 1] + whole[at:])
        swapped = b"".join([*whole[:at][::-1], *whole[at:]])
        assert telegrams(decode(DlmsDecoder, less)) == []
        assert telegrams(decode(DlmsDecoder, less + data)) == good
        assert telegrams(decode(DlmsDecoder, more + data))[-1:] == good
        assert telegrams(decode(DlmsDecoder, swapped + data))[-1:] == good


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xe0\xc0\0\x01\0\0", "data that end too early"),
        (b"\xe0\xc0\0\x01\0\0\x05ab", "a block of 5 bytes in a frame with 2"),
        (b"\xe0\xc0\0\x02\0\0\x02ab", "block 2 where 1 should come"),
        (b"\xe0\xc0\0\x01\0\0\x02ab", "no data-notification but 61 62"),
    ],
)
def test_blocks_that_are_none(content: bytes, reason: str) -> None:
    (item,) = decode(DlmsDecoder, dlms.hdlc(dlms.LLC + content))
    assert isinstance(item, Corrupt) and reason in item.reason
