"""A state directory belongs to one gateway at a time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.lock import StateInUse, hold

HOLD = """
import sys
from pathlib import Path
from gateway.lock import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_the_second_gateway_is_refused_until_the_first_is_dead(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(state)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"held\n"
        with pytest.raises(StateInUse, match="another gateway"):
            hold(state)
        first.kill()
        first.wait(30)
    hold(state)
