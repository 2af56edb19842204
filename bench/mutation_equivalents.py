"""Mutants that no test can notice, because they do the same; each with the reason."""

from __future__ import annotations

EQUIVALENT: dict[str, str] = {}
