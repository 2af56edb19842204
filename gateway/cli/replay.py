"""`tidegate replay`: a capture played on a pseudo-terminal, as if the meter were there; one of an
I2C or SPI device is played to its driver."""

from __future__ import annotations

import argparse
import os
import select
import sys
import time
import tty
from collections.abc import Sequence
from pathlib import Path

from gateway.cli.problems import plainly
from gateway.cli.recording import FROM_DEVICE, NoRecording, Said, parsed
from gateway.cli.replay_transfers import play
from gateway.cli.transactions import is_transfers

HELP = "Play a capture: a meter's on a pseudo-terminal, an I2C or SPI sensor's to its driver."
EXAMPLES = """\
tidegate replay boiler.capture               # prints the terminal to use as `device`
tidegate replay boiler.capture --loop --speed 10
tidegate replay room.transfers               # the readings that the real driver makes of it"""

LOOK_EVERY = 0.05
"""Seconds between two looks whether somebody has opened or closed the terminal."""
SETTLE = 0.3
"""Seconds for whoever opened it to set it up; what comes before is thrown away by many."""
ANSWER_WAIT = 30.0
"""Seconds for the next request, before what follows is played all the same."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE", help="of `tidegate capture`, or `monitor --save`")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="N times as fast")
    parser.add_argument("--loop", action="store_true", help="begin again at the end")


def run(args: argparse.Namespace) -> int:
    """Ends when the reader closes the terminal, or by Ctrl-C."""
    try:
        text = Path(args.file).read_text(encoding="utf-8")
        if is_transfers(text):
            return play(text)
        said = list(parsed(text))
    except OSError as error:
        print(plainly(error), file=sys.stderr)
        return 1
    except (UnicodeDecodeError, NoRecording) as error:
        print(f"{args.file}: {error}", file=sys.stderr)
        return 1
    if not said or args.speed <= 0:
        print("nothing to play" if not said else "--speed must be above 0", file=sys.stderr)
        return 1
    far, near = os.openpty()
    tty.setraw(near)
    print(f"plays on {os.ttyname(near)}", flush=True)
    os.close(near)  # from here on the terminal hangs up while nobody has it open
    try:
        _play(far, said, args.speed, args.loop)
    except OSError:
        return 0  # the reader has closed it
    finally:
        os.close(far)
    return 0


def _play(far: int, said: Sequence[Said], speed: float, loop: bool) -> None:
    _wait_until_open(far)
    while True:
        before = said[0].seconds
        for one in said:
            if one.direction == FROM_DEVICE:
                time.sleep(max(0.0, one.seconds - before) / speed)
                os.write(far, one.data)
            else:
                _await(far, one.data)
            before = one.seconds
        if not loop:
            break
    while not _is_closed(far):  # what was played last would be lost with the terminal
        time.sleep(LOOK_EVERY)


def _wait_until_open(far: int) -> None:
    while _is_closed(far):
        time.sleep(LOOK_EVERY)
    time.sleep(SETTLE)


def _is_closed(far: int) -> bool:
    poll = select.poll()
    poll.register(far, 0)
    return any(events & select.POLLHUP for _, events in poll.poll(0))


def _await(far: int, request: bytes) -> None:
    """Until the reader has sent as much as the request; another one is told, and answered."""
    heard = b""
    deadline = time.monotonic() + ANSWER_WAIT
    while len(heard) < len(request):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([far], [], [], left)[0]:
            print(f"no request {request.hex(' ')} came", file=sys.stderr)
            return
        heard += os.read(far, len(request) - len(heard))
    if heard != request:
        print(f"asked {heard.hex(' ')}, not {request.hex(' ')}", file=sys.stderr)
