"""Builds the Debian package: one for every architecture, with the pure-Python libraries inside.

    python3 deploy/debian/build.py [--version 0.1.0] [--output dist]

Debian's own paho and gpiozero are too old for us (docs/operations.md), so the wheels of
libraries.txt are unpacked below /usr/lib/tidegate, where no other program sees them. lgpio and
systemd-python are native and come from Debian. The same commit gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from email.utils import formatdate
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
LIBRARIES = HERE / "libraries.txt"
PRIVATE = Path("usr/lib/tidegate")
DOC = Path("usr/share/doc/tidegate")
SYSTEMD = CHECKOUT / "deploy/systemd"
FILES = {
    "usr/lib/systemd/system/tidegate.service": SYSTEMD / "tidegate.service",
    "usr/lib/systemd/system/tidegate-notify.service": SYSTEMD / "tidegate-notify.service",
    "usr/lib/sysusers.d/tidegate.conf": SYSTEMD / "sysusers.conf",
    "usr/lib/tmpfiles.d/tidegate.conf": SYSTEMD / "tmpfiles.conf",
    "usr/lib/udev/rules.d/60-tidegate.rules": SYSTEMD / "udev.rules",
    "usr/share/polkit-1/rules.d/60-tidegate.rules": SYSTEMD / "polkit.rules",
    "usr/share/tidegate/watchdog.conf": SYSTEMD / "watchdog.conf",
    "usr/share/tidegate/journald.conf": SYSTEMD / "journald.conf",
    "usr/share/tidegate/gateway.schema.json": CHECKOUT / "deploy/gateway.schema.json",
    "etc/tidegate/gateway.toml": CHECKOUT / "deploy/gateway.toml",
}
EXECUTABLES = {"usr/bin/tidegate": HERE / "tidegate"}
SCRIPTS = ("postinst", "prerm", "postrm")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--version", default=_version(), help="default: gateway/version.py's")
    parser.add_argument("--output", type=Path, default=CHECKOUT / "dist")
    args = parser.parse_args()
    if shutil.which("dpkg-deb") is None:
        print("dpkg-deb is not there: build on Debian or Raspberry Pi OS", file=sys.stderr)
        return 1
    args.output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        print(build(Path(scratch), args.version, args.output))
    return 0


def _version() -> str:
    found = re.search(r'VERSION = "([^"]+)"', (CHECKOUT / "gateway/version.py").read_text())
    assert found, "gateway/version.py has no VERSION"
    return found[1]


def build(scratch: Path, version: str, output: Path) -> Path:
    """The package's path. subprocess.CalledProcessError where a tool fails."""
    root = scratch / "root"
    _install(root)
    _vendor(root / PRIVATE, scratch)
    _document(root, version)
    _control(root, version)
    epoch = _epoch()
    for path in [root, *sorted(root.rglob("*"))]:
        os.utime(path, (epoch, epoch), follow_symlinks=False)
    package = output / f"tidegate_{version}_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", "-Zxz", "-z6", str(root), str(package)],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(epoch)},
    )
    return package


def _epoch() -> int:
    """Seconds of the last commit; of 2026 where this is no git checkout."""
    done = subprocess.run(
        ["git", "-C", str(CHECKOUT), "log", "-1", "--format=%ct"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else 1_767_225_600


def _install(root: Path) -> None:
    for room in ("gateway", "drivers"):
        shutil.copytree(
            CHECKOUT / room,
            root / PRIVATE / room,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for target, source in {**FILES, **EXECUTABLES}.items():
        path = root / target
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
        path.chmod(0o755 if target in EXECUTABLES else 0o644)
    completion = root / "usr/share/bash-completion/completions/tidegate"
    completion.parent.mkdir(parents=True)
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "completion", "bash"],
        capture_output=True, check=True, cwd=CHECKOUT,
    )  # fmt: skip
    completion.write_bytes(done.stdout)


def _vendor(private: Path, scratch: Path) -> None:
    wheels = scratch / "wheels"
    subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "download",
         "--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(wheels),
         "--requirement", str(LIBRARIES)],
        check=True,
    )  # fmt: skip
    for wheel in sorted(wheels.glob("*.whl")):
        if not wheel.name.endswith("-none-any.whl"):
            raise SystemExit(f"{wheel.name} is not pure Python: one package cannot fit every Pi")
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if not re.search(r"\.data/", name)]
            archive.extractall(private, names)
    for path in private.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _document(root: Path, version: str) -> None:
    target = root / DOC
    target.mkdir(parents=True)
    for page in [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]:
        shutil.copyfile(page, target / page.name)
    shutil.copytree(CHECKOUT / "hardware", target / "hardware",
                    ignore=shutil.ignore_patterns("*.py", "__pycache__"))  # fmt: skip
    changes = (CHECKOUT / "CHANGELOG.md").read_text("utf-8")
    _gzip(target / "NEWS.md.gz", changes)
    date = formatdate(_epoch(), localtime=False)
    _gzip(target / "changelog.gz", (
        f"tidegate ({version}) stable; urgency=medium\n\n"
        f"  * See NEWS.md.gz.\n\n"
        f" -- Tidegate developers <maintainers@tidegate.example>  {date}\n"))  # fmt: skip
    (target / "copyright").write_text(_copyright(root / PRIVATE), "utf-8")
    for path in target.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)


def _gzip(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), 9, mtime=0))


def _copyright(private: Path) -> str:
    """Machine-readable (DEP 5): ours, and what each library says of itself."""
    parts = [
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Upstream-Name: tidegate\n\n"
        "Files: *\nCopyright: 2026 Tidegate developers\nLicense: Apache-2.0\n"
    ]
    for info in sorted(private.glob("*.dist-info")):
        meta = (info / "METADATA").read_text("utf-8", "replace")
        name = _field(meta, "Name")
        stated = _field(meta, "License-Expression") or _field(meta, "License") or "see-metadata"
        author = _field(meta, "Author") or _field(meta, "Author-email") or f"{name} authors"
        licence = re.sub(r"[^\w.+-]+", "-", stated).strip("-")
        parts.append(
            f"Files: usr/lib/tidegate/{name.split('-')[0].lower()}*\nCopyright: {author}\n"
            f"License: {licence}\n The text is in /usr/lib/tidegate/{info.name}.\n"
        )
    parts.append(
        "License: Apache-2.0\n On Debian systems the text is in "
        "/usr/share/common-licenses/Apache-2.0.\n"
    )
    return "\n".join(parts)


def _field(meta: str, name: str) -> str:
    found = re.search(rf"^{name}: (.+)$", meta, re.MULTILINE)
    return found[1].strip() if found else ""


def _control(root: Path, version: str) -> None:
    files = sorted(path for path in root.rglob("*") if path.is_file())
    size = sum(-(-path.stat().st_size // 1024) for path in files)
    debian = root / "DEBIAN"
    debian.mkdir()
    control = (HERE / "control.in").read_text("utf-8")
    control = control.replace("@VERSION@", version).replace("@SIZE@", str(size))
    (debian / "control").write_text(control, "utf-8")
    (debian / "conffiles").write_text("/etc/tidegate/gateway.toml\n", "utf-8")
    sums = [
        f"{hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()}"
        f"  {path.relative_to(root)}\n"
        for path in files
        if not str(path.relative_to(root)).startswith("etc/")
    ]
    (debian / "md5sums").write_text("".join(sums), "utf-8")
    for name in SCRIPTS:
        shutil.copyfile(HERE / name, debian / name)
        (debian / name).chmod(0o755)


if __name__ == "__main__":
    sys.exit(main())
