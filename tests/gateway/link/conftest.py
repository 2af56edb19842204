"""The brokers' fixtures, for the link's tests."""

from tests.brokers import broker, listener

__all__ = ["broker", "listener"]
