"""1-Wire thermometers convert together: a model of the kernel's flags, and whoever reads when."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.base import BusFault, NoAnswer
from drivers.onewire.bulk import FRESH_S, REFUSED_S, Master, Masters

SENSORS = ("28-0000000000aa", "28-0000000000bb", "28-0000000000cc")
CONVERSION = 0.75


class Kernel:
    """therm_bulk_read and the sensors behind it, as w1_therm has them, and a clock."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "therm_bulk_read"
        self.file.write_text("0\n")
        self.now = 50.0
        self.flags = dict.fromkeys(SENSORS, 0)
        self.converted = dict.fromkeys(SENSORS, 0.0)
        self.triggers = self.alone = 0
        self.error: OSError | None = None
        self.refuses = self.deaf = False
        self.master = Master(folder, trigger=self.trigger, clock=lambda: self.now)

    def trigger(self, path: Path) -> None:
        assert path == self.file
        if self.error:
            raise self.error
        self.triggers += 1
        if not self.refuses:
            if not self.deaf:
                self.now += CONVERSION
                self.converted = dict.fromkeys(SENSORS, self.now)
            self.flags = dict.fromkeys(SENSORS, 1)
        self.file.write_text(f"{max(self.flags.values())}\n")

    def read(self, sensor: str) -> float:
        """One look, as the driver does it. Gives how old the value is."""
        self.master.convert(sensor)
        if not self.flags[sensor]:
            self.alone += 1
            self.now += CONVERSION
            self.converted[sensor] = self.now
        self.flags[sensor] = 0
        self.file.write_text(f"{max(self.flags.values())}\n")
        return self.now - self.converted[sensor]


def test_one_conversion_for_all(tmp_path: Path) -> None:
    kernel = Kernel(tmp_path)
    for _ in range(4):
        for sensor in SENSORS:
            kernel.read(sensor)
        kernel.now += 10
    assert (kernel.triggers, kernel.alone) == (4, 0)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(SENSORS), st.floats(0, 40)), max_size=60),
    st.sampled_from(["", "refuses", errno.EACCES, errno.EROFS, errno.ENOENT]),
)
def test_no_value_is_old_and_none_is_read_twice(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[tuple[str, float]],
    trouble: str | int,
) -> None:
    kernel = Kernel(tmp_path_factory.mktemp("w1"))
    kernel.refuses = trouble == "refuses"
    kernel.error = OSError(trouble, "no") if isinstance(trouble, int) else None
    seen = dict.fromkeys(SENSORS, 0.0)
    for sensor, wait in steps:
        kernel.now += wait
        assert kernel.read(sensor) <= FRESH_S
        assert kernel.converted[sensor] > seen[sensor]
        seen[sensor] = kernel.converted[sensor]
    if trouble:
        assert kernel.alone == len(steps)
        assert kernel.triggers <= 1 + sum(wait for _, wait in steps) / REFUSED_S
    else:
        assert kernel.alone == 0
        assert kernel.triggers <= len(steps)


def test_a_bus_that_took_no_command_is_no_value(tmp_path: Path) -> None:
    """The kernel marks the sensors as converted then, and would give what it had before."""
    kernel = Kernel(tmp_path)
    kernel.read(SENSORS[0])
    kernel.deaf = True
    kernel.now += 10
    for _ in range(3):
        with pytest.raises(NoAnswer, match="took the command"):
            kernel.read(SENSORS[0])
    kernel.deaf = False
    assert kernel.read(SENSORS[0]) <= FRESH_S
    kernel.error = OSError(errno.EIO, "Input/output error")
    with pytest.raises(NoAnswer, match="does not answer"):
        kernel.read(SENSORS[0])
    kernel.error = OSError(errno.ENOSPC, "full")
    with pytest.raises(BusFault):
        kernel.read(SENSORS[0])


def test_sensors_of_one_bus_share_a_master(tmp_path: Path) -> None:
    devices = tmp_path / "bus"
    devices.mkdir()
    for master, sensor in ((1, "a"), (1, "b"), (2, "c")):
        folder = tmp_path / f"w1_bus_master{master}" / sensor
        folder.mkdir(parents=True)
        (devices / sensor).symlink_to(folder)
    masters = Masters()
    a, b, c = (masters.of(devices / name) for name in "abc")
    assert a is b
    assert a is not c


def test_the_trigger_is_the_word_that_the_kernel_compares(tmp_path: Path) -> None:
    """8 bytes, the line's end among them: the kernel looks at the length first."""
    (tmp_path / "therm_bulk_read").write_text("0")
    with pytest.raises(NoAnswer):
        Master(tmp_path).convert("28-0000000000aa")
    assert (tmp_path / "therm_bulk_read").read_bytes() == b"trigger\n"
    Master(tmp_path / "none").convert("28-0000000000aa")
    assert not (tmp_path / "none").exists()
