"""The demo's gateway: the daemon as a process of its own, with a directory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from gateway.local import SOCKET_NAME

STOP_TIMEOUT = 8.0
"""Seconds after SIGTERM; the daemon promises 5."""
LOG_TAIL = 15

CHECKOUT = Path(__file__).resolve().parents[2]
CONFIG = CHECKOUT / "deploy/examples/demo.toml"
CAPTURE = CHECKOUT / "tests/captures/sml/ISKRA_MT175_eHZ.bin"

EMPTYING = """\
[gateway]
id = "{gateway}"
state = "{state}"
health_every = "1s"
[upstream]
url = "{url}"
protocol = "3.1.1"
[outbox]
size = "4MiB"
"""
"""A gateway without devices on the same state: it sends what is left, and tells in `about` up to
which number the run before it got."""


class GatewayFailed(Exception):
    """The gateway did not run as it should; the message has the end of its log."""


class House:
    """One gateway, started and stopped."""

    def __init__(self, directory: Path, url: str) -> None:
        self._directory = directory
        self.socket = directory / "state" / SOCKET_NAME
        self._url = url
        self._log = directory / "gateway.log"
        self._process: subprocess.Popen[bytes] | None = None
        self.started = 0.0

    def start(self, config: Path = CONFIG) -> None:
        directory, url = str(self._directory), self._url
        environment = {**os.environ, "TIDEGATE_DEMO_DIR": directory, "TIDEGATE_DEMO_URL": url}
        self.started = time.monotonic()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "gateway", "run", str(config)],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the demo alone
            )

    def start_emptying(self, gateway: str) -> None:
        """The second run, for settling the account of the first."""
        config = self._directory / "emptying.toml"
        state = self._directory / "state"
        config.write_text(EMPTYING.format(gateway=gateway, state=state, url=self._url), "utf-8")
        self.start(config)

    def check(self) -> None:
        """GatewayFailed if it is not running any more."""
        if self._process is None or self._process.poll() is not None:
            code = None if self._process is None else self._process.returncode
            raise GatewayFailed(f"the gateway ended with status {code}:\n{self.log_tail()}")

    def stop(self) -> None:
        """SIGTERM, and waits. GatewayFailed if that was not a clean end."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise GatewayFailed(
                f"the gateway did not stop within {STOP_TIMEOUT:.0f} s:\n{self.log_tail()}"
            ) from None
        if code != 0:
            raise GatewayFailed(f"the gateway stopped with status {code}:\n{self.log_tail()}")

    def kill(self) -> None:
        """For the way out after a failure."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def log_tail(self) -> str:
        lines = self._log.read_text("utf-8", "replace").splitlines()[-LOG_TAIL:]
        return "\n".join(f"  {line}" for line in lines)
