"""The host's values, from a made-up /proc and /sys, and from this machine's own."""

from pathlib import Path

import pytest

from drivers.base import BusMissing, CorruptData
from drivers.host import pi
from drivers.host.host import (
    Host,
    decode_load,
    decode_memory,
    decode_thermal,
    decode_uptime,
    disk_used,
)
from tests.fakes import values

WIRELESS = """\
Inter-| sta-|   Quality        |   Discarded packets               | Missed | WE
 face | tus | link level noise |  nwid  crypt   frag  retry   misc | beacon | 22
 wlan0: 0000   54.  -56.  -256        0      0      0      0     24        0
"""
MEMINFO = "MemTotal:        4000000 kB\nMemFree: 10 kB\nMemAvailable:    3000000 kB\n"


def machine(root: Path, zones: dict[str, str]) -> Path:
    (root / "proc").mkdir()
    (root / "proc/loadavg").write_text("0.42 0.18 0.12 1/80 11206\n")
    (root / "proc/meminfo").write_text(MEMINFO)
    for number, (name, temp) in enumerate(zones.items()):
        zone = root / f"sys/class/thermal/thermal_zone{number}"
        zone.mkdir(parents=True)
        (zone / "type").write_text(name + "\n")
        (zone / "temp").write_text(temp + "\n")
    return root


def read(root: Path) -> dict[str, object]:
    host = Host(root=str(root), disk=str(root))
    host.start()
    return dict(values(host.read()))


def test_reads_a_pi(tmp_path: Path) -> None:
    got = read(machine(tmp_path, {"gpu-thermal": "50000", "cpu-thermal": "-1500"}))
    del got["clock_synchronised"]
    assert got == {
        "load": 0.42,
        "memory": pytest.approx(25.0),
        "disk": pytest.approx(disk_used(str(tmp_path)), abs=1),
        "cpu_temperature": -1.5,
    }


def test_reads_what_only_a_pi_has(tmp_path: Path) -> None:
    root = machine(tmp_path, {})
    firmware = root / "sys/devices/platform/soc/soc:firmware"
    firmware.mkdir(parents=True)
    (firmware / "get_throttled").write_text("50005\n")
    memory = root / "sys/block/mmcblk0/device"
    memory.mkdir(parents=True)
    (memory / "life_time").write_text("0x02 0x01\n")
    (root / "proc/net").mkdir()
    (root / "proc/net/wireless").write_text(WIRELESS)
    (root / "proc/uptime").write_text("350735.47 234388.90\n")
    got = read(root)
    assert (got["under_voltage"], got["throttled"], got["wifi_signal"]) == (True, True, -56)
    assert (got["storage_worn"], got["uptime"]) == (20, 350735.47)


@pytest.mark.parametrize(
    ("bits", "under", "slow"),
    [("0", False, False), ("1", True, False), ("50000", False, False), ("8", False, True)],
)
def test_throttling_of_the_moment(bits: str, under: bool, slow: bool) -> None:
    assert pi.decode_throttled(bits) == {"under_voltage": under, "throttled": slow}


def test_no_wifi_and_no_wear_are_no_values() -> None:
    head = "\n".join(WIRELESS.splitlines()[:2])
    assert pi.decode_wireless(head + "\n") is None
    assert (
        pi.decode_wireless(head + "\nwlan0: 0000    0.  -256.  -256   0  0  0  0  0  0\n") is None
    )
    assert pi.decode_life_time("0x00 0x00") is None
    assert pi.decode_life_time("0x0b 0x01") == 110
    for decode in (pi.decode_throttled, pi.decode_life_time):
        with pytest.raises(CorruptData):
            decode("soon")
    with pytest.raises(CorruptData):
        pi.decode_wireless(head + "\nwlan0: 0000 x y z\n")


def test_the_clock_of_this_machine() -> None:
    assert pi.synchronised() in (True, False, None)


def test_leaves_out_a_temperature_that_is_not_there(tmp_path: Path) -> None:
    assert "cpu_temperature" not in read(machine(tmp_path, {}))


def test_reads_this_machine() -> None:
    got = read(Path("/"))
    assert 0 <= float(str(got["memory"])) <= 100
    assert {"load", "memory", "disk"} <= set(got) <= {c.name for c in Host.channels}


@pytest.mark.parametrize("text", ["", "garbage"])
def test_corrupt_files_are_errors(text: str) -> None:
    for decode in (decode_load, decode_memory, decode_thermal, decode_uptime):
        with pytest.raises(CorruptData):
            decode(text)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(BusMissing, match="loadavg"):
        read(tmp_path)
    with pytest.raises(BusMissing, match="/no/such"):
        disk_used("/no/such")
