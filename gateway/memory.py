"""The C library's allocator, told to give back what is not used.

glibc grows an arena for every thread. After the first large block that was freed it takes blocks of
that size from the arenas too, where whatever lies above keeps them resident: a daemon of a few
threads that reads a megabyte now and then holds several for good.
"""

from __future__ import annotations

import ctypes

M_MMAP_THRESHOLD, M_ARENA_MAX = -3, -8
"""mallopt(3), malloc.h of glibc."""

LARGE = 128 << 10
"""Bytes from which a block is mapped by itself, and unmapped when it is freed. It is the default,
which moves as long as nobody sets it."""


def hold_down() -> None:
    """Call it before threads are started. A C library that knows no mallopt is left as it is."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGE)
        mallopt(M_ARENA_MAX, 1)  # the interpreter lets one thread allocate at a time anyway
