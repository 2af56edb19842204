"""Who may command what: the keys are keys, and each role that is asked for is somebody's."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from gateway.config_check import check_name, check_unique
from gateway.config_devices import Configured
from gateway.config_report import Place, nearest
from gateway.config_values import INVALID
from gateway.settings import CommanderSettings, GatewaySettings

KEY_BYTES = 32


def check_commanders(
    gateway: GatewaySettings | object,
    devices: Sequence[Configured],
    commanders: Sequence[tuple[CommanderSettings, Place]],
    root: Place,
) -> None:
    """gateway: INVALID where it could not be read."""
    check_unique((commander.name, place.at("name")) for commander, place in commanders)
    check_unique(
        ((commander.key, place.at("key")) for commander, place in commanders),
        "is the key of another one already",
    )
    for commander, place in commanders:
        check_name(commander.name, place.at("name"))
        _check_key(commander.key, place.at("key"))
    roles = {role for commander, _ in commanders for role in commander.roles}
    if gateway is not INVALID and isinstance(gateway, GatewaySettings):
        _check_roles(gateway.signed_by, roles, root.at("gateway", "signed_by"))
    for device in devices:
        if device.settings.output is not None:
            _check_roles(device.settings.output.signed_by, roles, device.place.at("signed_by"))


def _check_key(key: str, place: Place) -> None:
    try:
        size = len(base64.b64decode(key, validate=True))
    except ValueError:
        size = 0
    if size != KEY_BYTES:
        place.error("is no public key", "`tidegate keygen NAME` prints it, 44 characters")


def _check_roles(asked: Sequence[str], roles: set[str], place: Place) -> None:
    for role in asked:
        if role not in roles:
            hint = nearest(role, roles) or "add a [[commander]] with this role"
            place.error(f'no [[commander]] has the role "{role}", so nobody could command it', hint)
