"""What a reading of the backlog costs: bytes and CPU, by dialect, compressor and batch.

    python bench/history_cost.py            # zstd is measured where `backports.zstd` is installed

The readings are three series: a weather sensor every 10 s with three channels in two decimals; a
meter every 10 s with a counter and two powers; and a reading of the size that the gateway bench
uses, 204 bytes of JSON with eight fields.
"""

from __future__ import annotations

import importlib
import math
import random
import time
import zlib
from collections.abc import Callable, Mapping
from typing import Any

from drivers.base import Reading
from gateway.codecs import cbor_, history, json_, msgpack_, values
from gateway.model import Entry, Key, Klass, Sample, Stamp

Compress = Callable[[bytes], bytes]
Dumps = Callable[[Mapping[str, Any]], bytes]

FORMATS: dict[str, Dumps] = {
    "json": json_.dumps,
    "json, no orjson": json_.dumps_plain,
    "msgpack": msgpack_.dumps,
    "cbor": cbor_.dumps,
}
START = 1795442400.0
REPEAT = 20


def compressors() -> dict[str, Compress]:
    found: dict[str, Compress] = {
        f"zlib {n}": (lambda data, n=n: zlib.compress(data, n)) for n in (1, 4, 5, 6, 9)
    }
    try:
        zstd = importlib.import_module("backports.zstd")
    except ImportError:
        return found
    for n in (3, 9, 19):
        found[f"zstd {n}"] = lambda data, n=n: zstd.compress(data, n)
    return found


def weather(rng: random.Random, index: int) -> tuple[str, list[Reading]]:
    phase = index / 360
    return "weather", [
        Reading("temperature", round(20 + 3 * math.sin(phase) + rng.gauss(0, 0.05), 2)),
        Reading("humidity", round(55 + 5 * math.cos(phase) + rng.gauss(0, 0.2), 2)),
        Reading("pressure", round(1007.8 + math.sin(phase / 5) + rng.gauss(0, 0.05), 2)),
    ]


def meter(rng: random.Random, index: int) -> tuple[str, list[Reading]]:
    power = 170 + rng.randrange(0, 60)
    return "meter", [
        Reading("energy_import", round(22462.4143 + index * 0.0005, 4)),
        Reading("power", power),
        Reading("power_l1", power // 3),
    ]


def wide(rng: random.Random, index: int) -> tuple[str, list[Reading]]:
    names = ["temperature", "humidity", "pressure", "power", "voltage", "current", "frequency"]
    values = [Reading(name, round(rng.gauss(20 * (i + 1), 1), 2)) for i, name in enumerate(names)]
    return f"sensor{index % 20}", [*values, Reading("volume", index)]


KINDS = {"weather": weather, "meter": meter, "wide, 20 devices": wide}


def entries(kind: str, count: int) -> list[Entry]:
    rng = random.Random(1)
    made = []
    for index in range(count):
        device, readings = KINDS[kind](rng, index)
        stamp = Stamp(START + 10 * index + rng.random() / 100, 0.0, "abcd1234", True)
        sample = Sample(device, stamp, tuple(readings))
        made.append(Entry(Key(7, index + 1), Klass.TELEMETRY, sample))
    return made


def cost(batch: list[Entry], dumps: Dumps, compress: Compress) -> tuple[float, float]:
    """Bytes and µs of CPU, a reading."""
    size, began = 0, time.process_time()
    for _ in range(REPEAT):
        size = len(compress(dumps(history.content(batch))))
    spent = time.process_time() - began
    return size / len(batch), spent / REPEAT / len(batch) * 1e6


def main() -> None:
    for kind in KINDS:
        live = [len(json_.dumps(values.recorded(one))) for one in entries(kind, 20)]
        print(f"\n{kind}: one by one {sum(live) / len(live):.0f} B of JSON\n")
        print("| batch | format | " + " | ".join(compressors()) + " |")
        print("|---|---|" + "---|" * len(compressors()))
        for count in (20, 200, 1000):
            batch = entries(kind, count)
            for name, dumps in FORMATS.items():
                cells = [cost(batch, dumps, compress) for compress in compressors().values()]
                row = " | ".join(f"{size:.1f} B, {spent:.1f} µs" for size, spent in cells)
                print(f"| {count} | {name} | {row} |")


if __name__ == "__main__":
    main()
