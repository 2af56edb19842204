"""Tidegate as a peer of the gateway bench, found through BENCH_PEERS.

`tidegate` is the product as it is installed; the other names change one thing each.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from gwbench.peers import Peer, peer

HERE = Path(__file__).resolve().parent
PYTHON = os.environ.get("TIDEGATE_PYTHON") or str(HERE.parent / ".venv/bin/python")

# The subscriber is a process of its own and looks the decoder up by name.
os.environ["PYTHONPATH"] = os.pathsep.join(
    filter(None, [str(HERE), os.environ.get("PYTHONPATH", "")])
)


@peer
class Tidegate(Peer):
    name = "tidegate"
    feed = "line"
    decoder = "tidegate_decode:decode"
    claims = "on disk or acknowledged upstream within 100 ms, else not accepted"
    options: tuple[str, ...] = ()

    def launch(self) -> None:
        command = [PYTHON, HERE / "line_input.py", "--in-port", self.in_port]
        command += ["--up-port", self.up_port, "--dir", self.dir, *self.options]
        # No PYTHONPATH of the bench's: the product runs with what is installed.
        self.spawn(command, extra_env={"PYTHONPATH": ""})


@peer
class TidegateOneByOne(Tidegate):
    name = "tidegate-single"
    filter = "gw/+/+/data"  # and no status, so that the drain is timed from its first reading
    claims = "as tidegate, the backlog one message a reading"
    options = ("--history", "same-topic")


@peer
class TidegateHistory(Tidegate):
    name = "tidegate-history"
    filter = "gw/+/history"
    claims = "as tidegate; only what comes as history is counted, so W2's drain begins with it"
    cannot = ("W1", "W4")


@peer
class TidegateEach(Tidegate):
    name = "tidegate-each"
    claims = "every reading on disk before it is accepted"
    options = ("--durability", "each", "--history", "same-topic")


@peer
class TidegateLean(Tidegate):
    name = "tidegate-lean"
    decoder = "tidegate_decode:lean"
    claims = "as tidegate; the reading's own time and device are the sample's"
    options = ("--lean",)


@peer
class TidegateLeanMsgpack(Tidegate):
    name = "tidegate-lean-msgpack"
    decoder = "tidegate_decode:lean_msgpack"
    claims = "as tidegate-lean, in MessagePack, the backlog one message a reading"
    options = ("--lean", "--dialect", "msgpack", "--history", "same-topic")


@peer
class TidegateLinger(Tidegate):
    name = "tidegate-linger"
    claims = "as tidegate; a live reading waits for up to a second for others"
    options = ("--linger", "1")


@peer
class TidegateLeanLinger(Tidegate):
    name = "tidegate-lean-linger"
    decoder = "tidegate_decode:lean"
    claims = "as tidegate-lean; a live reading waits for up to a second for others"
    options = ("--lean", "--linger", "1")


@peer
class TidegateClockLinger(Tidegate):
    name = "tidegate-clock-linger"
    claims = (
        "as tidegate-linger, where the clock is known to be set: no reading says that it is not"
    )
    options = ("--clock", "--linger", "1")


if __name__ == "__main__":
    sys.exit(f"run the bench with BENCH_PEERS={Path(__file__).name}")
