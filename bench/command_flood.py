"""What a flood of commands does to telemetry: the same gateway without it and under it.

`python bench/command_flood.py [SECONDS]` starts mosquitto and a gateway with two sensors, together
50 readings a second, and counts what arrives in so many seconds; then again while 1,000 commands a
second come in for one output. Prints both rates, their ratio, and what became of the commands.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.brokers import Listener, Mosquitto

RATE = 1000
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


def main(seconds: float) -> int:
    with tempfile.TemporaryDirectory() as folder:
        broker = Mosquitto(Path(folder))
        broker.start()
        config = Path(folder) / "gateway.toml"
        config.write_text(CONFIG.format(state=f"{folder}/state", url=broker.url))
        listener = Listener(broker.port, "tidegate/g/#")
        gateway = subprocess.Popen([sys.executable, "-m", "gateway", "run", str(config)])
        try:
            listener.wait_for("tidegate/g/cellar/data", 10)
            idle = processor(gateway.pid)
            quiet = readings(listener, seconds)
            idle = processor(gateway.pid) - idle
            stopping = threading.Event()
            thread = threading.Thread(target=flood, args=(broker.port, stopping))
            thread.start()
            busy = processor(gateway.pid)
            under = readings(listener, seconds)
            busy = processor(gateway.pid) - busy
            stopping.set()
            thread.join()
            told = [json.loads(one) for one in listener.of("tidegate/g/lamp/result")]
            done = sum(one["outcome"] == "done" for one in told)
            print(f"telemetry: {quiet:.1f}/s quiet, {under:.1f}/s under the flood")
            print(f"processor: {idle / seconds:.1%} quiet, {busy / seconds:.1%} under the flood")
            print(f"ratio {under / quiet:.3f}; {done} commands done, {len(told)} answers")
        finally:
            gateway.terminate()
            gateway.wait(15)
            listener.close()
            broker.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 10.0))
