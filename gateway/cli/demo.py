"""`tidegate demo`: the whole house on one machine, with a broker that can be stopped."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from gateway.cli import layout
from gateway.cli.consumer import Unreachable
from gateway.cli.demo_broker import BrokerFailed
from gateway.cli.demo_house import CAPTURE, CONFIG, GatewayFailed
from gateway.cli.demo_stage import Stage
from gateway.cli.demo_summary import complete, obeyed, summary
from gateway.cli.layout import Line
from gateway.cli.screen import Screen

HELP = "Show the gateway at work with real drivers, a broker of its own, and a live table."
EXAMPLES = """\
tidegate demo                    # until q: b stops the broker, r switches, h heats
tidegate demo --for 20           # by itself; status 0 only if nothing is missing at the end"""

REDRAW = 0.25
SHORTEST = 5.0
SCRIPT: tuple[tuple[float, str], ...] = (
    *((0.05, "h"), (0.2, "r"), (0.35, "b"), (0.6, "b"), (0.75, "r")),
)
"""What `--for` does by itself: at which part of the time, which key."""
KEYS = "b: stop and start the broker   r: switch the relay   h: heat the room   q: quit"


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--for",
        dest="seconds",
        type=_seconds,
        metavar="SECONDS",
        help="run by itself for so long, with a stop of the broker and two commands",
    )
    parser.add_argument("--keep", action="store_true", help="keep the directory with log and state")


def _seconds(text: str) -> float:
    seconds = float(text)
    if seconds < SHORTEST:
        raise argparse.ArgumentTypeError(f"at least {SHORTEST:.0f}")
    return seconds


def run(args: argparse.Namespace) -> int:
    if not CONFIG.is_file() or not CAPTURE.is_file():
        print(
            f"tidegate demo: {CONFIG} or {CAPTURE} is not there: the demo runs from a checkout",
            file=sys.stderr,
        )
        return 1
    live = sys.stdout.isatty()
    if not live and args.seconds is None:
        print("tidegate demo: no terminal here: add --for SECONDS", file=sys.stderr)
        return 2
    directory = Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    try:
        return _play(Show(live, args.seconds), directory)
    except (BrokerFailed, GatewayFailed, Unreachable, OSError) as error:
        print(f"tidegate demo: {error}", file=sys.stderr)
        return 1
    finally:
        if args.keep:
            print(f"log and state are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)


def _play(show: Show, directory: Path) -> int:
    stage = Stage(directory, show.say)
    try:
        stage.open()
        try:
            show.run(stage)
        except KeyboardInterrupt:
            pass  # as good as q
        seconds = time.monotonic() - show.started
        print("settling the account ...", flush=True)
        report = stage.settle()
    finally:
        stage.close()
    print(
        summary(
            report,
            stage.commands,
            seconds=seconds,
            stops=stage.stops,
            first_reading=stage.first_reading,
            coolings=stage.coolings,
        )
    )
    return 0 if complete(report) and obeyed(stage.commands) else 1


class Show:
    """What is seen while it runs. seconds: None until a key ends it."""

    def __init__(self, live: bool, seconds: float | None) -> None:
        self.started = time.monotonic()
        self._live = live
        self._seconds = seconds
        self._script = [] if seconds is None else [(part * seconds, key) for part, key in SCRIPT]
        self._said = ""

    def say(self, what: str) -> None:
        self._said = what
        if not self._live:
            print(f"{time.monotonic() - self.started:5.1f} s  {what}", flush=True)

    def run(self, stage: Stage) -> None:
        self.started = time.monotonic()
        if not self._live:
            self._loop(stage, lambda: "", lambda: None)
            return
        with Screen() as screen:
            self._loop(stage, screen.key, lambda: screen.draw(self._page(stage, screen.size)))

    def _loop(self, stage: Stage, key: Callable[[], str], draw: Callable[[], None]) -> None:
        end = float("inf") if self._seconds is None else self.started + self._seconds
        while time.monotonic() < end:
            stage.turn(REDRAW)
            pressed = key() or self._scripted(stage.reachable)
            if pressed == "q":
                return
            if pressed == "b":
                stage.stop_broker() if stage.stopped_at is None else stage.start_broker()
            elif pressed == "r":
                stage.switch()
            elif pressed == "h":
                stage.heat()
            draw()

    def _scripted(self, reachable: bool) -> str:
        """The next key when it is due; a command waits until the gateway can be reached."""
        if not self._script or time.monotonic() - self.started < self._script[0][0]:
            return ""
        if self._script[0][1] == "r" and not reachable:
            return ""
        return self._script.pop(0)[1]

    def _page(self, stage: Stage, size: tuple[int, int]) -> list[Line]:
        now = time.monotonic()
        broker = Line("broker    runs")
        if stage.stopped_at is not None:
            stopped = layout.span(now - stage.stopped_at)
            broker = Line(f"broker    STOPPED for {stopped}: the gateway keeps its readings", "bad")
        account = layout.account(stage.account.report(now))
        bottom = [account, broker, Line(""), Line(self._said, "good"), Line(KEYS, "dim")]
        return layout.page(stage.board, size, now, time.time(), bottom)
