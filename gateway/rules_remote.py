"""May what another gateway said be used: neither replayed nor late, by clocks that agree? Pure."""

from __future__ import annotations

from gateway.model import Heard, Key, Stamp

SKEW = 5.0
"""Seconds by which the clocks of two machines may differ."""


def age(heard: Heard, last: Key | None, stamp: Stamp | None) -> float | str:
    """Seconds since it was measured, or why it cannot be used, in words.

    last: the newest that was used. stamp: now, None while our clock cannot be believed.
    """
    if not heard.readings:
        return "cannot be read"
    if last is not None and heard.key <= last:
        return "comes again, or behind a newer one"
    if stamp is None:
        return "has an age that is not known: our clock is not set"
    if not heard.stamp.synchronised:
        return "has an age that is not known: the other clock is not set"
    seconds = stamp.wall - heard.stamp.wall
    if seconds < -SKEW:
        return f"is {-seconds:.0f} s ahead: the clocks differ"
    return max(0.0, seconds)
