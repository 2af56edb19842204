"""LinuxI2C against a scripted adapter: what goes out, and what failures become."""

import errno
from pathlib import Path
from typing import Any

import pytest
from smbus2 import I2cFunc

import drivers.buses
from drivers.base import BusFault, BusMissing, NoAnswer
from drivers.buses import LinuxI2C

I2C_M_RD = 1


class Adapter:
    """Stands in for smbus2.SMBus: remembers transfers, answers 1, 2, 3..., fails on request."""

    def __init__(self, path: str) -> None:
        if not Path(path).exists():
            raise FileNotFoundError(errno.ENOENT, "No such file", path)
        self.funcs = FUNCS[0]
        LOG.append(("open",))

    def close(self) -> None:
        LOG.append(("close",))

    def i2c_rdwr(self, *messages: Any) -> None:
        if FAIL:
            raise OSError(FAIL.pop(), "as told")
        for message in messages:
            if message.flags & I2C_M_RD:
                for index in range(message.len):
                    message.buf[index] = index + 1
            LOG.append((message.addr, message.flags & I2C_M_RD, bytes(message)))

    def __getattr__(self, name: str) -> Any:
        def transfer(*arguments: Any) -> Any:
            LOG.append((name, *arguments))
            return {"read_word_data": 0x0201, "read_i2c_block_data": [1, 2, 3]}.get(name, 1)

        return transfer


LOG: list[tuple[Any, ...]] = []
FAIL: list[int] = []
FUNCS = [I2cFunc.I2C]


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    LOG.clear()
    FAIL.clear()
    FUNCS[0] = I2cFunc.I2C
    monkeypatch.setattr(drivers.buses, "SMBus", Adapter)
    path = tmp_path / "i2c-1"
    path.touch()
    return path


def test_write_read_is_one_transfer_with_a_repeated_start(device: Path) -> None:
    bus = LinuxI2C(str(device))
    assert LOG == []
    assert bus.write_read(0x76, b"\xd0", 2) == b"\x01\x02"
    assert bus.read(0x76, 3) == b"\x01\x02\x03"
    bus.write(0x76, b"\xf4\x25")
    assert LOG == [
        ("open",),
        (0x76, 0, b"\xd0"),
        (0x76, 1, b"\x01\x02"),
        (0x76, 1, b"\x01\x02\x03"),
        (0x76, 0, b"\xf4\x25"),
    ]


@pytest.mark.parametrize("code", [errno.ENXIO, errno.EREMOTEIO, errno.ENODEV])
def test_a_silent_address(device: Path, code: int) -> None:
    FAIL.append(code)
    with pytest.raises(NoAnswer, match="0x40"):
        LinuxI2C(str(device)).read(0x40, 1)


@pytest.mark.parametrize(
    ("code", "hint"),
    [(errno.ETIMEDOUT, "held low"), (errno.EAGAIN, "another master"), (errno.EIO, "as told")],
)
def test_a_fault_is_explained_and_the_adapter_opened_again(
    device: Path, code: int, hint: str
) -> None:
    FAIL.append(code)
    bus = LinuxI2C(str(device))
    with pytest.raises(BusFault, match=hint):
        bus.read(0x40, 1)
    assert bus.read(0x40, 1) == b"\x01"
    assert [entry for entry in LOG if entry == ("open",)] == [("open",)] * 2


def test_an_unplugged_adapter_is_missing_until_it_is_back(device: Path) -> None:
    bus = LinuxI2C(str(device))
    bus.read(0x40, 1)
    device.unlink()
    FAIL.append(errno.EIO)
    for _ in range(2):
        with pytest.raises(BusMissing, match="raspi-config"):
            bus.read(0x40, 1)
    device.touch()
    assert bus.read(0x40, 1) == b"\x01"


def test_an_smbus_adapter_is_used_with_what_it_has(device: Path) -> None:
    FUNCS[0] = I2cFunc.SMBUS_BYTE_DATA
    bus = LinuxI2C(str(device))
    assert bus.write_read(0x76, b"\xd0", 1) == b"\x01"
    assert bus.write_read(0x76, b"\xd0", 2) == b"\x01\x02"
    assert bus.write_read(0x76, b"\x88", 3) == b"\x01\x02\x03"
    assert bus.read(0x76, 1) == b"\x01"
    for data in (b"\x01", b"\x01\x02", b"\x01\x02\x03", b"\x01\x02\x03\x04"):
        bus.write(0x76, data)
    assert [entry[0] for entry in LOG[-4:]] == [
        "write_byte", "write_byte_data", "write_word_data", "write_i2c_block_data",
    ]  # fmt: skip
    assert LOG[-2] == ("write_word_data", 0x76, 1, 0x0302)


def test_what_smbus_cannot_do_is_refused(device: Path) -> None:
    FUNCS[0] = I2cFunc.SMBUS_BYTE_DATA
    bus = LinuxI2C(str(device))
    with pytest.raises(BusFault, match="SMBus only"):
        bus.read(0x44, 6)
    with pytest.raises(BusFault, match="SMBus only"):
        bus.write(0x44, bytes(34))
    with pytest.raises(BusFault, match="SMBus only"):
        bus.write_read(0x44, b"\x24\x00", 6)
