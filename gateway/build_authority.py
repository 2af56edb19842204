"""Whose signed commands count, from the settings."""

from __future__ import annotations

from gateway.build_devices import BuildError
from gateway.judge import Authority
from gateway.settings import Settings


def make_authority(settings: Settings) -> Authority:
    """Whose signed commands count. BuildError without the library, where somebody's do."""
    signed_by = frozenset(settings.gateway.signed_by)
    if not settings.commander:
        return Authority(None, signed_by)
    try:
        from gateway.signatures import Commander, Keys
    except ImportError as error:
        hint = "sudo apt install python3-nacl, or pip install 'tidegate[signed]'"
        raise BuildError(f"commander: {error}; {hint}") from error
    keys = Keys(Commander(c.name, c.key, frozenset(c.roles)) for c in settings.commander)
    return Authority(keys.roles_of, signed_by)
