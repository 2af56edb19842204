"""What a flood of commands does to telemetry: the same gateway without it and under it.

`python bench/command_flood.py [SECONDS] [fast]` starts mosquitto and a gateway with two sensors,
together 50 readings a second, and counts what arrives in so many seconds; then again while 1,000
commands a second come in for one output, or 30,000 by mosquitto_pub. Prints both rates and
their ratio, and what became of the commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.brokers import Listener, Mosquitto

RATE, FAST = 1000, 30_000
CONFIG = """
[gateway]
id = "g"
state = "{state}"
[upstream]
url = "{url}"
[[bus]]
name = "i2c"
kind = "simulated-i2c"
chips = ["bme280@0x76", "bme280@0x77"]
[[bus]]
name = "pins"
kind = "gpio"
device = "mock"
[[device]]
name = "cellar"
driver = "bme280"
bus = "i2c"
interval = 0.04
address = 0x76
[[device]]
name = "attic"
driver = "bme280"
bus = "i2c"
interval = 0.04
address = 0x77
[[device]]
name = "lamp"
driver = "relay"
bus = "pins"
pin = 4
"""


def flood(port: int, stopping: threading.Event) -> None:
    client = Listener(port, "nothing").client
    count, began = 0, time.monotonic()
    while not stopping.is_set():
        while count < (time.monotonic() - began) * RATE:
            payload = json.dumps({"id": f"f{count}", "value": count % 2 == 0})
            client.publish("tidegate/g/lamp/set", payload, 0)
            count += 1
        time.sleep(0.005)
    print(f"sent {count / (time.monotonic() - began):.0f} commands/s")
    client.disconnect()
    client.loop_stop()


def fast_flood(port: int, stopping: threading.Event) -> None:
    command = ["mosquitto_pub", "-p", str(port), "-t", "tidegate/g/lamp/set", "-l"]
    count, began, lines = 0, time.monotonic(), b'{"value": true}\n' * 1000
    publisher = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert publisher.stdin is not None
    while not stopping.is_set():
        while count < (time.monotonic() - began) * FAST:
            publisher.stdin.write(lines)
            count += 1000
        time.sleep(0.005)
    print(f"sent {count / (time.monotonic() - began):.0f} commands/s")
    publisher.kill()
    publisher.wait()


def readings(listener: Listener, seconds: float) -> float:
    def arrived() -> int:
        return sum(m.topic.endswith("/data") for m in list(listener.messages))

    before = arrived()
    time.sleep(seconds)
    return (arrived() - before) / seconds


def processor(pid: int) -> float:
    """Seconds of it that a process has had; proc(5), fields 14 and 15."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main(seconds: float, attack: Callable[[int, threading.Event], None]) -> int:
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder))
        broker.start()
        config = Path(folder) / "gateway.toml"
        config.write_text(CONFIG.format(state=f"{folder}/state", url=broker.url))
        listener = Listener(broker.port, "tidegate/g/+/data")
        answers = Listener(broker.port, "tidegate/g/lamp/result")
        gateway = subprocess.Popen([sys.executable, "-m", "gateway", "run", str(config)])
        try:
            listener.wait_for("tidegate/g/cellar/data", 10)
            idle = processor(gateway.pid)
            quiet = readings(listener, seconds)
            idle = processor(gateway.pid) - idle
            stopping = threading.Event()
            thread = threading.Thread(target=attack, args=(broker.port, stopping))
            thread.start()
            busy = processor(gateway.pid)
            under = readings(listener, seconds)
            busy = processor(gateway.pid) - busy
            stopping.set()
            thread.join()
            told = [json.loads(one) for one in answers.of("tidegate/g/lamp/result")]
            done = sum(one["outcome"] == "done" for one in told)
            print(f"telemetry: {quiet:.1f}/s quiet, {under:.1f}/s under the flood")
            print(f"processor: {idle / seconds:.1%} quiet, {busy / seconds:.1%} under the flood")
            print(f"ratio {under / quiet:.3f}; {done} commands done, {len(told)} answers")
        finally:
            gateway.terminate()
            gateway.wait(15)
            listener.close()
            answers.close()
            broker.stop()
    return 0


if __name__ == "__main__":
    given = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    sys.exit(main(given, fast_flood if "fast" in sys.argv else flood))
