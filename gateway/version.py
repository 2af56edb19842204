"""The version; pyproject.toml reads it here too. To ask importlib.metadata costs 7 MB of memory."""

VERSION = "0.1.0"
