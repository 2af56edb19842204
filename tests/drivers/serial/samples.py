"""One telegram of each kind of decoder, as a line brings it: captured, or from the data sheet."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from drivers.base import Decoder
from drivers.serial import (
    dlms_decode,
    frames,
    gps,
    iec62056_decode,
    lines,
    mbus_decode,
    mhz19,
    modbus_decode,
    p1,
    pms5003,
    sds011,
    sml_decode,
    tfmini,
    vedirect,
)
from drivers.serial.crc import modbus
from tests.drivers.serial import dlms_encode

CAPTURES = Path(__file__).parents[2] / "captures"

Sample = tuple[Callable[[], Decoder], bytes]


def hexed(path: str) -> bytes:
    """path: below the captures."""
    return bytes.fromhex((CAPTURES / path).read_text())


def sml_telegram() -> bytes:
    data = (CAPTURES / "sml" / "ISKRA_MT175_eHZ.bin").read_bytes()
    start = data.index(sml_decode.START)
    return data[start : data.index(b"\x1b\x1b\x1b\x1b\x1a", start) + 8]


PMS = bytes.fromhex(
    "42 4d 00 1c 00 05 00 08 00 0a 00 05 00 07 00 0b 03 8e 01 0c 00 3a 00 06 00 02 00 01 97 00"
)
PMS += sum(PMS).to_bytes(2, "big")
SDS = bytes.fromhex("aa c0 d4 04 3a 0a a1 60 1d ab")
MHZ = bytes.fromhex("ff 86 02 60 47 00 00 00 d1")
TFMINI = bytes.fromhex("59 59 7b 00 e8 03 78 09")
TFMINI += bytes([sum(TFMINI) & 0xFF])
RMC = b"$GPRMC,123519.00,A,4807.038,N,01131.000,E,022.4,084.4,230326,003.1,W*4D\r\n"


def block(*fields: tuple[str, str]) -> bytes:
    """A VE.Direct block with its checksum."""
    text = b"".join(f"\r\n{label}\t{value}".encode("ascii") for label, value in fields)
    text += vedirect.END
    return text + bytes([-sum(text) & 0xFF])


VEDIRECT = block(
    ("PID", "0xA053"),
    ("FW", "159"),
    ("SER#", "HQ2132QY2KR"),
    ("V", "13790"),
    ("I", "-10"),
    ("VPV", "15950"),
    ("PPV", "14"),
    ("CS", "3"),
    ("MPPT", "2"),
    ("ERR", "0"),
    ("LOAD", "ON"),
    ("H19", "456"),
    ("TTG", "-1"),
)

LINE = b"T=21,53;state=open\r\n"
LINE_OPTIONS = partial(
    lines.LinesDecoder,
    pattern=r"^T=(?P<temperature>[-0-9,]+);state=(?P<door>\w+)$",
    fields={
        "temperature": lines.Field(quantity="temperature", scale=2.0, offset=1.0),
        "door": lines.Field(quantity="text"),
    },
)

FRAME_OPTIONS = partial(
    frames.FramesDecoder,
    begin="aa 55 01",
    layout="<hB",
    checksum="crc16_modbus",
    fields={
        "temperature": frames.Part(item=0, quantity="temperature", scale=0.5),
        "level": frames.Part(item=1, quantity="level"),
    },
)
FRAME = bytes.fromhex("aa 55 01 d6 ff 32")
FRAME += modbus(FRAME).to_bytes(2, "little")


def modbus_frame(text: str) -> bytes:
    data = bytes.fromhex(text)
    return data + modbus(data).to_bytes(2, "little")


MODBUS = modbus_frame("01 04 0001 0002") + modbus_frame("01 04 04 00d7 01f9")


DLMS_KEYS = {
    # The grid operators' examples, and throw-away keys of published recordings.
    "kaifa_ma309_tinetz": "101112131415161718191A1B1C1D1E1F",
    "kaifa_netz_noe": "36C66639E48A8CA4D6BC8B282A793BBB",
    "kamstrup_omnipower_ciphered": "00112233445566778899AABBCCDDEEFF",
    "lg_e450_at": "5FDE26FE7A1A36B6E1C0BA048FA9A023",
    "lg_e570": "101112131415161718191A1B1C1D1E1F",
}


def dlms_captures() -> dict[str, bytes]:
    """What meters pushed, by name."""
    return {path.stem: hexed(f"dlms/{path.name}") for path in (CAPTURES / "dlms").glob("*.hex")}


def dlms_lists() -> dict[str, bytes]:
    """The published lists of three makers, by name, as the content of frames."""
    rows = (row.split() for row in (CAPTURES / "dlms" / "lists.txt").read_text().splitlines())
    return {name: bytes.fromhex(content) for name, content in rows}


SAMPLES: dict[str, Sample] = {
    "dlms": (dlms_decode.DlmsDecoder, dlms_encode.hdlc(dlms_lists()["aidon_list_3"], 200)),
    "modbus": (partial(modbus_decode.ModbusDecoder, map="xy_md02"), MODBUS),
    "sml": (sml_decode.SmlDecoder, sml_telegram()),
    "p1": (p1.DECODER, (CAPTURES / "p1" / "telegram_v5.txt").read_bytes()),
    "mbus": (mbus_decode.MbusDecoder, hexed("mbus/kamstrup_382_005.hex")),
    "pms5003": (pms5003.PmsDecoder, PMS),
    "sds011": (sds011.SdsDecoder, SDS),
    "mhz19": (mhz19.MhzDecoder, MHZ),
    "tfmini": (tfmini.TfminiDecoder, TFMINI),
    "gps": (gps.GpsDecoder, RMC),
    "vedirect": (vedirect.VedirectDecoder, VEDIRECT),
    "frames": (FRAME_OPTIONS, FRAME),
}
"""With a checksum: a wrong bit is never a value."""

UNGUARDED: dict[str, Sample] = {
    "d0": (
        iec62056_decode.Iec62056Decoder,
        b"/EMH5\\@201LZQJL0014F\r\n\r\n1-0:1.8.0*255(000123.4*kWh)\r\n!\r\n",
    ),
    "lines": (LINE_OPTIONS, LINE),
}
"""Nothing but the shape guards these; `d0_push` has the decoder of `d0`."""
