"""What only some machines have: throttling, Wi-Fi, a memory that tells its wear, a set clock. Pure
but for `synchronised`.

Raspberry Pi documentation, "vcgencmd get_throttled"; Linux drivers/firmware/raspberrypi.c,
net/wireless/wext-proc.c, Documentation/driver-api/mmc/mmc-dev-attrs.rst (life_time); adjtimex(2).
"""

from __future__ import annotations

import ctypes

from drivers.base import CorruptData

UNDER_VOLTAGE, CAPPED, THROTTLED, SOFT_LIMIT = 0x1, 0x2, 0x4, 0x8
"""Now; the same 16 bits higher: since the start."""

TIME_ERROR = 5
TIMEX_SIZE = 512
"""struct timex has 208 bytes on 64-bit Linux, less on 32-bit."""


def decode_throttled(text: str) -> dict[str, bool]:
    """get_throttled in hexadecimal: what holds the processor back at this moment."""
    try:
        bits = int(text, 16)
    except ValueError as error:
        raise CorruptData(f"get_throttled reads {text!r}") from error
    return {
        "under_voltage": bool(bits & UNDER_VOLTAGE),
        "throttled": bool(bits & (CAPPED | THROTTLED | SOFT_LIMIT)),
    }


def decode_wireless(text: str) -> float | None:
    """dBm of the first interface that is connected, from /proc/net/wireless; None without one.

    wlan0: 0000   54.  -56.  -256        0      0      0      0     24        0
    """
    for line in text.splitlines()[2:]:
        fields = line.split()
        if len(fields) < 4:
            raise CorruptData(f"wireless reads {line!r}")
        try:
            level = float(fields[3])
        except ValueError as error:
            raise CorruptData(f"wireless reads {line!r}") from error
        # -256 stands for no value; drivers that count from 0 are no dBm either.
        if -200 < level < 0:
            return level
    return None


def decode_life_time(text: str) -> float | None:
    """Per cent of its life that an eMMC or SD memory says it has used: the worse of its two kinds.

    `0x02 0x01`: 10 to 20 % and up to 10 %; the upper end is taken. 0 is: not defined.
    """
    try:
        worst = max(int(field, 16) for field in text.split())
    except ValueError as error:
        raise CorruptData(f"life_time reads {text!r}") from error
    return min(worst * 10.0, 110.0) if worst else None


def synchronised() -> bool | None:
    """Whether the kernel's clock is disciplined by NTP; None where asking is forbidden."""
    buffer = ctypes.create_string_buffer(TIMEX_SIZE)  # modes = 0 only reads
    state = ctypes.CDLL(None).adjtimex(buffer)
    return None if state == -1 else bool(state != TIME_ERROR)
