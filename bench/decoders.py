"""How fast the meters' decoders are, beside those of others in the same run; and what a line costs.

    .venv/bin/python -m bench.decoders

Every capture of tests/captures is decoded whole, again and again; the best of several rounds
counts, since the machine may be busy with something else. What others do is the least that gives
values: smllib's reader and get_obis, dsmr_parser's TelegramParser, pymeterbus' load and records.
The line: one telegram a second at 115200 baud through a pseudo-terminal, in the pieces in which a
tty hands it over, with the worker's own way of waiting.
"""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
import tty
from collections.abc import Callable
from pathlib import Path

from drivers.ports import TtyPort
from drivers.serial.iec62056_decode import Iec62056Decoder
from drivers.serial.mbus_decode import MbusDecoder
from drivers.serial.p1 import P1
from drivers.serial.sml import Sml
from drivers.serial.sml_decode import SmlDecoder
from drivers.serial.stream import StreamMeter

CAPTURES = Path(__file__).parents[1] / "tests" / "captures"
PIECE = 64
"""Bytes that a tty has gathered when a reader wakes: 5.5 ms at 115200 baud."""
BAR = 0.005
"""Of one core, for a line with one telegram a second."""


def ours(new: Callable[[], object], data: bytes) -> None:
    decoder = new()
    decoder.feed(data)  # type: ignore[attr-defined]
    decoder.close()  # type: ignore[attr-defined]


def by_smllib(data: bytes) -> None:
    from smllib.errors import CrcError
    from smllib.reader import SmlStreamReader

    reader = SmlStreamReader()
    reader.add(data)
    while True:
        try:
            frame = reader.get_frame()
        except CrcError:
            continue
        if frame is None:
            return
        frame.get_obis()


def by_dsmr_parser(data: bytes) -> None:
    from dsmr_parser import telegram_specifications
    from dsmr_parser.parsers import TelegramParser

    parser = TelegramParser(telegram_specifications.V5)
    parser.parse(data.decode("ascii"), throw_ex=False)


def by_pymeterbus(data: bytes) -> None:
    import meterbus

    frame = meterbus.load(data)
    for record in frame.records:
        _ = record.interpreted


def sml_captures() -> list[bytes]:
    """Those that smllib can read: both are to do the same."""
    paths = sorted((CAPTURES / "sml").glob("*.bin"))
    return readable(by_smllib, [path.read_bytes() for path in paths])


def p1_captures() -> list[bytes]:
    return [path.read_bytes() for path in sorted((CAPTURES / "p1").glob("*v5*.txt"))]


def mbus_captures() -> list[bytes]:
    """Those that pymeterbus can read."""
    paths = sorted((CAPTURES / "mbus").glob("*.hex"))
    return readable(by_pymeterbus, [bytes.fromhex(path.read_text()) for path in paths])


def readable(theirs: Callable[[bytes], None], captures: list[bytes]) -> list[bytes]:
    found = []
    for data in captures:
        try:
            theirs(data)
        except Exception:  # noqa: BLE001  # whatever it stumbles over
            continue
        found.append(data)
    return found


def best(run: Callable[[bytes], None], captures: list[bytes], rounds: int) -> float:
    """Seconds for all captures once."""
    times = []
    for _ in range(rounds):
        start = time.process_time()
        for data in captures:
            run(data)
        times.append(time.process_time() - start)
    return min(times)


def line_cost(make: Callable[[TtyPort], StreamMeter], telegram: bytes, telegrams: int) -> float:
    """Share of one core with one telegram a second, from the bytes on the tty to the readings."""
    far, near = os.openpty()
    tty.setraw(near)
    port = TtyPort(os.ttyname(near))
    meter = make(port)
    meter.start()
    poll = select.poll()
    poll.register(meter.fileno() or 0, select.POLLIN)
    heard = 0
    spent = 0.0
    for _ in range(telegrams):
        for start in range(0, len(telegram), PIECE):
            os.write(far, telegram[start : start + PIECE])
            begun = time.thread_time()
            poll.poll(1000)
            heard += len(meter.receive())
            spent += time.thread_time() - begun
    port.close()
    os.close(far)
    os.close(near)
    if heard < telegrams:
        raise SystemExit(f"only {heard} of {telegrams} telegrams came out")
    return spent / telegrams


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    slow = False
    print(f"{'decoder':8} {'bytes':>7} {'ours':>10} {'theirs':>10} {'times as fast':>14}")
    for name, new, theirs, captures in (
        ("sml", SmlDecoder, by_smllib, sml_captures()),
        ("p1", Iec62056Decoder, by_dsmr_parser, p1_captures()),
        ("mbus", MbusDecoder, by_pymeterbus, mbus_captures()),
    ):
        mine = best(lambda data, new=new: ours(new, data), captures, rounds)  # type: ignore[misc]
        other = best(theirs, captures, rounds)
        slow |= mine > other
        size = sum(map(len, captures))
        print(f"{name:8} {size:7} {mine * 1e3:7.1f} ms {other * 1e3:7.1f} ms {other / mine:14.1f}")
    for name, make, telegram in (
        ("sml", Sml, (CAPTURES / "sml" / "DrNeuhaus_SMARTY_ix-130.bin").read_bytes()),
        ("p1", P1, (CAPTURES / "p1" / "telegram_v5_two_mbus.txt").read_bytes()),
    ):
        share = min(line_cost(make, telegram, 100) for _ in range(3))
        slow |= share > BAR
        print(f"{name}: a line with {len(telegram)} bytes a second costs {share:.2%} of one core")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
