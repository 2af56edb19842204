"""The package, installed in a virtual machine with real I2C, GPIO, serial and watchdog devices.

`make rig` runs these. TIDEGATE_RIG names the folder of the rig (rig.py, i2cbus.py); without it they
are skipped with a word. The broker and the consumer run on this side, as at the far end.

What the machine cannot have: SPI, for Debian's kernel has neither spidev nor a controller that QEMU
has, and an HX711, whose answer is due within a microsecond of each clock.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import tty
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.base import NoAnswer
from gateway.cli.demo_player import telegrams
from tests.brokers import Listener, Mosquitto

RIG = os.environ.get("TIDEGATE_RIG", "")
CHECKOUT = Path(__file__).resolve().parents[2]
METER = CHECKOUT / "tests/captures/sml/ISKRA_MT175_eHZ.bin"
RELAY = 17
COMMIT_WINDOW = 0.5

CONFIG = """\
[gateway]
id = "rig"
health_every = "2s"

[upstream]
url = "mqtt://10.0.3.2:{port}"
insecure = true     # the rig's own network
username = "rig"
password_file = "${{CREDENTIALS_DIRECTORY:-/etc/tidegate/credentials}}/mqtt"

[outbox]
size = "4MiB"
store = "{store}"
commit_every = 0.5

[[bus]]
name = "i2c"
kind = "i2c"
device = "/dev/rig/i2c-usb"

[[bus]]
name = "head"
kind = "serial"
device = "/dev/rig/meter0"

[[bus]]
name = "pins"
kind = "gpio"
device = "/dev/gpiochip0"

[[device]]
name = "climate"
driver = "bme280"
bus = "i2c"
interval = "500ms"
address = 0x76

[[device]]
name = "meter"
driver = "sml"
bus = "head"
interval = "1s"

[[device]]
name = "relay"
driver = "relay"
bus = "pins"
pin = {relay}
stop = "off"

[[device]]
name = "machine"
driver = "host"
interval = "1s"
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not Path(RIG, "rig.py").is_file():
        for item in items:
            item.add_marker(pytest.mark.skip(reason="TIDEGATE_RIG names no rig; see make rig"))


def rig_modules() -> Any:
    """rig and i2cbus, which are no packages: their folder has to be on the path."""
    if RIG not in sys.path:
        sys.path.insert(0, RIG)
    import i2cbus
    import rig

    return rig, i2cbus


class Meter:
    """A recorded telegram a second on the line's far end, whoever listens."""

    def __init__(self) -> None:
        self._recorded = telegrams(METER.read_bytes())
        self._line: int | None = None
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def wire(self, guest: Any) -> None:
        """After each power-on, the line has another far end."""
        with self._lock:
            self._unwire()
            self._line = os.open(guest.serial("meter0"), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            tty.setraw(self._line)

    def _unwire(self) -> None:
        if self._line is not None:
            os.close(self._line)
            self._line = None

    def _play(self) -> None:
        for telegram in itertools.cycle(self._recorded):
            if self._stopping.wait(1.0):
                return
            # The power is off, or nobody reads: a meter does not care.
            with self._lock, contextlib.suppress(OSError):
                if self._line is not None:
                    os.write(self._line, telegram)

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._unwire()


class Board:
    """The virtual machine with the package installed, its chips, and the broker on this side."""

    def __init__(self, guest: Any, bus: Any, meter: Meter, broker: Mosquitto) -> None:
        self.guest = guest
        self.broker = broker
        self._bus = bus
        self._meter = meter

    def wire(self) -> None:
        """What hangs on the board, after each power-on."""
        self._meter.wire(self.guest)
        self._bus.unplug()  # a machine that was reset did not say goodbye
        self.guest.plug_usb_device(self._bus.port)

    def cut_and_boot(self) -> None:
        """The plug is pulled and put in again: a whole boot."""
        self.guest.cut()
        self.guest.boot_again()
        self.wire()

    def run(self, command: str, timeout: float = 120) -> str:
        """Output of a command that has to succeed."""
        done = self.guest.run(command, timeout=timeout)
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return str(done.stdout)

    def wait(self, condition: Callable[[], bool], what: str, within: float = 120) -> float:
        """Seconds that it took."""
        began = time.monotonic()
        while not condition():
            if time.monotonic() - began > within:
                journal = self.guest.run("journalctl -u tidegate -n 40 --no-pager").stdout
                pytest.fail(f"not within {within:g} s: {what}\n{journal}")
            time.sleep(0.2)
        return time.monotonic() - began

    def show(self, name: str) -> str:
        return self.run(f"systemctl show tidegate -P {name}").strip()

    def relay(self) -> int:
        return int(self.guest.gpio_value(RELAY))

    def status(self) -> dict[str, Any]:
        done = self.guest.run("tidegate status --json")
        return dict(json.loads(done.stdout)) if done.stdout.startswith("{") else {}

    def send(self, device: str, value: str) -> dict[str, Any]:
        """A command over MQTT from this side; its result, or why it was not sent."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", "send", "rig", device, value,
             "--url", self.broker.url, "--json", "--timeout", "60"],
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return dict(json.loads(done.stdout)) if done.stdout else {"not sent": done.stderr}


class BoardChip:
    """One of our simulated chips on the rig's bus: it signals no acknowledge in its own way."""

    def __init__(self, chip: Any, nak: type[Exception]) -> None:
        self._chip, self._nak = chip, nak

    def write(self, data: bytes) -> None:
        try:
            self._chip.write(data)
        except NoAnswer as error:
            raise self._nak from error

    def read(self, length: int) -> bytes:
        try:
            return bytes(self._chip.read(length))
        except NoAnswer as error:
            raise self._nak from error


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("dist")
    build = CHECKOUT / "deploy/debian/build.py"
    subprocess.run([sys.executable, str(build), "--output", str(output)], check=True)
    return next(output.glob("*.deb"))


@pytest.fixture(scope="session")
def far_end(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """A broker that keeps sessions, for an audit that runs longer than one test."""
    folder = tmp_path_factory.mktemp("broker")
    root = "user root" if os.getuid() == 0 else ""
    mosquitto = Mosquitto(
        folder, "persistence true", f"persistence_location {folder}/", "max_queued_messages 0", root
    )
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


@pytest.fixture
def consumer(far_end: Mosquitto) -> Iterator[Listener]:
    listener = Listener(far_end.port)
    yield listener
    listener.close()


REVISION = """\
[Service]
# The guest's stand-in for a Pi's revision code, which ProtectProc's own /proc does not show.
BindReadOnlyPaths=/run/rig/cpuinfo:/proc/cpuinfo
"""


def install(board: Board, package: Path, store: str) -> None:
    board.guest.push(package.parent, "/package")
    board.run(f"dpkg -i /package/{package.name}", timeout=300)
    text = CONFIG.format(port=board.broker.port, relay=RELAY, store=store)
    board.guest.run("cat > /etc/tidegate/gateway.toml", input=text, check=True)
    drop_in = "/etc/systemd/system/tidegate.service.d"
    board.guest.run(f"mkdir -p {drop_in}; cat > {drop_in}/rig.conf", input=REVISION, check=True)
    board.guest.run("umask 77; cat > /etc/tidegate/credentials/mqtt", input="secret\n", check=True)
    board.run("tidegate check && tidegate unit --write")
    board.run("systemctl daemon-reload && systemctl restart tidegate")


class Audit:
    """`tidegate audit` at the far end, from the first entry to the last."""

    def __init__(self, broker: Mosquitto) -> None:
        command = [sys.executable, "-m", "gateway", "audit", "--url", broker.url, "--json"]
        command += ["--gateway", "rig", "--session", "rig-audit"]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def end(self) -> tuple[int, dict[str, Any]]:
        """Exit status, and the last account."""
        self._process.send_signal(signal.SIGINT)
        said, _ = self._process.communicate(timeout=60)
        lines = [line for line in said.splitlines() if line.startswith("{")]
        assert lines, "the audit said nothing"
        return self._process.returncode, dict(json.loads(lines[-1]))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
