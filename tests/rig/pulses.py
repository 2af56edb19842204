"""Runs in the rig's machine: what a sensor or a load would see on the lines of gpio-sim.

`echo LINE PERIOD_S` answers an ultrasonic sensor for ever, and notes how long each pulse was;
`see LINE SAMPLES` waits for a line to switch, then says how often it was high.
"""

from __future__ import annotations

import glob
import json
import random
import sys
import time


def file_of(line: str, name: str) -> str:
    (found,) = glob.glob(f"/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio{line}/{name}")
    return found


def echo(line: str, period: float) -> None:
    """A line for each pulse: its length in seconds, at least and at most."""
    with open(file_of(line, "pull"), "w") as pull:

        def put(word: str) -> tuple[float, float]:
            before = time.monotonic()
            pull.write(word)
            pull.flush()
            return before, time.monotonic()

        while True:
            up, is_up = put("pull-up")
            time.sleep(period / 2)
            down, is_down = put("pull-down")
            print(json.dumps([down - is_up, is_down - up]), flush=True)
            time.sleep(period / 2)


def see(line: str, samples: int) -> None:
    value = file_of(line, "value")
    seen = []
    for _ in range(samples):
        with open(value) as level:
            seen.append(int(level.read()))
        time.sleep(random.uniform(0, 0.02))  # so that no beat with the line's own rhythm shows
    print(json.dumps(seen))


if __name__ == "__main__":
    {"echo": lambda line, more: echo(line, float(more)),
     "see": lambda line, more: see(line, int(more))}[sys.argv[1]](*sys.argv[2:])  # fmt: skip
