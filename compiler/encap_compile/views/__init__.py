"""How `encapctl` shows its results: text for people, JSON with `format_version` for programs."""

from __future__ import annotations

FORMAT_VERSION = 1
