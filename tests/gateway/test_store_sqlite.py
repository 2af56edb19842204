from __future__ import annotations

from pathlib import Path

import pytest

from gateway.journal import JournalFault
from gateway.model import Key
from gateway.store_sqlite import SqliteJournal
from tests.gateway.journal_contract import SIZE, JournalContract, fill, keys, record


class TestSqliteJournal(JournalContract):
    @pytest.fixture(autouse=True)
    def _storage(self, tmp_path: Path) -> None:
        self.path = tmp_path / "outbox" / "journal.db"

    def open(self) -> SqliteJournal:
        return SqliteJournal(self.path, SIZE)

    def test_what_is_no_database_is_a_fault(self) -> None:
        self.path.parent.mkdir()
        self.path.write_bytes(b"not a database, by far" * 100)
        with pytest.raises(JournalFault, match="cannot open"):
            self.open()

    def test_what_was_forgotten_stays_so_when_a_commit_fails(self) -> None:
        journal = self.open()
        fill(journal, 1, 10)
        journal.forget([Key(1, 1)])
        with pytest.raises(JournalFault):
            journal.append([record(11), record(12, device=[])])  # type: ignore[arg-type]
        assert keys(journal.read(None, 3)) == [2, 3, 4]
        journal.append([record(11)])
        assert keys(journal.read(Key(1, 9), 3)) == [10, 11]
