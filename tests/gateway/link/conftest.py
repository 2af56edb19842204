"""The brokers' fixtures, for the link's tests."""

from collections.abc import Iterator

import pytest

from tests.brokers import broker, listener
from tests.scripted_broker import ScriptedBroker

__all__ = ["broker", "listener"]


@pytest.fixture
def scripted() -> Iterator[ScriptedBroker]:
    with ScriptedBroker() as broker:
        yield broker
