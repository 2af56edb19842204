"""Where what is on a card: sizes, the partition table, the table of mounts. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1 << 20
FIRST = 4 * MIB
"""Where the first partition begins: a card's erase blocks are 4 MiB at most."""
BOOT = 256 * MIB
SPARE = 256 * MIB
"""Of the root, beside a quarter of what is used: for upgrades."""
STATE = 32 * MIB
"""Of the data partition, beside the journal: the small state, its log, the file system's own."""


@dataclass(frozen=True)
class Partition:
    name: str
    start: int
    size: int

    @property
    def end(self) -> int:
        return self.start + self.size


def layout(root_used: int, journal: int) -> tuple[Partition, Partition, Partition]:
    """Bytes: boot, root with room for upgrades, and twice the journal, which stays half empty.

    Twice, because keep_free has to fit as well, and a journal that is replaced is moved.
    """
    boot = Partition("boot", FIRST, BOOT)
    root = Partition("root", boot.end, _whole(root_used * 5 // 4 + SPARE))
    data = Partition("data", root.end, _whole(2 * journal + STATE))
    return boot, root, data


def _whole(size: int) -> int:
    """Rounded up to the erase blocks."""
    return -(-size // FIRST) * FIRST


def script(parts: tuple[Partition, Partition, Partition]) -> str:
    """For sfdisk: an MBR, which every Pi's firmware reads; sectors of 512 bytes."""
    kinds = {"boot": "type=c,bootable", "root": "type=83", "data": "type=83"}
    rows = [f"start={p.start // 512},size={p.size // 512},{kinds[p.name]}" for p in parts]
    return "label: dos\n" + "\n".join(rows) + "\n"


def fstab(labels: dict[str, str]) -> str:
    """The journal's partition has a unit of its own, tidegate-data.service.

    The time is that of an emulated machine, and nothing but the first boot waits for it.
    """
    return (
        f"LABEL={labels['root']} / ext4 rw,noatime,errors=remount-ro 0 1\n"
        f"LABEL={labels['boot']} /boot/firmware vfat "
        "noatime,umask=0077,nofail,x-systemd.device-timeout=5min 0 2\n"
    )
