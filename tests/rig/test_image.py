"""A card's image of Debian packages, booted on the rig: first boot, a read-only root, power cuts.

`make rig-image` runs this. TIDEGATE_IMAGE is "new", or the folder of an image that was built before
with what `rig_files` and the key of the rig make of it; without it nothing is done. The kernel is
Debian's own, of a release that has no simulated GPIO: pins are the matter of the other tests.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from drivers.simulated.bme280 import Bme280
from tests.brokers import Listener, Mosquitto
from tests.rig.conftest import CHECKOUT, RIG, Audit, Board, BoardChip, Meter, rig_modules

IMAGE = os.environ.get("TIDEGATE_IMAGE", "")
CUTS = int(os.environ.get("TIDEGATE_CUTS", "2"))
BOOT_PARTITION = 4 << 20
LONG = 600.0

pytestmark = pytest.mark.skipif(not IMAGE, reason="TIDEGATE_IMAGE names no image; make rig-image")

CONFIG = """\
[gateway]
id = "rig"
allow = ["reboot"]
health_every = "2s"
[upstream]
url = "mqtt://10.0.3.2:{port}"
insecure = true     # the rig's own network
username = "rig"
password_file = "${{CREDENTIALS_DIRECTORY:-/etc/tidegate/credentials}}/mqtt"
[outbox]
size = "16MiB"
commit_every = 0.5
[[bus]]
name = "i2c"
kind = "i2c"
device = "/dev/rig/i2c-usb"
[[device]]
name = "climate"
driver = "bme280"
bus = "i2c"
interval = "500ms"
"""

READY = """\
[Unit]
Description=Tell the host that the guest is ready
After=ssh.service systemd-networkd.service rig-board.service
# Not in the first boot, at whose end the machine starts anew.
ConditionPathIsMountPoint=/media/root-ro
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'echo RIG-READY > /dev/console'
"""


def rig_files(folder: Path) -> Path:
    """What the rig puts into its guest: devices, networks, the word that it is ready."""
    shutil.copytree(Path(RIG, "guest"), folder)
    subprocess.run(["chmod", "-R", "u+w", str(folder)], check=True)
    subprocess.run(f"chmod 755 {folder}/usr/local/sbin/*", shell=True, check=True)
    units = folder / "etc/systemd/system"
    (units / "rig-ready.service").write_text(READY)
    (units / "multi-user.target.wants").mkdir()
    for name in ("rig-board.service", "rig-ready.service"):
        (units / "multi-user.target.wants" / name).symlink_to(f"/etc/systemd/system/{name}")
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, package: Path) -> Path:
    if IMAGE != "new":
        return Path(IMAGE)
    rig, _ = rig_modules()
    folder = tmp_path_factory.mktemp("image")
    began = time.monotonic()
    build = [sys.executable, str(CHECKOUT / "deploy/image/build.py"), "--deb", str(package)]
    build += ["--copy", str(rig_files(folder / "rig")), "--keys", str(rig.cache_dir() / "key.pub")]
    build += ["--kernel-suite", "bookworm-backports", "--read-only", "--output", str(folder)]
    with (folder / "build.log").open("w") as log:
        subprocess.run(build, check=True, stdout=log, stderr=subprocess.STDOUT)
    print(f"built in {time.monotonic() - began:.0f} s")
    return folder


def put(image: Path, name: str, text: str) -> None:
    """A file into the folder tidegate of the boot partition, as somebody does with a card."""
    target = f"::tidegate/{name}"
    command = ["mcopy", "-o", "-i", f"{image}@@{BOOT_PARTITION}", "-", target]
    subprocess.run(command, input=text, text=True, check=True)


@pytest.fixture(scope="module")
def audit(far_end: Mosquitto) -> Iterator[Audit]:
    audit = Audit(far_end)
    yield audit
    audit.kill()


@pytest.fixture(scope="module")
def board(
    built: Path, far_end: Mosquitto, audit: Audit, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    rig, i2cbus = rig_modules()
    cache = tmp_path_factory.mktemp("cache")
    image = cache / "tidegate.img"
    subprocess.run(["cp", "--sparse=always", str(built / "tidegate.img"), str(image)], check=True)
    put(image, "gateway.toml", CONFIG.format(port=far_end.port))
    put(image, "credentials/mqtt", "secret\n")
    put(image, "hostname", "cellar\n")
    home = cache / "amd64-image"
    home.mkdir()
    for name in ("key", "accel"):
        shutil.copy(rig.cache_dir() / name, home / name)
    shutil.copyfile(built / "vmlinuz", home / "vmlinuz")
    shutil.copyfile(built / "initrd.img", home / "initrd")
    convert = ["qemu-img", "convert", "-O", "qcow2", str(image), str(home / "disk.qcow2")]
    subprocess.run(convert, check=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RIG_CACHE", str(cache))
        patch.setenv("RIG_SUITE", "image")
        # Of what is said twice the kernel takes the last.
        patch.setenv("RIG_APPEND", "root=LABEL=TIDEROOT ro rootwait")
        patch.setattr(rig, "BOOT_LIMIT", 900.0)
        yield from booted(rig, i2cbus, far_end)


def booted(rig: Any, i2cbus: Any, far_end: Mosquitto) -> Iterator[Board]:
    chip = BoardChip(Bme280(temperature=lambda: 21.5), i2cbus.Nak)
    meter = Meter()
    began = time.monotonic()
    with i2cbus.I2CBus({0x76: chip}) as bus, rig.Guest(cold=True) as guest:
        print(f"first boot and the second, read-only: {time.monotonic() - began:.0f} s")
        board = Board(guest, bus, meter, far_end)
        board.wire()
        yield board
    meter.close()


def fresh(board: Board, consumer: Listener) -> int:
    """Waits for a reading that was not there; the gateway's epoch, one more after each start."""
    topic = "tidegate/rig/climate/data"
    known = len(consumer.of(topic))
    board.wait(lambda: len(consumer.of(topic)) > known, "a reading arrives", LONG)
    return int(json.loads(consumer.of(topic)[-1])["epoch"])


def test_what_lay_on_the_boot_partition_is_taken_over(board: Board, consumer: Listener) -> None:
    fresh(board, consumer)
    assert b'"temperature":21.5' in consumer.of("tidegate/rig/climate/data")[-1]
    assert board.run("hostname").strip() == "cellar"
    assert board.run("ls /boot/firmware/tidegate/credentials") == ""
    assert board.run("stat -c %a /etc/tidegate/credentials/mqtt").strip() == "600"
    assert "read-only" in board.run("cat /boot/firmware/tidegate/first-boot.log")
    assert board.run("systemctl is-enabled tidegate").strip() == "enabled"


def test_the_root_is_read_only_and_the_journal_has_its_partition(board: Board) -> None:
    mounts = {row.split()[1]: row.split() for row in board.run("cat /proc/mounts").splitlines()}
    assert mounts["/"][2] == "overlay"
    assert mounts["/media/root-ro"][3].startswith("ro,")
    device, _, kind, options, *_ = mounts["/var/lib/tidegate"]
    assert (device, kind) == ("/dev/vda3", "ext4")
    assert {"rw", "noatime", "nodev", "nosuid", "noexec"} <= set(options.split(","))
    assert board.run("stat -c %U:%a /var/lib/tidegate").strip() == "tidegate:700"


def root_hash(image: Path, disk: Path, scratch: Path) -> str:
    """Of the root's partition, byte by byte, while the machine is off."""
    said = subprocess.check_output(["sfdisk", "--json", str(image)], text=True)
    root = json.loads(said)["partitiontable"]["partitions"][1]
    area = [f"skip={root['start'] * 512 >> 20}", f"count={root['start'] + root['size'] >> 11}"]
    command = ["qemu-img", "dd", "-f", "qcow2", "-O", "raw", "bs=1M", *area]
    subprocess.run([*command, f"if={disk}", f"of={scratch}"], check=True)
    with scratch.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def hashes() -> list[str]:
    return []


@pytest.mark.parametrize("cut", range(CUTS))
def test_after_a_cut_the_root_is_as_it_was(
    board: Board, consumer: Listener, built: Path, tmp_path: Path, hashes: list[str], cut: int
) -> None:
    identity = board.run("cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub")
    board.run("touch /etc/gone && test -e /etc/gone")
    epoch = fresh(board, consumer)
    board.guest.cut()
    hashes.append(root_hash(built / "tidegate.img", board.guest.disk, tmp_path / "root"))
    board.guest.boot_again()
    board.wire()
    assert fresh(board, consumer) == epoch + 1, "the state was lost"
    board.run("! test -e /etc/gone")
    assert board.run("cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") == identity
    assert len(set(hashes)) == 1


def test_the_command_reboot(board: Board, consumer: Listener) -> None:
    """As the service's own user, by polkit's rule."""
    boot = board.run("cat /proc/sys/kernel/random/boot_id")
    ready = board.guest.console_log.read_bytes().count(b"RIG-READY")
    answer: dict[str, Any] = {}

    def sent() -> bool:
        answer.update(board.send("-", "reboot"))
        return answer.get("outcome") == "done"

    board.wait(sent, f"it is commanded: {answer}", LONG)
    board.guest._end_ssh()
    board.guest.wait_ready(ready + 1)
    assert board.run("cat /proc/sys/kernel/random/boot_id") != boot
    board.wire()
    fresh(board, consumer)


def test_the_account_closes(board: Board, consumer: Listener, audit: Audit) -> None:
    board.wait(lambda: board.status().get("outbox", {}).get("kept") == 0, "all is sent", LONG)
    status, account = audit.end()
    print(account)
    assert status == 0, account


def test_without_its_partition_the_gateway_starts_all_the_same(
    board: Board, consumer: Listener
) -> None:
    """The last: the data partition is made unreadable."""
    board.run("systemctl stop tidegate && umount /var/lib/tidegate")
    board.run("dd if=/dev/zero of=/dev/vda3 bs=1M count=8 conv=fsync status=none")
    board.cut_and_boot()
    assert "/var/lib/tidegate" not in board.run("cut -d' ' -f2 /proc/mounts").split()
    fresh(board, consumer)
