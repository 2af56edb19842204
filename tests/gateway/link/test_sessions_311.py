"""How old a broker's memory of us may be over MQTT 3.1.1. Pure."""

from __future__ import annotations

import pytest

from gateway.link.terms import Sessions

URL = "mqtt://broker.example"


@pytest.mark.parametrize("expiry", [0.0, 0.001, 60.0])
def test_what_is_forgotten_is_not_forgotten_again(expiry: float) -> None:
    """Else the gateway would end sessions for ever, and never come in."""
    sessions = Sessions(expiry)
    assert sessions.too_old(URL, 5.0)
    sessions.forgotten(URL)
    assert not sessions.too_old(URL, 1e9)
    sessions.ended(URL, 1e9)
    assert not sessions.too_old(URL, 1e9 + expiry / 2)
    assert sessions.too_old(URL, 1e9 + expiry + 1)
