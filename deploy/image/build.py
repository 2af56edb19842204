"""Builds a card's image from Debian packages, with Tidegate installed. As root:

    python3 deploy/image/build.py [--board vm|pi] [--read-only] [--config gateway.toml]

Three partitions: the boot files, the root, and a partition of its own for the journal, sized by
`outbox.size`. The rest of a card stays free, which its wear levelling likes. What the first boot
sets up can be put on the boot partition later as well (docs/operations.md). No loop device and no
mount is needed; for another architecture binfmt_misc and qemu-user-static are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
sys.path.insert(0, str(CHECKOUT))

from deploy.image.layout import Partition, fstab, layout, script  # noqa: E402
from gateway.config import ConfigErrors, load  # noqa: E402
from gateway.settings import OutboxSettings  # noqa: E402

# busybox: overlayroot needs its grep in the initramfs, and would leave the root as it is.
BASE = [
    "systemd-sysv", "systemd-timesyncd", "udev", "dbus", "kmod", "iproute2", "procps", "polkitd",
    "e2fsprogs", "dosfstools", "initramfs-tools", "busybox", "overlayroot", "openssh-server",
    "ca-certificates", "python3", "python3-spidev", "i2c-tools",
]  # fmt: skip
KERNEL = {"amd64": "linux-image-amd64", "arm64": "linux-image-arm64"}
FIRMWARE = ["raspi-firmware"]
WHEEL = {"amd64": "x86_64", "arm64": "aarch64"}
TOOLS = ("mmdebstrap", "mke2fs", "mkfs.vfat", "mcopy", "sfdisk", "dpkg-deb")
LGPIO = "lgpio==0.2.2.0"
UNITS = ("tidegate-first-boot.service", "tidegate-data.service")
NETWORK = "[Match]\nType=ether\n[Network]\nDHCP=yes\n"
LABELS = {"boot": "TIDEBOOT", "root": "TIDEROOT", "data": "tidegate"}
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


@dataclass(frozen=True)
class Wanted:
    """What the command line asks for."""

    board: str
    arch: str
    suite: str
    kernel_suite: str
    read_only: bool
    config: Path | None
    keys: Path | None
    packages: list[str]
    copy: Path | None
    deb: Path
    output: Path


def main() -> int:
    wanted = _arguments()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing or os.geteuid() != 0:
        print(
            f"needs root, and here {', '.join(missing) or 'nothing'} is missing: apt-get install "
            "--no-install-recommends mmdebstrap e2fsprogs dosfstools mtools fdisk",
            file=sys.stderr,
        )
        return 1
    wanted.output.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=wanted.output))
    try:
        bootstrap(wanted, scratch / "root")
        configure(wanted, scratch / "root")
        print(assemble(wanted, scratch / "root", scratch))
    except (subprocess.CalledProcessError, ConfigErrors) as error:
        print(f"no image: {error}", file=sys.stderr)
        return 1
    finally:
        # A bootstrap that was cut short may have left this machine's own /dev and /sys in there.
        subprocess.run(["rm", "-rf", "--one-file-system", str(scratch)], check=False)
    return 0


def _arguments() -> Wanted:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--board", choices=("vm", "pi"), default="vm")
    parser.add_argument(
        "--arch", choices=tuple(KERNEL), help="default: arm64 for a Pi, else this machine's"
    )
    parser.add_argument("--suite", default="bookworm", help="Debian's release (default: bookworm)")
    parser.add_argument(
        "--kernel-suite", default="", help="another one for the kernel, as bookworm-backports"
    )
    parser.add_argument(
        "--read-only", action="store_true", help="the root is read-only after the first boot"
    )
    parser.add_argument("--config", type=Path, help="the gateway's configuration")
    parser.add_argument(
        "--keys", type=Path, help="authorized_keys of root; without it nobody can log in"
    )
    parser.add_argument("--packages", default="", help="more Debian packages, comma separated")
    parser.add_argument("--copy", type=Path, help="a folder whose files are put over the root")
    parser.add_argument("--deb", type=Path, help="the package of Tidegate (default: built now)")
    parser.add_argument("--output", type=Path, help="a folder (default: dist/image-BOARD-ARCH)")
    args = parser.parse_args()
    own = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    arch = args.arch or ("arm64" if args.board == "pi" else own)
    return Wanted(
        args.board, arch, args.suite, args.kernel_suite or args.suite, args.read_only, args.config,
        args.keys, [name for name in args.packages.split(",") if name], args.copy,
        args.deb or _package(), args.output or CHECKOUT / f"dist/image-{args.board}-{arch}",
    )  # fmt: skip


def _package() -> Path:
    build = [sys.executable, str(CHECKOUT / "deploy/debian/build.py")]
    said = subprocess.run(build, check=True, stdout=subprocess.PIPE, text=True).stdout
    return Path(said.strip().splitlines()[-1])


def bootstrap(wanted: Wanted, root: Path) -> None:
    """The root file system of Debian's packages and ours."""
    kernel = KERNEL[wanted.arch]
    if wanted.kernel_suite != wanted.suite:
        kernel += f"/{wanted.kernel_suite}"
    names = [*BASE, kernel, *wanted.packages, *(FIRMWARE if wanted.board == "pi" else [])]
    # A question about a file that was written beforehand would end the build.
    command = [
        "mmdebstrap", "--mode=root", f"--architectures={wanted.arch}", "--variant=minbase",
        f"--include={','.join(names)}", "--dpkgopt=force-confold", "--dpkgopt=force-unsafe-io",
        "--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
        f"--setup-hook={HERE}/before \"$1\" {LABELS['root']}",
        f"--customize-hook=cp {wanted.deb} \"$1/tidegate.deb\"",
        "--customize-hook=chroot \"$1\" dpkg -i /tidegate.deb",
        "--customize-hook=rm \"$1/tidegate.deb\"",
        wanted.suite, str(root), "-",
    ]  # fmt: skip
    subprocess.run(command, check=True, input=_sources(wanted), text=True)


def _sources(wanted: Wanted) -> str:
    """apt's sources, from where this machine has its own."""
    form = ["--format", "$(SITE) $(RELEASE)", "Created-By: Packages", "Component: main"]
    said = subprocess.check_output(["apt-get", "indextargets", *form], text=True).split("\n")
    sites = [line.split()[0] for line in said if line]
    archive = next(
        (site for site in sites if "security" not in site), "http://deb.debian.org/debian"
    )
    security = next((site for site in sites if "security" in site), f"{archive}-security")
    parts = "main non-free-firmware" if wanted.board == "pi" else "main"
    suites = {wanted.suite, f"{wanted.suite}-updates", wanted.kernel_suite}
    rows = [f"deb [signed-by={KEYRING}] {archive} {suite} {parts}" for suite in sorted(suites)]
    rows.append(f"deb [signed-by={KEYRING}] {security} {wanted.suite}-security {parts}")
    return "\n".join(rows) + "\n"


def configure(wanted: Wanted, root: Path) -> None:
    """What makes a Debian root a gateway's."""
    _install(HERE / "first-boot", root / "usr/local/sbin/tidegate-first-boot", 0o755)
    for unit in UNITS:
        _install(HERE / unit, root / "etc/systemd/system" / unit)
        _enable(root, unit)
    (root / "etc/fstab").write_text(fstab(LABELS))
    (root / "etc/hostname").write_text("tidegate\n")
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n127.0.1.1 tidegate\n")
    (root / "etc/systemd/network/80-cable.network").write_text(NETWORK)
    _enable(root, "systemd-networkd.service")
    for name in ("watchdog", "journald"):
        where = "system.conf.d" if name == "watchdog" else "journald.conf.d"
        _install(
            root / f"usr/share/tidegate/{name}.conf", root / f"etc/systemd/{where}/tidegate.conf"
        )
    # Made on the first boot: two cards of one image are not the same machine.
    (root / "etc/machine-id").write_text("")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    _lgpio(wanted, root)
    if wanted.copy:
        shutil.copytree(wanted.copy, root, symlinks=True, dirs_exist_ok=True)
    shutil.rmtree(root / "var/lib/apt/lists")
    (root / "var/lib/apt/lists/partial").mkdir(parents=True)
    _choices(wanted, root / "boot/firmware/tidegate")


def _install(source: Path, target: Path, mode: int = 0o644) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(mode)


def _enable(root: Path, unit: str) -> None:
    subprocess.run(["systemctl", "--root", str(root), "--quiet", "enable", unit], check=True)


def _lgpio(wanted: Wanted, root: Path) -> None:
    """For GPIO: Debian has no package of it, and PyPI no wheel for Python 3.13."""
    (python,) = (path.name for path in (root / "usr/lib").glob("python3.*"))
    target = root / "usr/local/lib" / python / "dist-packages"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "install",
         "--no-deps", "--root-user-action=ignore", "--no-compile", "--only-binary=:all:",
         "--target", str(target),
         "--python-version", python.removeprefix("python"), "--implementation", "cp",
         "--platform", f"manylinux_2_34_{WHEEL[wanted.arch]}", LGPIO],
        check=False,
    )  # fmt: skip
    if done.returncode:
        print(f"no lgpio for {python}: this image has no GPIO", file=sys.stderr)


def _choices(wanted: Wanted, folder: Path) -> None:
    """What the first boot reads; the same files can be put on the card by hand."""
    (folder / "credentials").mkdir(parents=True)
    _install(HERE / "README.txt", folder / "README.txt")
    if wanted.config:
        _install(wanted.config, folder / "gateway.toml")
    if wanted.keys:
        _install(wanted.keys, folder / "authorized_keys")
    if wanted.read_only:
        (folder / "read-only").write_text("")


def assemble(wanted: Wanted, root: Path, scratch: Path) -> Path:
    """The image's path; beside it the kernel and what it boots with, for an emulator."""
    boot = scratch / "boot"
    shutil.move(root / "boot/firmware", boot)
    (root / "boot/firmware").mkdir()
    (root / "var/lib/tidegate").mkdir(exist_ok=True)
    for name in ("vmlinuz", "initrd.img"):
        shutil.copyfile(root / name, wanted.output / name)
    used = int(subprocess.check_output(["du", "-sm", str(root)]).split()[0])
    parts = layout(used << 20, _journal(wanted.config))
    image = wanted.output / "tidegate.img"
    image.unlink(missing_ok=True)
    os.truncate(os.open(image, os.O_CREAT | os.O_WRONLY, 0o644), parts[-1].end + (1 << 20))
    subprocess.run(["sfdisk", "--quiet", str(image)], input=script(parts), text=True, check=True)
    for part, content in zip(parts, (boot, root, None), strict=True):
        _fill(image, part, content, scratch / f"{part.name}.part")
    return image


def _journal(config: Path | None) -> int:
    """Bytes of the journal that the configuration asks for. ConfigError where it is a bad one."""
    return OutboxSettings().size if config is None else load(config).settings.outbox.size


def _fill(image: Path, part: Partition, content: Path | None, file: Path) -> None:
    """One file system, made in a file of its own and copied to its place."""
    os.truncate(os.open(file, os.O_CREAT | os.O_WRONLY), part.size)
    label = LABELS[part.name]
    if part.name == "boot" and content:
        subprocess.run(["mkfs.vfat", "-n", label, str(file)], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(
            ["mcopy", "-s", "-i", str(file), *map(str, content.iterdir()), "::"], check=True
        )
    else:
        # Nothing is left to be initialised later: a card that is idle is not written.
        options = [
            "-E",
            "lazy_itable_init=0,lazy_journal_init=0",
            "-m",
            "0" if content is None else "1",
        ]
        source = ["-d", str(content)] if content else []
        subprocess.run(
            ["mke2fs", "-q", "-t", "ext4", "-L", label, *options, *source, str(file)], check=True
        )
    subprocess.run(
        ["dd", f"if={file}", f"of={image}", "bs=1M", f"seek={part.start >> 20}",
         "conv=notrunc,sparse", "status=none"], check=True,
    )  # fmt: skip
    file.unlink()


if __name__ == "__main__":
    sys.exit(main())
