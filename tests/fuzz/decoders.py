"""Fuzzes every decoder of a serial meter: `make fuzz`, or `python -m tests.fuzz.decoders -runs=N`.

Atheris mutates real telegrams and watches which code they reach. What must hold: no exception, no
more than the cap is held, places in order, and the next good telegram is found.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["drivers.serial"]):
    from drivers.base import Corrupt, Telegram
    from drivers.serial.framing import FrameDecoder
    from tests.drivers.serial.samples import SAMPLES, UNGUARDED

ALL = list({**SAMPLES, **UNGUARDED}.values())
GOODS = 3
"""Good telegrams behind the noise: it may take the first of them with it, and never all."""


def one_input(data: bytes) -> None:
    if len(data) < 2:
        return
    new, telegram = ALL[data[0] % len(ALL)]
    decoder = new()
    assert isinstance(decoder, FrameDecoder)
    size = data[1] or len(data)
    items: list[Telegram | Corrupt] = []
    for start in range(2, len(data), size):
        items += decoder.feed(data[start : start + size])
        assert decoder.buffered <= 2 * decoder._cap
    end = 0
    for item in items:
        assert item.offset >= end
        end = item.offset + (item.length if isinstance(item, Corrupt) else 1)
    assert end <= len(data) - 2
    good = decoder.feed(b"\r\n" + telegram * GOODS) + decoder.close()
    assert any(isinstance(item, Telegram) for item in good), "the next telegram was not found"


def main() -> None:
    with tempfile.TemporaryDirectory() as corpus:
        for number, (_, telegram) in enumerate(ALL):
            Path(corpus, f"{number}").write_bytes(bytes([number, 0]) + telegram)
        atheris.Setup([sys.argv[0], corpus, *sys.argv[1:]], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
