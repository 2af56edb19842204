"""D0: readouts of meters that are asked, by a meter made of a function; and those that push."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from operator import xor

import pytest

from drivers.base import Corrupt, CorruptData, LineSettings, NoAnswer, OptionError, Reading
from drivers.serial.d0 import D0, DECODER
from drivers.serial.d0_push import D0Push
from tests.drivers.serial.streams import (
    FakePort,
    decode,
    finished,
    same_byte_by_byte,
    survives_bit_flips,
    survives_garbage,
    survives_truncation,
    telegrams,
)

DATA = (
    b"F.F(00000000)\r\n0.0.0(12345678)\r\n1.8.0(0001234.5*kWh)\r\n1.8.1(0001000.0*kWh)\r\n"
    b"2.8.0(0000099.9*kWh)\r\n1.8.0*01(0001200.0*kWh)\r\n32.7(231*V)\r\n!\r\n"
)
HEAT = b"6.8(0017.745*MWh)6.26(00657.94*m3)9.21(66153690)\r\n!\r\n"


def message(data: bytes) -> bytes:
    body = data + b"\x03"
    return b"\x02" + body + bytes([reduce(xor, body)])


class Meter:
    """Answers as a meter of one mode does, and keeps what it was told."""

    def __init__(self, ident: bytes, data: bytes, echo: bool = False) -> None:
        self.ident, self.data, self.echo = ident, data, echo

    def __call__(self, request: bytes) -> bytes:
        back = request if self.echo else b""
        if request.lstrip(b"\0").startswith(b"/?"):
            waits = self.ident[4:5].isdigit()
            return back + self.ident + (b"" if waits else message(self.data))
        assert request[0] == 0x06
        return back + message(self.data)


def read(meter: Callable[[bytes], bytes], **options: object) -> tuple[Sequence[Reading], FakePort]:
    """One read without waiting: the generator's pauses are passed over."""
    port = FakePort(answer=meter)
    device = D0(port, unnamed=True, **options)  # type: ignore[arg-type]
    device.start()
    return finished(device.read()), port


@pytest.mark.parametrize("echo", [False, True])
def test_mode_c(echo: bool) -> None:
    heard, port = read(Meter(b"/LGZ5\\2ZMD3104\r\n", DATA, echo))
    values = {one.code: one for one in heard}
    assert values["1.8.0"] == Reading("energy_import", 1234.5, code="1.8.0")
    assert values["1.8.1"] == Reading("energy_import_t1", 1000.0, code="1.8.1")
    assert values["1.8.0*01"].channel == "1.8.0*01"
    assert values["32.7"] == Reading("32.7", 231, code="32.7", quantity="voltage")
    assert port.written == [b"/?!\r\n", b"\x06050\r\n"]
    assert port.lines[-2:] == [LineSettings(300, 7, "E", 1), LineSettings(9600, 7, "E", 1)]


def test_mode_c_not_faster_than_allowed() -> None:
    _, port = read(Meter(b"/LGZ5\\2ZMD3104\r\n", DATA), baudrate=4800)
    assert port.written[1] == b"\x06040\r\n"
    assert port.lines[-1] == LineSettings(4800, 7, "E", 1)


def test_mode_b() -> None:
    heard, port = read(Meter(b"/LUGCUH50\r\n", HEAT), wake_up=40)
    assert [(one.channel, one.value) for one in heard] == [
        ("heat_energy", 17745),
        ("volume", 657.94),
        ("9.21", "66153690"),
    ]
    assert port.written == [b"\0" * 40 + b"/?!\r\n"]
    assert port.lines[-1] == LineSettings(2400, 7, "E", 1)


def test_mode_a() -> None:
    heard, port = read(Meter(b"/ACE\\3k260V01.18\r\n", DATA), address="00123")
    assert ("energy_import", 1234.5) in [(one.channel, one.value) for one in heard]
    assert port.written == [b"/?00123!\r\n"]
    assert set(port.lines) == {LineSettings(300, 7, "E", 1)}


def test_values_without_a_name_stay_out_unless_told() -> None:
    port = FakePort(answer=Meter(b"/LGZ5\\2ZMD3104\r\n", DATA))
    assert [one.channel for one in finished(D0(port).read())] == [
        "device_id",
        "energy_import",
        "energy_import_t1",
        "energy_export",
    ]


def test_silent_meter() -> None:
    with pytest.raises(NoAnswer, match="does not answer"):
        read(lambda request: b"")
    with pytest.raises(NoAnswer, match="does not answer"):
        read(lambda request: request)
    with pytest.raises(NoAnswer, match="and then nothing"):
        read(lambda request: b"/LGZ5\\2ZMD\r\n" if b"?" in request else b"")


def test_garbage_instead_of_an_identification() -> None:
    with pytest.raises(CorruptData, match="no identification"):
        read(lambda request: b"\xff\x00noise")
    with pytest.raises(CorruptData, match="no identification"):
        read(lambda request: b"noise" * 500)


def test_wrong_bcc() -> None:
    def meter(request: bytes) -> bytes:
        if b"?" in request:
            return b"/LGZ5\\2ZMD\r\n"
        return message(DATA)[:-1] + b"\x7f"

    with pytest.raises(CorruptData, match="wrong BCC: 7f"):
        read(meter)


def test_answer_cut_off() -> None:
    def meter(request: bytes) -> bytes:
        return b"/LGZ5\\2ZMD\r\n" if b"?" in request else message(DATA)[:-9]

    with pytest.raises(CorruptData, match="truncated"):
        read(meter)


def test_address_is_checked() -> None:
    with pytest.raises(OptionError, match="address"):
        D0(FakePort(), address="12!\r")


TELEGRAM = b"/LGZ5\\2ZMD3104\r\n" + message(DATA)


def test_line_faults() -> None:
    survives_truncation(DECODER, TELEGRAM)
    survives_garbage(DECODER, TELEGRAM)
    same_byte_by_byte(DECODER, TELEGRAM * 2)
    same_byte_by_byte(DECODER, b"/LGZ5\\2ZMD3104\r\n\x06050\r\n" + message(DATA))


def test_every_bit_of_what_the_bcc_covers() -> None:
    """The identification is not covered; nor is a flip of the same bit in two places."""
    head = TELEGRAM.index(b"\x02") + 1
    (whole,) = telegrams(decode(DECODER, TELEGRAM))
    for bit in range(head * 8, len(TELEGRAM) * 8):
        wrong = bytearray(TELEGRAM)
        wrong[bit // 8] ^= 1 << bit % 8
        assert telegrams(decode(DECODER, bytes(wrong) + TELEGRAM)) == [whole], bit


def test_bit_flips_in_the_identification() -> None:
    survives_bit_flips(DECODER, TELEGRAM, every=1000)


def test_push() -> None:
    port = FakePort()
    meter = D0Push(port)
    meter.start()
    assert port.lines == [LineSettings(9600, 7, "E", 1)]
    port.waiting += (
        b"\xfe\r\n/ESY5Q3DA1004 V3.04\r\n\r\n1-0:1.8.0*255(00032549.5061662*kWh)\r\n!\r\n"
    )
    noise, telegram = meter.receive()
    assert isinstance(noise, Corrupt) and noise.length == 3
    assert telegrams([telegram]) == [
        (Reading("energy_import", 32549.5061662, code="1-0:1.8.0*255"),)
    ]


def test_a_file_that_was_kept_as_text_has_no_bcc() -> None:
    whole = b"/LGZ4ZMD120AR\r\n" + message(DATA)
    (expected,) = telegrams(decode(DECODER, whole))
    assert telegrams(decode(DECODER, whole[:-2])) == [expected]
    assert telegrams(decode(DECODER, whole[:-1])) == [expected]
    # In the middle of a stream the BCC is waited for, and missed.
    assert telegrams(decode(DECODER, whole[:-2] + whole)) == [expected]


EBZ = (
    b"/EBZ5DD3BZ06ETA_107\r\n\r\n1-0:0.0.0*255(1EBZ0100000123)\r\n"
    b"1-0:1.8.0*255(005087.48789958*kWh)\r\n1-0:16.7.0*255(000236.12*W)\r\n"
    b"1-0:32.7.0*255(234.2*V)\r\n1-0:96.5.0*255(001C0104)\r\n0-0:96.8.0*255(00BEEF00)\r\n!\r\n"
)
"""As in the tests of pysmartmeter 0.7."""


def test_a_meter_that_pushes_more_digits_than_it_shows() -> None:
    (heard,) = telegrams(decode(DECODER, EBZ))
    found = {one.channel: one.value for one in heard}
    assert (found["energy_import"], found["power"]) == (5087.48789958, 236.12)
    assert found["1-0:96.5.0*255"] == "001C0104"
    same_byte_by_byte(DECODER, EBZ * 2)
