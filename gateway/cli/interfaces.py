"""What `setup` does to the machine, a step at a time: enable interfaces, write files, run commands.

Raspberry Pi OS: raspi-config's non-interactive calls, in which 0 stands for enable. Elsewhere there
is nothing to enable by command; the pages in hardware/ say which lines config.txt needs.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.cli.placing import place

CREDENTIALS = Path("/etc/tidegate/credentials")
"""Passwords and keys, one a file, for root alone; the unit hands them to the service."""
RASPI_CONFIG = "raspi-config"
KNOWN: dict[str, tuple[tuple[str, str], ...]] = {
    "i2c": (("do_i2c", "0"),),
    "spi": (("do_spi", "0"),),
    "onewire": (("do_onewire", "0"),),
    "serial": (("do_serial_cons", "1"), ("do_serial_hw", "0")),
}
"""To the calls of raspi-config nonint: serial takes the console off the line, too."""
AFTER_REBOOT = ("onewire", "serial")


@dataclass(frozen=True, slots=True)
class Step:
    """A command, or a file to write with its mode. what: for people; "" for more of the same."""

    what: str
    command: tuple[str, ...] = ()
    write: tuple[Path, str, int] | None = None


def chosen(listed: str, ask: Callable[[str, str], str]) -> list[str]:
    """ValueError for a name that is none."""
    text = listed or ask(f"Interfaces to enable, of {', '.join(KNOWN)}", "")
    names = [name.strip() for name in text.replace(",", " ").split()]
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        raise ValueError(f"--enable {unknown[0]}: it knows {', '.join(KNOWN)}")
    return names


def steps(enabled: Iterable[str]) -> list[Step]:
    found = []
    for name in enabled:
        for number, (call, value) in enumerate(KNOWN[name]):
            what = f"enable {name}" + (" (after a reboot)" if name in AFTER_REBOOT else "")
            found.append(Step("" if number else what, (RASPI_CONFIG, "nonint", call, value)))
    return found


def buses(devices: Path = Path("/dev")) -> str:
    """Blocks for what is plugged in now, to be uncommented."""
    found = [
        f'\n#[[bus]]\n#name = "{path.name}"\n#kind = "i2c"\n#device = "{path}"\n'
        for path in sorted(devices.glob("i2c-*"))
    ]
    found += [
        f'\n#[[bus]]\n#name = "{path.name[:24].rstrip("-_").lower()}"\n#kind = "serial"\n'
        f'#device = "{path}"\n'
        for path in sorted(devices.glob("serial/by-id/*"))
    ]
    return "".join(found)


def carry_out(steps: Sequence[Step], dry_run: bool) -> int:
    """In order, until one fails: 1 then, and it says which and why."""
    for step in steps:
        if step.what:
            print(("would " if dry_run else "") + step.what)
        if step.command and dry_run:
            print(f"  {' '.join(step.command)}")
        if dry_run:
            continue
        trouble = _write(*step.write) if step.write else _run(step.command)
        if trouble:
            print(f"tidegate setup: {step.what or step.command[0]}: {trouble}", file=sys.stderr)
            return 1
    if not dry_run:
        print("done: tidegate status")
    return 0


def _run(command: tuple[str, ...]) -> str:
    """What went wrong, in words; empty if nothing."""
    if shutil.which(command[0]) is None:
        return f"{command[0]} is not here; the pages in hardware/ say what to put into config.txt"
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return "" if done.returncode == 0 else (done.stderr or done.stdout).strip() or "it failed"


def _write(path: Path, text: str, mode: int) -> str:
    try:
        place(path, text, mode)
    except OSError as error:
        return str(error)
    return ""
