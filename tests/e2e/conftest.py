"""A broker of one's own, and somebody who listens to it."""

from __future__ import annotations

from tests.brokers import broker, listener

__all__ = ["broker", "listener"]
