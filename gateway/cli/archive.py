"""What a backup holds, for those who write and who read one."""

from __future__ import annotations

FORMAT = 1
MANIFEST, CONFIG, STATE = "manifest.json", "config", "state/state.db"
"""Names in the archive: what it is, the configuration's directory, the small state."""
