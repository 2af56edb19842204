"""`tidegate decode`: captured bytes of a meter through its driver's own decoder."""

from __future__ import annotations

import argparse
import json
import re
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers.base import Corrupt, Decoder, Telegram
from gateway.catalog import Driver, DriverUnknown, DriverUnusable, find
from gateway.cli.examples import channels
from gateway.cli.readings import as_object, units_of
from gateway.cli.recording import NoRecording, both, heard, is_recording, parsed
from gateway.config_report import ConfigErrors, Place, Report
from gateway.config_schema import arguments_of
from gateway.config_values import is_complete, read_settings, refuse_unknown

HELP = "Decode a file of captured bytes with a meter's driver; one JSON object a reading."
EXAMPLES = """\
tidegate decode sml capture.bin
tidegate decode mbus telegram.hex            # text of hexadecimal digits works as well
tidegate decode modbus boiler.capture -o map=sdm120 -o unit=3
tidegate decode sml - < /dev/ttyUSB0         # standard input, until it ends
tidegate decode sml capture.bin -o signed_power=true"""

CHUNK = 4096
WHOLE_LINE = ("modbus",)
"""Drivers whose answers mean nothing without the requests."""
_HEX = re.compile(rb"[0-9A-Fa-f\s:]*")
_SEPARATORS = re.compile(rb"[\s:]+")


class Unusable(Exception):
    """What was asked for cannot be decoded; the message says why."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("driver", metavar="DRIVER")
    parser.add_argument("file", metavar="FILE", help="raw bytes or hexadecimal text; - for stdin")
    parser.add_argument(
        "-o",
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of the decoder; may be given several times",
    )


def run(args: argparse.Namespace) -> int:
    """Exit code 0 if there was at least one telegram."""
    try:
        driver = find(args.driver)
        decoder = _decoder(driver, args.option)
        pieces = _pieces(args.file, driver.name in WHOLE_LINE)
        good = _print(_decoded(decoder, pieces), _units(driver, decoder))
    except (DriverUnknown, DriverUnusable) as error:
        print(f"{error}; {error.hint}", file=sys.stderr)
        return 1
    except Unusable as error:
        print(error, file=sys.stderr)
        return 1
    if not good:
        print("no telegram could be decoded", file=sys.stderr)
    return 0 if good else 1


def _decoder(driver: Driver, written: Sequence[str]) -> Decoder:
    make = driver.constant("DECODER")
    if make is None:
        raise Unusable(f'driver "{driver.name}" has no decoder: it is asked over its bus')
    _, known = arguments_of(make)
    table = dict(_option(text) for text in written)
    report = Report("--option", [], {}, table)
    place = Place(report)
    refuse_unknown(table, known, place)
    values = read_settings(known, table, place)
    try:
        report.raise_errors()
    except ConfigErrors as errors:
        raise Unusable(str(errors)) from errors
    if not is_complete(values, known):
        raise AssertionError("a missing option is an error of the report")
    decoder: Decoder = make(**values)
    return decoder


def _option(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Unusable(f"--option {text}: must be NAME=VALUE")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, value  # a text without its quotes, which a shell has eaten


def _pieces(file: str, whole: bool) -> Iterator[bytes]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Unusable(f"{file}: {error.strerror}") from error
    if is_recording(data):
        data = _from_recording(data, file, whole)
    elif file.endswith(".hex") or (data.strip() and _HEX.fullmatch(data)):
        data = _from_hex(data, file)
    return (data[start : start + CHUNK] for start in range(0, len(data), CHUNK))


def _from_recording(data: bytes, file: str, whole: bool) -> bytes:
    try:
        said = list(parsed(data.decode("ascii", "replace")))
    except NoRecording as error:
        raise Unusable(f"{file}: {error}") from error
    return both(said) if whole else heard(said)


def _from_hex(data: bytes, file: str) -> bytes:
    try:
        return bytes.fromhex(_SEPARATORS.sub(b"", data).decode("ascii"))
    except ValueError as error:
        raise Unusable(f"{file} is not hexadecimal text: {error}") from error


def _decoded(decoder: Decoder, pieces: Iterable[bytes]) -> Iterator[Telegram | Corrupt]:
    for piece in pieces:
        yield from decoder.feed(piece)
    yield from decoder.close()


def _units(driver: Driver, decoder: Decoder) -> dict[str, str]:
    """By the decoder, whose options say what there is; by the module; or by the driver itself."""
    named = getattr(decoder, "channels", None) or driver.constant("CHANNELS")
    return units_of(channels(driver) or () if named is None else named)


def _print(found: Iterable[Telegram | Corrupt], units: Mapping[str, str]) -> int:
    number = 0
    for one in found:
        if isinstance(one, Corrupt):
            print(f"offset {one.offset}: {one.length} bytes: {one.reason}", file=sys.stderr)
            continue
        for reading in one.readings:
            row = {"telegram": number, **as_object(reading, units)}
            print(json.dumps({**row, "code": reading.code}, ensure_ascii=False))
        number += 1
    return number
