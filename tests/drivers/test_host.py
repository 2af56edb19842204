"""The host's values, from a made-up /proc and /sys, and from this machine's own."""

from pathlib import Path

import pytest

from drivers.base import BusMissing, CorruptData
from drivers.host.host import Host, decode_load, decode_memory, decode_thermal, disk_used
from tests.fakes import values

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
    assert got == {
        "load": 0.42,
        "memory": pytest.approx(25.0),
        "disk": pytest.approx(disk_used(str(tmp_path)), abs=1),
        "cpu_temperature": -1.5,
    }


def test_leaves_out_a_temperature_that_is_not_there(tmp_path: Path) -> None:
    assert "cpu_temperature" not in read(machine(tmp_path, {}))


def test_reads_this_machine() -> None:
    got = read(Path("/"))
    assert 0 <= float(str(got["memory"])) <= 100
    assert {"load", "memory", "disk"} <= set(got) <= {c.name for c in Host.channels}


@pytest.mark.parametrize("text", ["", "garbage"])
def test_corrupt_files_are_errors(text: str) -> None:
    for decode in (decode_load, decode_memory, decode_thermal):
        with pytest.raises(CorruptData):
            decode(text)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(BusMissing, match="loadavg"):
        read(tmp_path)
    with pytest.raises(BusMissing, match="/no/such"):
        disk_used("/no/such")
