"""Profiles: one key that gives others another default. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

METERED: Mapping[str, Mapping[str, Any]] = {
    "upstream": {"keepalive": "12h", "batch_every": "1d"},
    "gateway": {"health_every": "1d"},
}
"""upstream.metered: for a link that is paid by the byte. docs/wire.md: what a day costs."""


def with_profile(document: Mapping[str, Any]) -> dict[str, Any]:
    """The file's tables, with the defaults of the profile that it asks for; what it says, stays."""
    upstream = document.get("upstream")
    if not isinstance(upstream, Mapping) or upstream.get("metered") is not True:
        return dict(document)
    found = dict(document)
    for name, defaults in METERED.items():
        if isinstance(found.get(name), Mapping):
            found[name] = {**defaults, **found[name]}
    return found
