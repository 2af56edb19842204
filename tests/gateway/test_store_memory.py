from __future__ import annotations

import pytest

from gateway.store_memory import MemoryJournal
from tests.gateway.journal_contract import SIZE, JournalContract


class TestMemoryJournal(JournalContract):
    @pytest.fixture(autouse=True)
    def _storage(self) -> None:
        self.journal_in_memory = MemoryJournal(SIZE)

    def open(self) -> MemoryJournal:
        return self.journal_in_memory
