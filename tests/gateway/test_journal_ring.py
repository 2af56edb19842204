from __future__ import annotations

from pathlib import Path

import pytest

from gateway.journal_disk import RealDisk
from gateway.journal_open import open_ring
from gateway.journal_ring import Ring
from tests.gateway.journal_contract import SIZE, JournalContract


def silent(_: str) -> None:
    """Nothing is reported in these tests."""


class TestRing(JournalContract):
    @pytest.fixture(autouse=True)
    def _storage(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "journal"

    def open(self) -> Ring:
        return open_ring(RealDisk(self.directory), SIZE, 0, silent)
